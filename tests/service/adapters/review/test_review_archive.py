"""Drawn rows are kept for review, all rows go to the archive behind, and the worker goes on."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from tests.support.judgement.compared_rows import compared_batch
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.service.adapters.ports import ComparedBatch
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.review.review_archive import ReviewArchive
from tightrope.service.adapters.review.reviewed_model import ReviewedModel
from tightrope.service.adapters.review.row_presenter import RowPresenter
from tightrope.service.adapters.sqlite.review_table import ReviewRow, ReviewTable
from tightrope.service.errors import UnavailableError

ROWS = 40


class InnerArchive:
    """The archive behind, which counts rows."""

    rows = 0

    def append(self, batch: ComparedBatch) -> None:
        """Count them."""
        self.rows += len(batch.comparisons)


class Kept:
    """A review of model ``m`` that draws every disagreement."""

    def __init__(self, folder: Path, *, most: int = 1000, second: float = 0.0) -> None:
        self.metrics, self.inner = Metrics(CollectorRegistry()), InnerArchive()
        self.table = ReviewTable(folder / "review.db")
        models = {"m": ReviewedModel(LabelDraw(1.0, 0.0), RowPresenter([]), second, most)}
        self.archive = ReviewArchive(self.inner, self.table, models, self.metrics, random.Random(3))  # noqa: S311 - a coin of a test

    def put(self, *batches: ComparedBatch) -> list[ReviewRow]:
        """Append batches, wait for the disk, and take every row that waits."""
        self.archive.start()
        for batch in batches:
            self.archive.append(batch)
        self.archive.stop(30)
        found = []
        while row := self.table.next("m", "r"):
            found.append(row)
            with self.table.transaction() as db:
                db.execute("DELETE FROM rows WHERE id = ?", (row.id,))
        return found

    @property
    def skipped(self) -> int:
        """The rows that were left out."""
        return self.metrics.total("review_skipped_rows", model="m")


def batch(first: int = 0, **changes: object) -> ComparedBatch:
    """Return rows with a disagreement in every fourth."""
    numbers = first + np.arange(ROWS)
    columns = {
        "disagree": numbers % 4 == 0,
        "top_baseline": np.zeros(ROWS, dtype=np.int64),
        "top_compressed": np.where(numbers % 4 == 0, 1, 0),
        "offset": numbers,
        "draw": np.full(ROWS, 0.25),
    }
    return compared_batch(first, ROWS, **(columns | changes))


def test_drawn_rows_are_kept_with_their_own_input(tmp_path: Path) -> None:
    """Each has the input of its own row, and the classes of both answers in the order of the coin."""
    kept = Kept(tmp_path)
    found = kept.put(batch(), batch(ROWS))
    assert [row.request_id for row in found] == [f"0-{number}" for number in range(0, 2 * ROWS, 4)]
    assert all(f'"value":"{row.request_id[2:]}"'.encode() in (row.document or b"") for row in found)
    assert {(row.a, row.b) for row in found if row.a_is_baseline} == {(0, 1)}
    assert {(row.a, row.b) for row in found if not row.a_is_baseline} == {(1, 0)}
    assert (kept.inner.rows, kept.skipped) == (2 * ROWS, 0)


def test_rows_beyond_the_most_that_wait_are_counted(tmp_path: Path) -> None:
    """The oldest stay."""
    kept = Kept(tmp_path, most=3)
    assert [row.request_id for row in kept.put(batch())] == ["0-0", "0-4", "0-8"]
    assert kept.skipped == 7


def test_share_of_rows_is_asked_twice(tmp_path: Path) -> None:
    """None, or all."""
    assert {row.wanted for row in Kept(tmp_path / "none").put(batch())} == {1}
    assert {row.wanted for row in Kept(tmp_path / "all", second=1.0).put(batch())} == {2}


def test_failing_disk_is_counted_and_does_not_stop_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive behind has all rows."""

    def full(_: object, __: int) -> int:
        raise UnavailableError("the disk is full")

    kept = Kept(tmp_path)
    monkeypatch.setattr(kept.table, "add", full)
    kept.put(batch())
    assert (kept.inner.rows, kept.skipped) == (ROWS, 10)


def test_row_that_cannot_be_shown_does_not_stop_the_worker(tmp_path: Path) -> None:
    """It is counted."""
    kept = Kept(tmp_path)
    whole = batch()
    kept.put(replace(whole, inputs=[{} for _ in whole.inputs]))
    assert (kept.inner.rows, kept.skipped) == (ROWS, 1)
