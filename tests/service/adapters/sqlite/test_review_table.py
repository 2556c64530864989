"""The rows under review on disk: privacy, second opinions, and files that break."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.judgement.review_rows import PRIVATE_INPUT, review_row
from tightrope.monitors.review.opinions import Opinion
from tightrope.service.adapters.sqlite.review_table import GivenOpinion, ReviewTable
from tightrope.service.errors import UnavailableError


def opinion(name: str = "1", reviewer: str = "ana", at: float = 1.0) -> GivenOpinion:
    """Return an opinion about a row."""
    return GivenOpinion(name, reviewer, Opinion.A, 0, 2.0, at)


@pytest.fixture
def table(tmp_path: Path) -> ReviewTable:
    """An empty table."""
    return ReviewTable(tmp_path / "review.db")


def test_file_is_for_this_user_alone(tmp_path: Path, table: ReviewTable) -> None:
    """It holds inputs of people's requests."""
    table.add([review_row("1")], 10)
    assert (tmp_path / "review.db").stat().st_mode & 0o077 == 0


def test_input_is_gone_from_disk_once_the_row_needs_no_more_answers(tmp_path: Path, table: ReviewTable) -> None:
    """The opinion stays."""
    table.add([review_row("1")], 10)
    assert b"Erika" in (tmp_path / "review.db").read_bytes()
    table.store(opinion())
    table.finish(opinion())
    assert b"Erika" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [(given.opinion, each.request_id) for given, each in table.opinions("m")] == [(Opinion.A, "r-1")]


def test_row_of_two_people_waits_for_the_second(table: ReviewTable) -> None:
    """The first one is not asked again."""
    table.add([review_row("1", wanted=2)], 10)
    table.store(opinion())
    table.finish(opinion())
    assert table.next("m", "ana") is None
    assert (waiting := table.next("m", "bo")) is not None
    assert waiting.document == PRIVATE_INPUT
    assert (table.waiting("m", "ana"), table.waiting("m", "bo")) == (0, 1)


def test_request_that_is_sent_again_is_one_row(table: ReviewTable) -> None:
    """A retry has the same id."""
    table.add([review_row("1")], 10)
    table.add([review_row("2", request_id="r-1")], 10)
    assert table.waiting("m", "ana") == 1


def test_final_opinion_stays(table: ReviewTable) -> None:
    """Another one of the same person is refused, and it cannot be taken back."""
    table.add([review_row("1")], 10)
    assert table.store(opinion())
    table.finish(opinion())
    assert not table.store(opinion())
    assert not table.take_back("1", "ana")


def test_old_rows_are_forgotten(table: ReviewTable) -> None:
    """Those without an answer sooner than those with one."""
    table.add([review_row("1", time=10), review_row("2", time=10), review_row("3", time=30)], 10)
    table.store(opinion("2"))
    assert table.forget("m", waiting_before=20, before=5) == 1
    assert table.row("m", "1") is None
    assert table.row("m", "2") is not None
    table.forget("m", waiting_before=20, before=20)
    assert table.row("m", "2") is None
    assert table.due(100) == []


def test_damaged_file_is_moved_aside(tmp_path: Path) -> None:
    """The review begins again; nothing else stops."""
    (tmp_path / "review.db").write_bytes(b"not a database" * 100)
    table = ReviewTable(tmp_path / "review.db")
    table.add([review_row("1")], 10)
    assert table.waiting("m", "ana") == 1
    assert [path.name for path in tmp_path.glob("review.db?*") if "journal" not in path.name]


def test_file_that_is_locked_at_the_start_stays_where_it_is(
    tmp_path: Path, table: ReviewTable, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not damaged: the rows are in memory until the next start, which finds the earlier ones again."""
    table.add([review_row("1")], 10)
    path = tmp_path / "review.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        meanwhile = ReviewTable(path)
        assert meanwhile.waiting("m", "ana") == 0
        assert meanwhile.add([review_row("2")], 10) == 1
    assert "kept in memory" in caplog.text
    assert ReviewTable(path).waiting("m", "ana") == 1


@pytest.mark.parametrize("blocked", ["review.db", "review.db/state/review.db"])
def test_place_without_a_file_is_told_and_serving_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, blocked: str
) -> None:
    """A folder stands there, or the folder cannot be made."""
    if blocked == "review.db":
        (tmp_path / blocked).mkdir()
    else:
        (tmp_path / "review.db").touch()
    table = ReviewTable(tmp_path / blocked)
    table.add([review_row("1")], 10)
    assert table.waiting("m", "ana") == 1
    assert "cannot be used now" in caplog.text


def test_failing_disk_is_told_as_unavailable(table: ReviewTable) -> None:
    """A caller gets 503."""
    table.close()
    with pytest.raises(UnavailableError, match="rows under review"):
        table.next("m", "ana")
