"""Carries samples and events from the request path to the bus without blocking: a bounded buffer, one publishing
thread, and counters of what is dropped.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np

from tightrope.monitors.intake.sample_batch import SampleBatch, batch_key
from tightrope.monitors.records import Event, Ints, Sample, Traffic
from tightrope.service.adapters.ports import Bus, RecordTooLargeError, publish_blocking
from tightrope.service.adapters.topics import COMPARISONS, EVENTS, SAMPLES, topic
from tightrope.service.adapters.wire import record_codec

log = logging.getLogger(__name__)

MAX_WAITING_SAMPLES = 8_192
"""Samples in the buffer, seconds of traffic; further samples are dropped and counted."""

MAX_WAITING_BYTES = 128 * 1024 * 1024
"""Bytes of tensors in the buffer: images fill the memory long before their number is large."""

MAX_RECORD_SAMPLES = 256

MAX_RECORD_ROWS = 1 << 18
"""Rows after which a record is closed, and the maximum of a sampled request: a worker compares a record in one go, and
larger ones would delay all other requests.
"""

RECORD_TARGET_BYTES = 8 * 1024 * 1024
"""Bytes of tensors after which a record is closed: well below the record size that a topic accepts."""

TRAFFIC_SECONDS = 5.0
"""Interval of the records that report how many samples were published."""

LINGER_SECONDS = 0.1
"""Time to collect samples before they are published: larger records cost less everywhere behind the outbox. The Kafka
client alone takes 1.4 ms of the interpreter for each record, however small.
"""

OutboxItem: TypeAlias = Sample | SampleBatch | Event


class DropCounter(Protocol):
    """Counts the samples that could not be kept, by model and reason."""

    def __call__(self, model: str, reason: str, samples: int = 1) -> None:
        """Add ``samples`` to the count."""


class Outbox:
    """`offer` and `add_event` never block; the gateway's `start` and `stop` control the publishing thread.

    ``drawn`` counts each model's samples that the draw chose, also the dropped ones, ``drawn_rows`` their rows
    and ``drawn_by_scope`` those by subgroup (n,); all only grow. ``plan_of`` gives the coverage of a model's plan,
    ``on_event`` is told each event, in the thread that adds it.
    """

    def __init__(
        self,
        bus: Bus,
        dropped: DropCounter,
        limit: int = MAX_WAITING_SAMPLES,
        plan_of: Callable[[str], str | None] = lambda _: None,
        on_event: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self._bus = bus
        self.encode_event: Callable[[Event], bytes] = record_codec.encode_event
        self._plan_of = plan_of
        self._on_event = on_event
        self._dropped = dropped
        self._limit = limit
        self._counting = threading.Lock()
        self._samples = self._bytes = 0
        self.drawn: Counter[str] = Counter()
        self.drawn_rows: Counter[str] = Counter()
        self.drawn_by_scope: dict[str, Ints] = {}
        self._kept: Counter[str] = Counter()
        self._oldest: dict[str, float] = {}
        self._traffic_sent = time.monotonic()
        self._waiting: deque[tuple[OutboxItem, int, int]] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def offer(self, item: Sample | SampleBatch) -> int:
        """Buffer samples for the shadow. Returns how many were accepted: all, or none if they are too large or the
        buffer is full; rejected samples are counted.
        """
        samples, size = len(item) if isinstance(item, SampleBatch) else 1, _size_in_bytes(item)
        in_scopes: Ints = item.member.sum(axis=0)
        self.add_drawn(item.model, samples)
        with self._counting:
            self.drawn_rows[item.model] += len(item.member)
            self.drawn_by_scope[item.model] = in_scopes + self.drawn_by_scope.get(item.model, 0)
        if len(item.member) > MAX_RECORD_ROWS:
            self._dropped(item.model, "too_many_rows", samples)
            return 0
        with self._counting:
            fits = self._samples + samples <= self._limit and self._bytes + size <= MAX_WAITING_BYTES
            if fits:
                self._samples += samples
                self._bytes += size
                self._waiting.append((item, samples, size))
        if not fits:
            self._dropped(item.model, "buffer_full", samples)
            return 0
        if not self._wake.is_set():  # setting costs more than checking
            self._wake.set()
        return samples

    def add_drawn(self, model: str, samples: int) -> None:
        """Count samples that the draw chose; the event loop and a scrape may both do so."""
        with self._counting:
            self.drawn[model] += samples

    def add_event(self, event: Event) -> None:
        """Buffer an event for the audit trail. Events are few, and not subject to the limits of samples."""
        self._waiting.append((event, 0, 0))
        self._wake.set()
        self._on_event(event)

    def start(self) -> None:
        """Start publishing."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Publish the buffer, then end. Returns False if that takes longer than ``timeout`` seconds."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not (self._stopping.is_set() and not self._waiting):
            self._wake.wait(0.5)
            self._stopping.wait(LINGER_SECONDS)
            self._wake.clear()
            while self._waiting:
                self._publish(self._next_items())
            if self._kept and time.monotonic() - self._traffic_sent > TRAFFIC_SECONDS:
                self._publish_traffic()

    def _publish_traffic(self) -> None:
        """Report how many samples were published, so that judges notice when their comparisons do not arrive."""
        for model, kept in self._kept.items():
            traffic = Traffic(model, time.time(), kept, self._oldest[model], self._plan_of(model) or "")
            self._send(COMPARISONS, record_codec.encode_traffic(traffic), model)
        self._kept.clear()
        self._oldest.clear()
        self._traffic_sent = time.monotonic()

    def _next_items(self) -> list[OutboxItem]:
        """Take items off the buffer, up to the limits of a record."""
        items: list[OutboxItem] = []
        samples = size = rows = 0
        while self._waiting and samples < MAX_RECORD_SAMPLES and size < RECORD_TARGET_BYTES and rows < MAX_RECORD_ROWS:
            item, count, item_size = self._waiting.popleft()
            items.append(item)
            samples += count
            size += item_size
            rows += 0 if isinstance(item, Event) else len(item.member)
        with self._counting:
            self._samples -= samples
            self._bytes -= size
        return items

    def _publish(self, items: list[OutboxItem]) -> None:
        """Publish one record for each group of samples that can be batched, and one for each event."""
        groups: dict[tuple[object, ...], list[Sample | SampleBatch]] = {}
        for item in items:
            if not isinstance(item, Event):
                groups.setdefault(batch_key(item), []).append(item)
        for parts in groups.values():
            batch = SampleBatch.concatenate(parts)
            model, oldest = batch.model, float(batch.time.min())
            self._kept[model] += len(batch)
            self._oldest[model] = min(oldest, self._oldest.get(model, oldest))
            self._send_samples(batch)
        for item in items:
            if isinstance(item, Event):
                self._send(EVENTS, self.encode_event(item), item.model)

    def _send_samples(self, batch: SampleBatch) -> None:
        """Publish samples in one record, or in one each if that is too large for the bus; a single sample that is too
        large is dropped.
        """
        try:
            self._send(SAMPLES, record_codec.encode_samples(batch))
        except RecordTooLargeError:
            if len(batch) == 1:
                self._dropped(batch.model, "too_large")
                return
            for chosen in np.eye(len(batch), dtype=bool):
                self._send_samples(batch.take(chosen))

    def _send(self, name: str, value: bytes, key: str | None = None) -> None:
        """Publish a record. While the bus is full this thread waits, the buffer fills up and `offer` drops samples."""
        if not publish_blocking(self._bus, topic(name), value, key, self._stopping):
            fields = {"event": "record-lost"}
            text = "stopped while the bus was full: a record for %s was not published"
            log.warning(text, name, extra={"fields": fields})


def _size_in_bytes(item: Sample | SampleBatch) -> int:
    """The approximate memory of an item's tensors."""
    size = item.member.nbytes
    for tensors in (item.inputs, item.outputs):
        for tensor in tensors.values():
            size += tensor.nbytes + (sum(map(len, tensor.ravel().tolist())) if tensor.dtype.hasobject else 0)
    return size
