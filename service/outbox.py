"""From the request path to the bus without waiting: a bounded buffer, one publishing thread, counted drops."""

import logging
import threading
import time
from collections import Counter, deque
from typing import Protocol, TypeAlias

import numpy as np

from tightrope.monitors.records import Event, Sample, Traffic
from tightrope.monitors.sample_batch import Samples, kind_of
from tightrope.service.adapters.ports import Bus, RecordTooLargeError, insist
from tightrope.service.adapters.topics import COMPARISONS, EVENTS, SAMPLES, topic
from tightrope.service.adapters.wire import record_codec

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

LINGER = 0.1
"""Seconds to collect samples before they are published: everything behind works in batches, and costs the less. The
Kafka client takes 1.4 ms of the interpreter for a record, however small.
"""


Item: TypeAlias = Sample | Samples | Event


class Drops(Protocol):
    """Told of every sample that could not be kept, by model and reason."""

    def __call__(self, model: str, reason: str, samples: int = 1) -> None:
        """Count so many."""


class Outbox:
    """`offer` and `note` never block; `start` and `stop` belong to whoever runs the gateway."""

    def __init__(self, bus: Bus, dropped: Drops, limit: int = MOST_WAITING) -> None:
        self._bus = bus
        self._dropped = dropped
        self._limit = limit
        self._counting = threading.Lock()
        self._samples = self._bytes = 0
        self._kept: Counter[str] = Counter()
        self._since: dict[str, float] = {}
        self._told = time.monotonic()
        self._waiting: deque[tuple[Item, int, int]] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def offer(self, kept: Sample | Samples) -> int:
        """Keep samples for the shadow; how many are kept: none, and all counted, when they are too large or too many
        wait already.
        """
        samples, size = len(kept) if isinstance(kept, Samples) else 1, _bytes(kept)
        if len(kept.member) > MOST_ROWS:
            self._dropped(kept.model, "too_many_rows", samples)
            return 0
        with self._counting:
            fits = self._samples + samples <= self._limit and self._bytes + size <= MOST_BYTES
            if fits:
                self._samples += samples
                self._bytes += size
                self._waiting.append((kept, samples, size))
        if not fits:
            self._dropped(kept.model, "buffer_full", samples)
            return 0
        if not self._wake.is_set():  # it costs more to set than to look at
            self._wake.set()
        return samples

    def note(self, event: Event) -> None:
        """Keep an event for the audit trail. Events are few: they are never dropped for samples' sake."""
        self._waiting.append((event, 0, 0))
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
            self._send(
                COMPARISONS, record_codec.encode_traffic(Traffic(model, time.time(), kept, self._since[model])), model
            )
        self._kept.clear()
        self._since.clear()
        self._told = time.monotonic()

    def _take(self) -> list[Item]:
        items: list[Item] = []
        samples = size = rows = 0
        while self._waiting and samples < BATCH and size < BATCH_BYTES and rows < MOST_ROWS:
            item, count, bytes_ = self._waiting.popleft()
            items.append(item)
            samples += count
            size += bytes_
            rows += 0 if isinstance(item, Event) else len(item.member)
        with self._counting:
            self._samples -= samples
            self._bytes -= size
        return items

    def _publish(self, items: list[Item]) -> None:
        """One record for samples of one kind, one for each event."""
        alike: dict[tuple[object, ...], list[Sample | Samples]] = {}
        for item in items:
            if not isinstance(item, Event):
                alike.setdefault(kind_of(item), []).append(item)
        for parts in alike.values():
            samples = Samples.joined(parts)
            model, oldest = samples.model, float(samples.time.min())
            self._kept[model] += len(samples)
            self._since[model] = min(oldest, self._since.get(model, oldest))
            self._send_samples(samples)
        for event in items:
            if isinstance(event, Event):
                self._send(EVENTS, record_codec.encode_event(event), event.model)

    def _send_samples(self, samples: Samples) -> None:
        """As one record; where that is too large for the bus each alone, and what is too large alone is dropped."""
        try:
            self._send(SAMPLES, record_codec.encode_samples(samples))
        except RecordTooLargeError:
            if len(samples) == 1:
                self._dropped(samples.model, "too_large")
                return
            for chosen in np.eye(len(samples), dtype=bool):
                self._send_samples(samples.take(chosen))

    def _send(self, name: str, value: bytes, key: str | None = None) -> None:
        """A full bus makes this thread wait, the buffer fill, and `offer` drop: the request path notices nothing."""
        if not insist(self._bus, topic(name), value, key, self._stopping):
            log.warning("stopped while the bus was full: a record for %s was not published", name)


def _bytes(of: Sample | Samples) -> int:
    """What the tensors of samples hold of the memory, near enough."""
    size = of.member.nbytes
    for tensors in (of.inputs, of.outputs):
        for tensor in tensors.values():
            size += tensor.nbytes + (sum(map(len, tensor.ravel().tolist())) if tensor.dtype.hasobject else 0)
    return size
