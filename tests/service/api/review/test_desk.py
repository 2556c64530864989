"""The desk: answers become labels once they cannot be taken back, each row once, with the probability of its draw."""

from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from tests.support.judgement.review_rows import review_row
from tightrope.monitors.label_records import Label
from tightrope.monitors.review.opinions import Opinion
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import BusFullError
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.review.label_outbox import LabelOutbox
from tightrope.service.adapters.sqlite.review_table import ReviewTable
from tightrope.service.adapters.topics import LABELS, topic
from tightrope.service.adapters.wire.record_codec import decode_labels
from tightrope.service.api.review.desk import UNDO_SECONDS, ReviewDesk, ReviewedDecision, reviewer_digest
from tightrope.service.errors import ConflictError, UnknownModelError

ANA, BO = reviewer_digest("ana"), reviewer_digest("bo")
HORIZON, KEEP = 1000.0, 5000.0


class Desk:
    """A desk with its bus, and a clock that the test sets."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.bus, self.table = MemoryBus(), ReviewTable(folder / "review.db")
        decision = ReviewedDecision({"t-ana": "ana", "t-bo": "bo"}, ("no", "yes"), HORIZON, KEEP)
        self.metrics = Metrics(CollectorRegistry())
        self.desk = ReviewDesk(
            self.table, LabelOutbox(self.table, self.bus), {"m": decision}, self.metrics, lambda: self.now
        )
        self.read = self.bus.subscribe(topic(LABELS))

    def add(self, *names: str, wanted: int = 1, probability: float = 0.5) -> None:
        """Add rows on which the models say 0 and 1."""
        rows = [review_row(n, row=2, time=self.now, probability=probability, wanted=wanted) for n in names]
        self.table.add(rows, 99)

    def labels(self) -> list[Label]:
        """The labels that were published since the last call."""
        return [label for record in self.read.poll(100, 0) for label in decode_labels(record.value)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk without rows."""
    return Desk(tmp_path)


def test_answer_becomes_a_label_with_the_next_one(desk: Desk) -> None:
    """It has the request's id and row, the probability of the draw, and the reviewer's digest as its source."""
    desk.add("1", "2")
    assert desk.desk.answer("m", ANA, "1", Opinion.B, None, 3.0) == 1
    assert desk.labels() == []
    desk.desk.answer("m", ANA, "2", Opinion.UNKNOWN, None, 3.0)
    assert desk.labels() == [Label("m", "r-1", 2, 1, 0.0, f"review:{ANA}", 0.5)]


def test_last_answer_becomes_a_label_after_a_minute(desk: Desk) -> None:
    """Until then it can be taken back."""
    desk.add("1")
    desk.desk.answer("m", ANA, "1", Opinion.A, None, 3.0)
    desk.now = UNDO_SECONDS
    desk.desk.settle()
    assert desk.labels() == []
    desk.now = UNDO_SECONDS + 1
    desk.desk.settle()
    assert [label.label for label in desk.labels()] == [0]
    with pytest.raises(UnknownModelError, match="can be taken back"):
        desk.desk.take_back("m", ANA, "1")


def test_answer_that_was_taken_back_is_no_label(desk: Desk) -> None:
    """The row comes again."""
    desk.add("1")
    desk.desk.answer("m", ANA, "1", Opinion.A, None, 3.0)
    assert desk.desk.take_back("m", ANA, "1").id == "1"
    desk.now = 2 * UNDO_SECONDS
    desk.desk.settle()
    assert desk.labels() == []
    assert (again := desk.desk.next("m", ANA)) is not None
    assert again.id == "1"


def test_second_opinion_is_no_second_label(desk: Desk) -> None:
    """It counts for the agreement alone."""
    desk.add("1", wanted=2)
    desk.desk.answer("m", ANA, "1", Opinion.A, None, 3.0)
    desk.now = 2 * UNDO_SECONDS
    desk.desk.settle()
    desk.desk.answer("m", BO, "1", Opinion.B, None, 3.0)
    desk.now = 4 * UNDO_SECONDS
    desk.desk.settle()
    assert [label.label for label in desk.labels()] == [0]
    assert desk.desk.agreement("m").rows == 1
    assert desk.desk.agreement("m").share == 0


def test_full_bus_loses_no_label(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is published when there is room again."""
    desk.add("1")
    desk.desk.answer("m", ANA, "1", Opinion.A, None, 3.0)
    desk.now = 2 * UNDO_SECONDS
    with monkeypatch.context() as full:

        def refuse(*_: object) -> None:
            raise BusFullError("full")

        full.setattr(desk.bus, "publish", refuse)
        desk.desk.settle()
    assert desk.labels() == []
    desk.desk.settle()
    assert [label.request_id for label in desk.labels()] == ["r-1"]


def test_final_answer_and_unknown_row_are_refused(desk: Desk) -> None:
    """With the reason."""
    desk.add("1", wanted=2)
    desk.desk.answer("m", ANA, "1", Opinion.A, None, 3.0)
    desk.now = 2 * UNDO_SECONDS
    desk.desk.settle()
    with pytest.raises(ConflictError, match="final"):
        desk.desk.answer("m", ANA, "1", Opinion.B, None, 3.0)
    with pytest.raises(UnknownModelError, match="no row"):
        desk.desk.answer("m", ANA, "nope", Opinion.B, None, 3.0)
    with pytest.raises(UnknownModelError, match=r"models\.other\.review"):
        desk.desk.reviewer("other", "t-ana")


def test_row_that_waited_too_long_is_forgotten(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """The judge has given it up, too; the log says how many."""
    desk.add("1")
    desk.now = HORIZON + 1
    desk.desk.settle()
    assert desk.desk.next("m", ANA) is None
    assert "1 rows were not reviewed in time" in caplog.text


def test_each_reviewer_has_a_token(desk: Desk) -> None:
    """Another token belongs to none."""
    assert (desk.desk.reviewer("m", "t-ana"), desk.desk.reviewer("m", "t-bo")) == (ANA, BO)
    assert desk.desk.reviewer("m", "t-eve") is None


def test_labels_of_a_review_estimate_the_truth(desk: Desk) -> None:
    """With the probability of the draw as weight they give the share of right answers: 30 % among 4,000 rows."""
    rng = np.random.default_rng(5)
    right, first = rng.random(4000) < 0.3, rng.random(4000) < 0.5
    drawn = np.flatnonzero(rng.random(4000) < 0.25).tolist()
    rows = [review_row(str(i), a=int(first[i]), b=1 - int(first[i]), probability=0.25) for i in drawn]
    desk.table.add(rows, len(rows))
    while row := desk.desk.next("m", ANA):
        truth = int(right[int(row.id)])
        desk.desk.answer("m", ANA, row.id, Opinion.A if row.a == truth else Opinion.B, None, 1.0)
    desk.now = 2 * UNDO_SECONDS
    desk.desk.settle()
    found = []
    while labels := desk.labels():
        found += labels
    assert len(found) == len(drawn)
    assert sum(label.label / label.probability for label in found) / 4000 == pytest.approx(0.3, abs=0.03)
