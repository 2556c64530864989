"""Alerts on disk: what stands, what is over, what has been told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tightrope.service.adapters.sqlite.alert_outbox import ENDS, NOTHING, PAUSES, STANDS, Row, StandingAlerts
from tightrope.service.adapters.sqlite.store import StoreError


def row(scope: str, since: float = 1.0, **words: str) -> Row:
    """An alert of model m."""
    return Row({"model": "m", "scope": scope}, words, since)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[StandingAlerts]:
    """An empty file."""
    made = StandingAlerts(tmp_path / "alerts.db")
    yield made
    made.close()


def ends(book: StandingAlerts) -> dict[str, tuple[float | None, int]]:
    """By scope: its end, and what was told of it."""
    return {one.labels["scope"]: (one.ends, one.told) for one in book.all()}


def test_what_stands_outlives_a_restart(tmp_path: Path) -> None:
    """Labels, words, beginning; and that it has not been told."""
    first = StandingAlerts(tmp_path / "alerts.db")
    assert first.replace("m", [row("a", evidence="much")], 9.0)
    first.close()
    second = StandingAlerts(tmp_path / "alerts.db")
    assert second.all() == [row("a", evidence="much")]
    second.close()


def test_standing_alert_keeps_its_words(book: StandingAlerts) -> None:
    """A judge that begins again has them no more."""
    book.replace("m", [row("a", 1.0, evidence="much")], 9.0)
    assert not book.replace("m", [row("a", 5.0)], 9.0)
    assert book.all() == [row("a", 1.0, evidence="much")]


def test_what_stands_no_more_ends(book: StandingAlerts) -> None:
    """And only of that model."""
    book.replace("m", [row("a"), row("b")], 9.0)
    book.replace("n", [Row({"model": "n", "scope": "c"}, {}, 1.0)], 9.0)
    assert book.replace("m", [row("b")], 9.0)
    assert ends(book) == {"a": (9.0, NOTHING), "b": (None, NOTHING), "c": (None, NOTHING)}
    assert not book.replace("m", [row("b")], 10.0)
    assert ends(book)["a"] == (9.0, NOTHING)


def test_alert_that_comes_back_begins_anew(book: StandingAlerts) -> None:
    """With new words, and it is to be told again."""
    book.replace("m", [row("a")], 9.0)
    book.told(book.all(), 2.0)
    book.replace("m", [], 9.0)
    assert book.replace("m", [row("a", 5.0, evidence="more")], 19.0)
    assert book.all() == [row("a", 5.0, evidence="more")]


def test_told_alert_is_kept_until_it_is_over(book: StandingAlerts) -> None:
    """Then it is forgotten."""
    book.replace("m", [row("a")], 9.0)
    book.told(book.all(), 2.0)
    assert ends(book) == {"a": (None, STANDS)}
    book.replace("m", [], 9.0)
    assert ends(book) == {"a": (9.0, STANDS)}
    book.told(book.all(), 8.0)
    assert ends(book) == {"a": (9.0, ENDS)}
    book.told(book.all(), 9.0)
    assert book.all() == []


def test_change_while_it_was_told_is_told_again(book: StandingAlerts) -> None:
    """What was read is not what stands any more."""
    book.replace("m", [row("a"), row("b")], 9.0)
    read = book.all()
    book.replace("m", [row("a")], 9.0)
    book.told(read, 2.0)
    assert ends(book) == {"a": (None, STANDS), "b": (9.0, NOTHING)}
    over = book.all()
    book.replace("m", [row("a"), row("b", 5.0)], 9.0)
    book.told(over, 99.0)
    assert ends(book)["b"] == (None, NOTHING)


def test_models_that_others_judge_are_forgotten(book: StandingAlerts) -> None:
    """But for what is over: that is still to be told."""
    book.replace("m", [row("a"), row("b")], 9.0)
    book.replace("m", [row("b")], 9.0)
    book.replace("n", [Row({"model": "n", "scope": "c"}, {}, 1.0)], 9.0)
    book.forget(["n"])
    assert ends(book) == {"a": (9.0, NOTHING), "c": (None, NOTHING)}


def test_failed_change_leaves_the_file_usable(book: StandingAlerts) -> None:
    """Nothing of it is kept, and the next one is."""
    with pytest.raises(AttributeError):
        book.replace("m", [row("a"), None], 9.0)  # type: ignore[list-item]
    assert book.all() == []
    assert book.replace("m", [row("a")], 9.0)
    assert ends(book) == {"a": (None, NOTHING)}


def test_attempts_slow_down_and_never_cease() -> None:
    """Growing pauses, the longest less than a minute."""
    assert sorted(PAUSES) == list(PAUSES)
    assert PAUSES[-1] < 60


def test_two_processes_cannot_tell_from_one_file(tmp_path: Path, book: StandingAlerts) -> None:
    """Each would end what the other tells of: the second is refused in one line, until the first is gone."""
    with pytest.raises(StoreError, match=r"alerts\.db: another Tightrope .* give this one its own folder"):
        StandingAlerts(tmp_path / "alerts.db")
    book.close()
    StandingAlerts(tmp_path / "alerts.db").close()
