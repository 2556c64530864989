"""From the request path to the bus without waiting: a bounded buffer, one publishing thread, counted drops."""

import logging
import threading
from collections import deque
from typing import Protocol

from monitors.records import Event, Sample
from service.adapters import wire
from service.adapters.ports import Bus, insist
from service.adapters.topics import EVENTS, SAMPLES, topic

log = logging.getLogger(__name__)

MOST_WAITING = 8_192
"""Samples and events that may wait: seconds of traffic; beyond it they are dropped and counted."""

BATCH = 256
"""Most samples in one record."""

LINGER = 0.05
"""Seconds to collect samples before they are published: everything behind works in batches, and costs the less."""


class Drops(Protocol):
    """Told of every sample that could not be kept, by model and reason."""

    def __call__(self, model: str, reason: str) -> None:
        """Count one."""


class Outbox:
    """`offer` and `note` never block; `start` and `stop` belong to whoever runs the gateway."""

    def __init__(self, bus: Bus, dropped: Drops, limit: int = MOST_WAITING) -> None:
        self._bus = bus
        self._dropped = dropped
        self._limit = limit
        self._waiting: deque[Sample | Event] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def offer(self, sample: Sample) -> bool:
        """Keep a sample for the shadow; False, and counted, when too many wait already."""
        if len(self._waiting) >= self._limit:
            self._dropped(sample.model, "buffer_full")
            return False
        self._waiting.append(sample)
        self._wake.set()
        return True

    def note(self, event: Event) -> None:
        """Keep an event for the audit trail. Events are few: they are never dropped for samples' sake."""
        self._waiting.append(event)
        self._wake.set()

    def start(self) -> None:
        """Begin publishing."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Publish what waits, then end; False when that took longer than ``timeout`` seconds."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not (self._stopping.is_set() and not self._waiting):
            self._wake.wait(0.5)
            self._stopping.wait(LINGER)
            self._wake.clear()
            while self._waiting:
                self._publish(self._take())

    def _take(self) -> list[Sample | Event]:
        return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    def _publish(self, items: list[Sample | Event]) -> None:
        """One record for the samples of each pair of artefacts, one for each event."""
        samples = [item for item in items if isinstance(item, Sample)]
        for kind in dict.fromkeys(sample.kind for sample in samples):
            self._send(SAMPLES, wire.encode_samples([sample for sample in samples if sample.kind == kind]))
        for event in items:
            if isinstance(event, Event):
                self._send(EVENTS, wire.encode_event(event))

    def _send(self, name: str, value: bytes) -> None:
        """A full bus makes this thread wait, the buffer fill, and `offer` drop: the request path notices nothing."""
        if not insist(self._bus, topic(name), value, None, self._stopping):
            log.warning("stopped while the bus was full: a record for %s was not published", name)
