"""From the request path to the bus without waiting: a bounded buffer, one publishing thread, counted drops."""

import logging
import threading
import time
from collections import Counter, deque
from typing import Protocol

from monitors.records import Event, Sample, Traffic
from monitors.samples import Samples
from service.adapters import wire
from service.adapters.ports import Bus, RecordTooLargeError, insist
from service.adapters.topics import COMPARISONS, EVENTS, SAMPLES, topic

log = logging.getLogger(__name__)

MOST_WAITING = 8_192
"""Samples and events that may wait: seconds of traffic; beyond it they are dropped and counted."""

BATCH = 256
"""Most samples in one record."""

MOST_BYTES = 128 * 1024 * 1024
"""Bytes of tensors that may wait: images fill the memory long before their number is large."""

MOST_ROWS = 1 << 18
"""Rows after which a record is closed, and most of one request that is kept: comparing more at once would hold up
everybody else's."""

BATCH_BYTES = 8 * 1024 * 1024
"""A record is closed when its tensors have so many bytes, so that it is small beside what a topic may hold."""

TRAFFIC_EVERY = 5.0
"""Seconds between two notes of how much was kept."""

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
        self._counting = threading.Lock()
        self._bytes = 0
        self._kept: Counter[str] = Counter()
        self._since: dict[str, float] = {}
        self._told = time.monotonic()
        self._waiting: deque[tuple[Sample | Event, int]] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def offer(self, sample: Sample) -> bool:
        """Keep a sample for the shadow; False, and counted, when it is too large or too many wait already."""
        if len(sample.member) > MOST_ROWS:
            self._dropped(sample.model, "too_many_rows")
            return False
        size = _bytes(sample)
        with self._counting:
            fits = len(self._waiting) < self._limit and self._bytes + size <= MOST_BYTES
            if fits:
                self._bytes += size
                self._waiting.append((sample, size))
        if not fits:
            self._dropped(sample.model, "buffer_full")
            return False
        if not self._wake.is_set():  # it costs more to set than to look at
            self._wake.set()
        return True

    def note(self, event: Event) -> None:
        """Keep an event for the audit trail. Events are few: they are never dropped for samples' sake."""
        self._waiting.append((event, 0))
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
            if self._kept and time.monotonic() - self._told > TRAFFIC_EVERY:
                self._tell()

    def _tell(self) -> None:
        """Say how much was kept, so that somebody notices when no comparison of it arrives."""
        for model, kept in self._kept.items():
            self._send(COMPARISONS, wire.encode_traffic(Traffic(model, time.time(), kept, self._since[model])), model)
        self._kept.clear()
        self._since.clear()
        self._told = time.monotonic()

    def _take(self) -> list[Sample | Event]:
        items: list[Sample | Event] = []
        size = rows = 0
        while self._waiting and len(items) < BATCH and size < BATCH_BYTES and rows < MOST_ROWS:
            item, bytes_ = self._waiting.popleft()
            items.append(item)
            size += bytes_
            rows += len(item.member) if isinstance(item, Sample) else 0
        with self._counting:
            self._bytes -= size
        return items

    def _publish(self, items: list[Sample | Event]) -> None:
        """One record for samples of one kind, one for each event."""
        alike: dict[tuple[object, ...], list[Sample]] = {}
        for item in items:
            if isinstance(item, Sample):
                alike.setdefault(item.kind, []).append(item)
        for samples in alike.values():
            model, oldest = samples[0].model, min([sample.time for sample in samples])
            self._kept[model] += len(samples)
            self._since[model] = min(oldest, self._since.get(model, oldest))
            self._send_samples(samples)
        for event in items:
            if isinstance(event, Event):
                self._send(EVENTS, wire.encode_event(event), event.model)

    def _send_samples(self, samples: list[Sample]) -> None:
        """As one record; where that is too large for the bus each alone, and what is too large alone is dropped."""
        try:
            self._send(SAMPLES, wire.encode_samples(Samples.of(samples)))
        except RecordTooLargeError:
            if len(samples) == 1:
                self._dropped(samples[0].model, "too_large")
                return
            for sample in samples:
                self._send_samples([sample])

    def _send(self, name: str, value: bytes, key: str | None = None) -> None:
        """A full bus makes this thread wait, the buffer fill, and `offer` drop: the request path notices nothing."""
        if not insist(self._bus, topic(name), value, key, self._stopping):
            log.warning("stopped while the bus was full: a record for %s was not published", name)


def _bytes(sample: Sample) -> int:
    """What a sample's tensors hold of the memory, near enough."""
    size = sample.member.nbytes
    for tensors in (sample.inputs, sample.outputs):
        for tensor in tensors.values():
            size += tensor.nbytes + (sum(map(len, tensor.ravel().tolist())) if tensor.dtype.hasobject else 0)
    return size
