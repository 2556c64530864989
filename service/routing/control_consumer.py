"""The loop that brings this replica to the modes that the judges publish."""

import contextlib
import logging
import threading
import time

from tightrope.monitors.safemode import State
from tightrope.service.adapters.ports import Bus, BusAwayError
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.routing.router import Router

log = logging.getLogger(__name__)

PATIENCE = 0.5
"""Seconds to wait for a record before looking whether to stop."""


_SILENT = "the judges have not been heard for long: the modes stay as they are"
_AGAIN = "the judges are heard again"


class ControlLoop:
    """Reads the control topic from its start and applies every route that is newer than what is known.

    ``caught_up`` is set once it has been read to its end. Judges that say nothing for ``silence`` seconds, though they
    tell their modes again and again, are away: the modes stay as they are known.
    """

    def __init__(self, bus: Bus, router: Router, metrics: Metrics, silence: float = float("inf")) -> None:
        self.caught_up = threading.Event()
        self._control = bus.subscribe(topic(CONTROL))
        self._silence = silence
        self._heard = time.monotonic()
        self._silent = False
        self._router = router
        self._metrics = metrics
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        """Begin listening."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop listening."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            for record in self._control.poll(100, PATIENCE):
                try:
                    self._take(record.value)
                except WireError as error:
                    self._metrics.dead.labels(record.topic).inc()
                    log.warning("%s, offset %d: %s", record.topic, record.offset, error)
            self._listen()
        self._control.close()

    def _listen(self) -> None:
        """Whether all has been read that there was at the start, and for how long nothing was heard."""
        if not self.caught_up.is_set():
            with contextlib.suppress(BusAwayError):
                if not self._control.lag():
                    self._router.trust()
                    self.caught_up.set()
        age = time.monotonic() - self._heard
        if self._silence < float("inf"):  # judges in this process tell what is new, and nothing else
            self._metrics.silence.set(age)
        if (age > self._silence) is not self._silent:
            self._silent = age > self._silence
            log.warning(_SILENT if self._silent else _AGAIN)

    def _take(self, value: bytes) -> None:
        if record_codec.schema_of(value) == record_codec.ROUTES:
            self._heard = time.monotonic()
            routes = record_codec.decode_routes(value)
            if self._router.apply(routes):
                self._metrics.route(self._router.routes(routes.model), State)
