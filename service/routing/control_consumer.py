"""Consumer of the control topic: applies the routes that the judges publish, and passes their heartbeats on."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from tightrope.monitors.safemode import ModeState
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.ports import Bus, BusUnavailableError
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.adapters.wire.heartbeat import HEARTBEAT_SCHEMA, Heartbeat, decode_heartbeat
from tightrope.service.routing.router import Router

log = logging.getLogger(__name__)

CONTROL_POLL_SECONDS = 0.5
"""Timeout of a poll, after which the thread checks whether to stop."""

CONTROL_POLL_RECORDS = 100

_SILENT = "no record from the judges for %.0f s: the modes stay as they are"
_HEARD = "the judges send records again"


class ControlConsumer:
    """Reads the control topic from its start, in a thread, and passes all routes to the router.

    ``caught_up`` is set once the topic has been read to its end. Judges in other processes repeat their routes. If none
    arrive for ``silence`` seconds the judges are down: a warning is logged, and the modes stay as they are.
    ``on_heartbeat`` is called with each heartbeat of a judge.
    """

    def __init__(
        self,
        bus: Bus,
        router: Router,
        metrics: GatewayMetrics,
        silence: float = float("inf"),
        on_heartbeat: Callable[[Heartbeat], None] = lambda _: None,
    ) -> None:
        self.caught_up = threading.Event()
        self._records = bus.subscribe(topic(CONTROL))
        self._silence = silence
        self._on_heartbeat = on_heartbeat
        self._last_routes = time.monotonic()
        self._silent = False
        self._router = router
        self._metrics = metrics
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop the thread; waits at most ``timeout`` seconds."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            for record in self._records.poll(CONTROL_POLL_RECORDS, CONTROL_POLL_SECONDS):
                try:
                    self._apply(record.value)
                except WireError as error:
                    self._metrics.record_dead(record.topic)
                    log.warning("%s, offset %d: %s", record.topic, record.offset, error)
            self._check_caught_up()
            self._check_silence()
        self._records.close()

    def _apply(self, value: bytes) -> None:
        """Apply a record of routes or a heartbeat; other records of the topic, such as orders, are for the judges."""
        schema = record_codec.schema_of(value)
        if schema == HEARTBEAT_SCHEMA:
            self._on_heartbeat(decode_heartbeat(value))
        elif schema == record_codec.ROUTES_SCHEMA:
            self._last_routes = time.monotonic()
            routes = record_codec.decode_routes(value)
            if self._router.apply(routes):
                shown = self._router.routes(routes.model)
                shown = replace(shown, safe=(*shown.safe, *self._router.following(routes.model)))
                self._metrics.set_routes(shown, ModeState)

    def _check_caught_up(self) -> None:
        if not self.caught_up.is_set():
            with contextlib.suppress(BusUnavailableError):
                if not self._records.lag():
                    self.caught_up.set()

    def _check_silence(self) -> None:
        age = time.monotonic() - self._last_routes
        if self._silence < float("inf"):  # judges in this process publish changes only, so their age means nothing
            self._metrics.set_control_age(age)
        if (age > self._silence) is not self._silent:
            self._silent = not self._silent
            log.warning(*((_SILENT, age) if self._silent else (_HEARD,)))
