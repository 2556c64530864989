"""Spans wait in a bounded queue: nothing on the request path waits for a collector, and what is lost is counted."""

import threading
from collections import Counter
from collections.abc import Sequence

import pytest

from tightrope.service.adapters.telemetry.span_queue import EXPORT_FAILED, MAX_BATCH, QUEUE_FULL, SpanNote, SpanQueue

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """Takes spans once it is ``free``, or refuses them."""

    def __init__(self, *, takes: bool | Exception = True) -> None:
        self.takes = takes
        self.free, self.asked = threading.Event(), threading.Event()
        self.free.set()
        self.batches: list[list[SpanNote]] = []
        self.is_closed = False

    def export(self, notes: Sequence[SpanNote]) -> bool:
        """Take a batch."""
        self.asked.set()
        self.free.wait(30)
        if isinstance(self.takes, Exception):
            raise self.takes
        self.batches.append(list(notes))
        return self.takes

    def close(self) -> None:
        """Free what waits."""
        self.is_closed = True
        self.free.set()


class Counts(Counter[str]):
    """The metrics of spans."""

    def record_spans(self, exported: int) -> None:
        """Count spans that were taken."""
        self["exported"] += exported

    def record_spans_dropped(self, reason: str, spans: int) -> None:
        """Count spans that were not."""
        self[reason] += spans


def test_parent_decides_whether_there_is_a_span() -> None:
    """A request without a trace begins one by the share of these alone."""
    queue = SpanQueue(collector := Collector(), counts := Counts(), clock=lambda: 7)
    queue.note("m", "ok", 0.5, TRACE, PARENT, sampled=True)
    queue.note("m", "ok", 0.5, TRACE, PARENT, sampled=False)
    queue.note("m", "ok", 0.5)
    queue.export_waiting()
    assert collector.batches == [[SpanNote("m", "ok", 7, 0.5, TRACE, PARENT)]]
    assert counts == {"exported": 1}
    every = SpanQueue(collector, counts, root_share=1.0)
    every.note("m", "ok", 0.5, TRACE, PARENT, sampled=False)
    every.note("m", "ok", 0.5)
    assert every.waiting == 1


def test_full_queue_drops_and_counts() -> None:
    """The newest spans: those that wait have come first."""
    queue = SpanQueue(collector := Collector(), counts := Counts(), root_share=1.0, max_queued=3)
    for index in range(5):
        queue.note(f"m{index}", "ok", 0.0)
    assert (queue.waiting, counts) == (3, {QUEUE_FULL: 2})
    queue.export_waiting()
    assert [note.model for note in collector.batches[0]] == ["m0", "m1", "m2"]


def test_request_does_not_wait_for_a_hanging_collector() -> None:
    """While an export hangs, requests are noted, then dropped; the end of the process does not wait either."""
    collector, counts = Collector(), Counts()
    collector.free.clear()
    queue = SpanQueue(collector, counts, root_share=1.0, max_queued=MAX_BATCH)
    queue.start()
    for _ in range(MAX_BATCH):
        queue.note("m", "ok", 0.0)
    assert collector.asked.wait(30)
    for _ in range(MAX_BATCH + 3):
        queue.note("m", "ok", 0.0)
    assert (queue.waiting, counts[QUEUE_FULL]) == (MAX_BATCH, 3)
    queue.stop(timeout=0.01)
    assert collector.is_closed


@pytest.mark.parametrize("takes", [False, ValueError("no")])
def test_what_a_collector_does_not_take_is_counted_once(
    caplog: pytest.LogCaptureFixture, *, takes: bool | Exception
) -> None:
    """One warning a minute, however many batches are lost."""
    queue = SpanQueue(Collector(takes=takes), counts := Counts(), root_share=1.0)
    for _ in range(3):
        queue.note("m", "ok", 0.0)
        queue.export_waiting()
    assert counts == {EXPORT_FAILED: 3}
    assert [text for text in caplog.messages if "spans are lost" in text] == [
        "telemetry: 1 spans are lost: the collector did not take them"
    ]


def test_end_exports_what_waits() -> None:
    """In batches of a bounded size."""
    queue = SpanQueue(collector := Collector(), counts := Counts(), root_share=1.0)
    for _ in range(MAX_BATCH + 1):
        queue.note("m", "ok", 0.0)
    queue.start()
    queue.stop(timeout=30)
    assert sum(map(len, collector.batches)) == counts["exported"] == MAX_BATCH + 1
    assert max(map(len, collector.batches)) == MAX_BATCH
