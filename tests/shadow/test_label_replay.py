"""A judge that takes over with an empty store restores its pending rows and labels, and counts nothing twice."""

from collections.abc import Iterator
from dataclasses import replace
from threading import Event as Flag
from unittest.mock import patch

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from tests.support.judgement.comparisons import RowSource, bit_exact, open_tick_rows
from tests.support.judgement.labelled_judge import HORIZON, NOW, batches, labelled, truths
from tightrope.monitors.label_records import Label
from tightrope.monitors.plan import State
from tightrope.monitors.records import Comparisons, Stream
from tightrope.service.adapters.kafka import snapshot_store
from tightrope.service.adapters.kafka.snapshot_store import SnapshotStore
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, LABELS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow import judge as module
from tightrope.shadow.judge import Judge
from tightrope.shadow.judgement_view import JudgementView


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Stop the judge's clock, and write each snapshot at once."""
    with patch.object(module.time, "time", lambda: NOW), patch.object(snapshot_store, "SNAPSHOT_INTERVAL_SECONDS", 0.0):
        yield


class Judges:
    """Judges on one bus, one after the other, each with a store of its own."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.bus.subscribe(topic(COMPARISONS), topic(LABELS), group="so that all of it is kept")
        self.plan = labelled()
        self.next()

    def next(self, *, same_process: bool = False) -> None:
        """Replace the judge by a new one with an empty store, or begin again in the same process with its store."""
        self.view = JudgementView({"m": self.plan})
        self.store = self.store if same_process else SnapshotStore(self.bus)
        metrics, topics = Metrics(CollectorRegistry()), (COMPARISONS, LABELS, CONTROL)
        self.judge = Judge(self.bus, self.store, self.view, metrics, "a processor", Flag(), topics=topics)

    def rows(self, *given: Comparisons) -> None:
        """Publish comparisons, and judge them."""
        for one in given:
            self.bus.publish(topic(COMPARISONS), record_codec.encode_comparisons(one), "m")
        self.drain()

    def labels(self, *given: Label) -> None:
        """Publish labels, and judge them."""
        self.bus.publish(topic(LABELS), record_codec.encode_labels(given), "m")
        self.drain()

    def drain(self) -> None:
        """Step until no new records are left; the replay may still be under way."""
        while self.judge.step(0):
            pass

    def finish_replay(self) -> None:
        """Step until the replay is complete."""
        for _ in range(10):
            self.judge.step(0)

    @property
    def counts(self) -> dict[str, int]:
        """The label counts that are not zero."""
        return {name: count for name, count in self.state.labels.items() if count}

    @property
    def state(self) -> State:
        """The state of model ``m``."""
        return self.view.states["m"]


def test_labels_are_joined_with_rows_of_the_previous_judge() -> None:
    """Labels that waited at the change of judges are joined, too; the state equals that of a single judge."""
    rows = batches(8)
    endings = []
    for dies in (False, True):
        harness = Judges()
        harness.rows(*rows[:4])
        harness.labels(*truths(rows[0]), *truths(rows[5]))
        if dies:
            harness.next()
            harness.finish_replay()
        harness.labels(*truths(rows[1]), *truths(rows[2]))
        harness.rows(*rows[4:])
        harness.labels(*truths(rows[6]))
        endings.append(harness.state)
        assert harness.counts == {"joined": 50}
        assert harness.state.seen[Stream.LABELS] + len(open_tick_rows(harness.state, Stream.LABELS)) == 50
    assert bit_exact(endings[0]) == bit_exact(endings[1])


def test_label_that_was_counted_is_not_counted_again() -> None:
    """A replayed label is not counted; a label that is sent again is a duplicate."""
    rows = batches(2)
    harness = Judges()
    harness.rows(*rows)
    harness.labels(*truths(rows[0]))
    harness.next()
    harness.labels(*truths(rows[0], truth=1))
    harness.finish_replay()
    harness.labels(*truths(rows[0])[:3])
    assert harness.counts == {"joined": 10, "duplicate": 13}


def test_label_that_arrives_during_the_replay_finds_its_row() -> None:
    """New records are judged while the replay is under way."""
    rows = batches(3)
    harness = Judges()
    harness.rows(*rows[:2])
    harness.next()
    harness.bus.publish(topic(LABELS), record_codec.encode_labels(truths(rows[1])), "m")
    harness.bus.publish(topic(COMPARISONS), record_codec.encode_comparisons(rows[2]), "m")
    harness.drain()
    harness.finish_replay()
    assert harness.counts == {"joined": 10}


def test_labels_of_drawn_disagreements_count_after_the_judge_began_again() -> None:
    """As they would have without that. Another process has not counted the rows before them: they are undrawn there."""
    rows = RowSource(time=NOW - 1000).rows(40, disagree=np.arange(40) % 4 == 0)
    drawn = [
        replace(label, probability=1.0) for label, differs in zip(truths(rows), rows.disagree, strict=True) if differs
    ]
    endings, counts = [], []
    for begins_again in ((), (True,), (False,)):
        harness = Judges()
        harness.rows(rows)
        for same_process in begins_again:
            harness.next(same_process=same_process)
            harness.finish_replay()
        harness.labels(*drawn)
        endings.append(harness.state)
        counts.append(harness.counts)
    assert counts == [{"joined": 10}, {"joined": 10}, {"joined": 10, "undrawn": 10}]
    assert bit_exact(endings[0]) == bit_exact(endings[1])


def test_rows_beyond_the_horizon_are_not_restored() -> None:
    """They have expired, so no label is joined with them; labels of younger rows are joined."""
    old = RowSource(time=NOW - HORIZON - 1000).rows(10, top_compressed=np.zeros(10, dtype=int), partition=1)
    harness = Judges()
    harness.rows(old, *batches(1))
    harness.labels(*truths(old))
    before = harness.counts
    assert "joined" not in before
    harness.next()
    harness.finish_replay()
    assert harness.counts == before
    harness.labels(*truths(batches(1)[0]))
    assert harness.counts == {**before, "joined": 10}


def test_label_without_a_signature_is_not_restored() -> None:
    """One with a probability that the bus no longer takes as genuine: its row waits for another."""
    rows = batches(1)
    harness = Judges()
    harness.rows(*rows)
    drawn = [replace(label, probability=1.0) for label in truths(rows[0])[:1]]
    harness.labels(*drawn)
    past = MemoryBus.replay

    def foreign(bus: MemoryBus, name: str, partition: int, since: float, until: int) -> Iterator[list[Record]]:
        for batch in past(bus, name, partition, since, until):
            yield [record._replace(genuine=name != topic(LABELS)) for record in batch]

    with patch.object(MemoryBus, "replay", foreign):
        harness.next()
        harness.finish_replay()
    harness.labels(*drawn)
    assert (harness.counts["joined"], harness.counts.get("duplicate", 0)) == (2, 0)


def test_garbage_is_skipped_in_the_replay() -> None:
    """The previous judge skipped it, too."""
    rows = batches(2)
    harness = Judges()
    harness.bus.publish(topic(COMPARISONS), b"garbage", "m")
    harness.bus.publish(topic(LABELS), b"garbage", "m")
    harness.rows(*rows)
    harness.next()
    harness.finish_replay()
    harness.labels(*truths(rows[1]))
    assert harness.counts == {"joined": 10}
