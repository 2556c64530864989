"""The loop that brings this replica to the modes that the judges publish."""

import logging
import threading

from monitors.safemode import State
from service.adapters import wire
from service.adapters.metrics import Metrics
from service.adapters.packing import WireError
from service.adapters.ports import Bus
from service.adapters.topics import CONTROL, topic
from service.router import Router

log = logging.getLogger(__name__)

PATIENCE = 0.5
"""Seconds to wait for a record before looking whether to stop."""


class ControlLoop:
    """Reads the control topic from its start and applies every route that is newer than what is known."""

    def __init__(self, bus: Bus, router: Router, metrics: Metrics) -> None:
        self._control = bus.subscribe(topic(CONTROL))
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

    def _take(self, value: bytes) -> None:
        if wire.schema_of(value) == wire.ROUTES:
            routes = wire.decode_routes(value)
            if self._router.apply(routes):
                self._metrics.route(self._router.routes(routes.model), State)
