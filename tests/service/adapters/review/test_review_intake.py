"""A judge's drawn rows become rows to review with the inputs of their samples; the judge never waits for it."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from tests.service.adapters.review.test_sample_inputs import sample
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.label_records import PendingRow
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.service.adapters.ports import BusUnavailableError, PendingChanges
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.review import review_intake
from tightrope.service.adapters.review.review_intake import ReviewIntake
from tightrope.service.adapters.review.reviewed_model import ReviewedModel
from tightrope.service.adapters.review.row_presenter import RowPresenter
from tightrope.service.adapters.sqlite.review_table import ReviewRow, ReviewTable
from tightrope.service.adapters.wire.record_codec import encode_samples


def waiting_row(
    number: int, *, disagree: bool = True, agreed: tuple[int, ...] = (4,), joined: bool = False
) -> PendingRow:
    """Row ``number``, whose sample is at that offset of partition 1."""
    none = np.zeros(0, dtype=bool)
    answers = 0.9, 0.8, 0, int(disagree)
    row = f"r-{number}", 0, float(number), "d", none, 0.25, disagree, *answers
    return PendingRow(*row, joined=joined, agreed=agreed, partition=1, offset=number)


def record_of(partition: int, offset: int) -> bytes:
    """The record of the sample at an offset."""
    assert partition == 1
    return encode_samples(SampleBatch.from_samples([sample(f"r-{offset}", offset)]))


class Taking:
    """An intake of model ``m``; each of its disagreements is drawn."""

    def __init__(
        self, folder: Path, read: Callable[[int, int], bytes | None] = record_of, most: int = 99, random: float = 0.0
    ) -> None:
        self.metrics, self.table = Metrics(CollectorRegistry()), ReviewTable(folder / "review.db")
        models = {"m": ReviewedModel(LabelDraw(1.0, random), RowPresenter([]), 0.0, most)}
        self.intake = ReviewIntake(self.table, models, read, self.metrics)

    def take(self, *rows: PendingRow, **changes: object) -> list[str]:
        """Note rows, wait for the thread, and return the ids of all that wait."""
        held = {row.key: row for row in rows}
        self.intake.note({"m": PendingChanges(held=held, **changes), "other": PendingChanges(held=held)})  # type: ignore[arg-type]
        self.intake.start()
        self.intake.stop(30)
        return [row.request_id for row in self.rows()]

    def rows(self) -> list[ReviewRow]:
        """All rows that wait."""
        with self.table.transaction() as db:
            found = [name for (name,) in db.execute("SELECT id FROM rows ORDER BY time").fetchall()]
        return [row for name in found if (row := self.table.row("m", name))]

    @property
    def skipped(self) -> int:
        """The rows that were left out."""
        return self.metrics.total("review_skipped_rows", model="m")


def test_drawn_row_gets_the_input_of_its_sample(tmp_path: Path) -> None:
    """With the probability of its draw, and both answers; a row that was not drawn is not read."""
    taking = Taking(tmp_path)
    assert taking.take(waiting_row(3), waiting_row(4, disagree=False), waiting_row(5)) == ["r-3", "r-5"]
    first = taking.rows()[0]
    assert (first.probability, {first.a, first.b}, b'"value":"3"' in (first.document or b"")) == (1.0, {0, 1}, True)
    assert taking.skipped == 0


def test_row_without_a_sample_is_counted_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Retention has ended it, or another record is at its offset."""
    taking = Taking(tmp_path, lambda _, offset: None if offset == 3 else record_of(1, 77))
    assert taking.take(waiting_row(3), waiting_row(4)) == []
    assert taking.skipped == 2
    assert "m: 2 drawn rows are not kept for review: the samples topic does not have them any more" in caplog.text


def test_rows_beyond_the_most_that_wait_are_not_read(tmp_path: Path) -> None:
    """They are counted."""
    read: list[int] = []

    def remember(partition: int, offset: int) -> bytes:
        read.append(offset)
        return record_of(partition, offset)

    taking = Taking(tmp_path, remember, most=2)
    assert taking.take(*map(waiting_row, range(5))) == ["r-0", "r-1"]
    assert (read, taking.skipped) == ([0, 1], 3)


def test_restored_disagreement_is_not_asked_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its label would not count; one of the random sample that agrees would."""
    taking = Taking(tmp_path, random=1.0)
    restored = waiting_row(3, agreed=()), waiting_row(4, disagree=False, agreed=()), waiting_row(5, joined=True)
    assert taking.take(*restored) == ["r-4"]
    assert taking.skipped == 1
    assert "compared before this judge began" in caplog.text


def test_row_that_has_its_label_is_not_asked(tmp_path: Path) -> None:
    """Neither one that waited here, nor one that is new; its input is gone."""
    taking = Taking(tmp_path)
    taking.take(waiting_row(3))
    again = Taking(tmp_path)
    assert again.take(waiting_row(4), joined={("r-3", 0), ("r-4", 0)}) == []


def test_sample_is_read_when_the_bus_answers_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row waits meanwhile, and so do those behind it."""
    monkeypatch.setattr(review_intake, "LOOKUP_RETRY_SECONDS", 0.0)
    came_back, tried = threading.Event(), threading.Event()

    def read(partition: int, offset: int) -> bytes:
        if not came_back.is_set():
            tried.set()
            raise BusUnavailableError("no broker")
        return record_of(partition, offset)

    taking = Taking(tmp_path, read)
    taking.intake.note({"m": PendingChanges(held={("r-3", 0): waiting_row(3)})})
    taking.intake.start()
    assert tried.wait(30)
    came_back.set()
    assert taking.intake._thread.is_alive()
    while not taking.rows():
        assert taking.intake._thread.is_alive()
    taking.intake.stop(30)
    assert (len(taking.rows()), taking.skipped) == (1, 0)


def test_bus_that_never_answers_does_not_hold_the_stop(tmp_path: Path) -> None:
    """The row is counted."""

    def refuse(_: int, __: int) -> bytes:
        raise BusUnavailableError("no broker")

    taking = Taking(tmp_path, refuse)
    assert taking.take(waiting_row(3)) == []
    assert taking.skipped == 1
