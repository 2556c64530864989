"""A judge that takes over without the first one's memory knows the same of labels: from the log, and counts nothing
twice.
"""

from collections.abc import Iterator
from threading import Event as Flag
from unittest.mock import patch

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from tests.support.judgement.comparisons import Traffic, bits, waiting
from tests.support.judgement.labelled_judge import HORIZON, NOW, batches, labelled, truths
from tightrope.monitors.plan import State
from tightrope.monitors.records import Comparisons, Label, Stream
from tightrope.service.adapters.kafka import snapshot_store
from tightrope.service.adapters.kafka.snapshot_store import SnapshotStore
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, LABELS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow import judge as module
from tightrope.shadow.judge import Bench, Judge


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """The judge's clock stands still, and no snapshot is put off."""
    with patch.object(module.time, "time", lambda: NOW), patch.object(snapshot_store, "EVERY", 0.0):
        yield


class Judges:
    """Judges on one bus, one after the other, each with a memory of its own."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.bus.subscribe(topic(COMPARISONS), topic(LABELS), group="so that all of it is kept")
        self.plan = labelled()
        self.next()

    def next(self) -> None:
        """The one before is gone, with all that it had in memory."""
        self.bench = Bench({"m": self.plan})
        store, metrics = SnapshotStore(self.bus), Metrics(CollectorRegistry())
        topics = (COMPARISONS, LABELS, CONTROL)
        self.judge = Judge(self.bus, store, self.bench, metrics, "a processor", Flag(), topics=topics)

    def rows(self, *given: Comparisons) -> None:
        """Comparisons arrive."""
        for one in given:
            self.bus.publish(topic(COMPARISONS), record_codec.encode_comparisons(one), "m")
        self.drain()

    def labels(self, *given: Label) -> None:
        """Labels arrive."""
        self.bus.publish(topic(LABELS), record_codec.encode_labels(given), "m")
        self.drain()

    def drain(self) -> None:
        """Until nothing is left to be judged; what is remembered takes its time."""
        while self.judge.step(0):
            pass

    def remember(self) -> None:
        """All of it."""
        for _ in range(10):
            self.judge.step(0)

    @property
    def counts(self) -> dict[str, int]:
        """What became of labels."""
        return {name: count for name, count in self.state.labels.items() if count}

    @property
    def state(self) -> State:
        """Of the judgement."""
        return self.bench.states["m"]


def test_labels_of_rows_that_another_judge_compared_are_joined() -> None:
    """And those that waited when it went, once their rows come; evidence and counts are those of a judge that lives."""
    rows = batches(8)
    endings = []
    for dies in (False, True):
        court = Judges()
        court.rows(*rows[:4])
        court.labels(*truths(rows[0]), *truths(rows[5]))
        if dies:
            court.next()
            court.remember()
        court.labels(*truths(rows[1]), *truths(rows[2]))
        court.rows(*rows[4:])
        court.labels(*truths(rows[6]))
        endings.append(court.state)
        assert court.counts == {"joined": 50}
        assert court.state.seen[Stream.LABELS] + len(waiting(court.state, Stream.LABELS)) == 50
    assert bits(endings[0]) == bits(endings[1])


def test_label_that_was_counted_is_not_counted_again() -> None:
    """Neither when it is read again, nor when it is told again: it came twice."""
    rows = batches(2)
    court = Judges()
    court.rows(*rows)
    court.labels(*truths(rows[0]))
    court.next()
    court.labels(*truths(rows[0], truth=1))
    court.remember()
    court.labels(*truths(rows[0])[:3])
    assert court.counts == {"joined": 10, "duplicate": 13}


def test_label_that_comes_before_its_row_is_remembered_finds_it() -> None:
    """While the past is read, work goes on."""
    rows = batches(3)
    court = Judges()
    court.rows(*rows[:2])
    court.next()
    court.bus.publish(topic(LABELS), record_codec.encode_labels(truths(rows[1])), "m")
    court.bus.publish(topic(COMPARISONS), record_codec.encode_comparisons(rows[2]), "m")
    court.drain()
    court.remember()
    assert court.counts == {"joined": 10}


def test_what_is_older_than_the_horizon_is_left_alone() -> None:
    """Such rows were given up: no label finds them, before or after; those of younger rows are joined."""
    old = Traffic(time=NOW - HORIZON - 1000).rows(10, top_compressed=np.zeros(10, dtype=int), partition=1)
    court = Judges()
    court.rows(old, *batches(1))
    court.labels(*truths(old))
    before = court.counts
    assert "joined" not in before
    court.next()
    court.remember()
    assert court.counts == before
    court.labels(*truths(batches(1)[0]))
    assert court.counts == {**before, "joined": 10}


def test_garbage_in_the_past_is_passed_over() -> None:
    """As it was when it was new."""
    rows = batches(2)
    court = Judges()
    court.bus.publish(topic(COMPARISONS), b"garbage", "m")
    court.bus.publish(topic(LABELS), b"garbage", "m")
    court.rows(*rows)
    court.next()
    court.remember()
    court.labels(*truths(rows[1]))
    assert court.counts == {"joined": 10}
