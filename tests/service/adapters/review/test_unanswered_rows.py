"""Rows that need no answer any more are deleted; what a person said of one stays."""

from pathlib import Path

import pytest

from tests.support.judgement.review_rows import review_row
from tightrope.monitors.review.opinions import Opinion
from tightrope.service.adapters.review.unanswered_rows import abandon_rows, drop_rows, has_room, is_known
from tightrope.service.adapters.sqlite.review_table import GivenOpinion, ReviewTable


@pytest.fixture
def table(tmp_path: Path) -> ReviewTable:
    """A table with three rows; the first has an answer."""
    table = ReviewTable(tmp_path / "review.db")
    table.add([review_row("1", wanted=2), review_row("2"), review_row("3")], 9)
    table.store(GivenOpinion("1", "ana", Opinion.A, 0, 2.0, 1.0))
    return table


def test_rows_without_an_answer_are_dropped_by_their_key(table: ReviewTable) -> None:
    """Others stay."""
    assert drop_rows(table, "m", [("r-1", 0), ("r-2", 0), ("r-2", 5)]) == 1
    assert [is_known(table, "m", (f"r-{n}", 0)) for n in (1, 2, 3)] == [True, False, True]


def test_abandoned_rows_are_gone_from_disk_with_their_inputs(tmp_path: Path, table: ReviewTable) -> None:
    """An answered row has no input any more."""
    assert abandon_rows(table, "m") == 2
    assert b"Erika" not in (tmp_path / "review.db").read_bytes()
    assert [row.id for _, row in table.due(99)] == ["1"]


def test_room_is_what_waits_less_than(table: ReviewTable) -> None:
    """Rows of other models do not count."""
    assert has_room(table, "m", 4)
    assert not has_room(table, "m", 3)
    assert has_room(table, "other", 1)
