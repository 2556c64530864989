"""The events of a letter are read once, and later ones as they come."""

from pathlib import Path

import pytest

from tests.support.harmful_pair import MINORITY
from tests.support.week.simulated import MONDAY, move, week_events
from tightrope.monitors.records import Event
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.api.week import history
from tightrope.service.api.week.history import WeekTrail, is_held_off, is_told


def test_events_come_by_time_and_new_ones_are_added(tmp_path: Path) -> None:
    """Further evidence about a group that the full model answers is left out."""
    store = SqliteStore(tmp_path / "trail.db")
    try:
        trail = WeekTrail(store)
        assert trail.history().begins is None
        store.save("log", {}, {}, week_events()[::-1])
        further = move(8, MONDAY, "breach", MINORITY, "safe")
        store.save(
            "log",
            {},
            {},
            [
                Event(
                    "e9",
                    0.0,
                    "m",
                    "breach",
                    "a=b",
                    "judge",
                    "",
                    {"moved": False, "armed": True, "after": further.detail["after"]},
                )
            ],
        )
        told = trail.history()
        assert [event.id for _, event in told.of("employment")] == [f"e{number}" for number in range(7)]
        assert told.of("m") == []
        assert trail.has("e3")
        assert not trail.has("e9")
    finally:
        store.close()


def test_trail_that_is_too_long_begins_where_it_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Earlier events count as not on record."""
    store = SqliteStore(tmp_path / "trail.db")
    try:
        store.save("log", {}, {}, week_events())
        monkeypatch.setattr(history, "MAX_READ_EVENTS", 3)
        told = WeekTrail(store).history()
        assert told.begins == week_events()[4].time
        assert len(told.events) == 3
    finally:
        store.close()


def test_harm_that_only_advises_or_is_ordered_is_not_held_off() -> None:
    """It is told even where nothing moved."""
    advises = move(1, 0.0, "breach", MINORITY, "safe", armed=False)
    ordered = move(1, 0.0, "breach", MINORITY, "normal", moved=False)
    assert not is_held_off(advises)
    assert not is_held_off(ordered)
    assert is_told(ordered)
    assert is_held_off(move(1, 0.0, "breach", MINORITY, "safe"))
    assert not is_told(move(1, 0.0, "breach", MINORITY, "safe", moved=False))
    assert not is_told(move(1, 0.0, "dwell-elapsed", MINORITY, "safe"))
