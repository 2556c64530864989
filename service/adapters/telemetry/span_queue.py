"""The queue of spans: answered requests wait in it, and a thread exports them in batches.

How it works: `note` is called on the request path, after the response. It decides by the caller's trace whether there
is a span, and appends a tuple to a bounded queue, or counts a drop: it never waits. The thread wakes up every second,
or once a batch is full. What a collector does not take is counted and forgotten; a request is never told again.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

log = logging.getLogger(__name__)

MAX_QUEUED, MAX_BATCH = 4096, 512
"""Spans that wait at most, and spans of one export."""

EXPORT_SECONDS = 1.0
"""Longest time for which a span waits while a collector keeps up."""

WARNING_SECONDS = 60.0
"""Time between two warnings that spans are lost."""

QUEUE_FULL, EXPORT_FAILED = "queue_full", "export_failed"
"""Reasons for which a span is dropped."""


class SpanNote(NamedTuple):
    """An answered request: its ``model``, its ``outcome``, when it ended (ns since the epoch), and how long it took
    (s). ``trace_id`` and ``parent_id`` are hexadecimal and those of the caller's trace; empty where it begins one.
    """

    model: str
    outcome: str
    ended: int
    seconds: float
    trace_id: str
    parent_id: str


class SpanExporter(Protocol):
    """Sends spans to a collector."""

    def export(self, notes: Sequence[SpanNote]) -> bool:
        """Send spans, and wait for the collector. Returns whether it took them."""

    def close(self) -> None:
        """Give up what is under way."""


class SpanMetrics(Protocol):
    """Metrics of spans."""

    def record_spans(self, exported: int) -> None:
        """Count spans that a collector took."""

    def record_spans_dropped(self, reason: str, spans: int) -> None:
        """Count spans that no collector gets."""


class SpanQueue:
    """Notes requests whose caller's trace is sampled, and a ``root_share`` of those without a trace. ``clock`` gives
    nanoseconds since the epoch.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        metrics: SpanMetrics,
        root_share: float = 0.0,
        clock: Callable[[], int] = time.time_ns,
        max_queued: int = MAX_QUEUED,
    ) -> None:
        self._exporter = exporter
        self._metrics = metrics
        self._root_share = root_share
        self._clock = clock
        self._max_queued = max_queued
        self._waiting: deque[SpanNote] = deque()
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._warned = float("-inf")
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)

    @property
    def waiting(self) -> int:
        """Number of spans that wait."""
        return len(self._waiting)

    def note(
        self,
        model: str,
        outcome: str,
        seconds: float,
        trace_id: str = "",
        parent_id: str = "",
        *,
        sampled: bool = False,
    ) -> None:
        """Note an answered request. With a trace the caller's ``sampled`` decides, without one the ``root_share``."""
        if not sampled and (trace_id or random.random() >= self._root_share):  # noqa: S311 - no secret
            return
        if len(self._waiting) >= self._max_queued:
            self._metrics.record_spans_dropped(QUEUE_FULL, 1)
            return
        self._waiting.append(SpanNote(model, outcome, self._clock(), seconds, trace_id, parent_id))
        if len(self._waiting) >= MAX_BATCH and not self._wake.is_set():
            self._wake.set()

    def start(self) -> None:
        """Start to export."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Export what waits, for ``timeout`` seconds at most; then what is left is dropped."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._exporter.close()

    def export_waiting(self) -> None:
        """Export what waits, batch by batch."""
        while batch := [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]:
            if self._is_taken(batch):
                self._metrics.record_spans(len(batch))
                continue
            self._metrics.record_spans_dropped(EXPORT_FAILED, len(batch))
            if time.monotonic() - self._warned >= WARNING_SECONDS:
                self._warned = time.monotonic()
                log.warning("telemetry: %d spans are lost: the collector did not take them", len(batch))

    def _is_taken(self, batch: Sequence[SpanNote]) -> bool:
        try:
            return self._exporter.export(batch)
        except Exception:  # a span is never worth a thread
            log.exception("telemetry: spans could not be exported")
            return False

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(EXPORT_SECONDS)
            self._wake.clear()
            self.export_waiting()
        self.export_waiting()
