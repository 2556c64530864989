"""The oldest events go when they are too old or too many, but never those that explain what stands now."""

import json
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tightrope.monitors.records import Event
from tightrope.service.adapters.sqlite import database, event_table
from tightrope.service.adapters.sqlite.event_table import DAY_SECONDS, EventPruning, EventRetention
from tightrope.service.adapters.sqlite.store import SqliteStore

NOW = 1_795_894_500.0


def event(number: int, kind: str = "note", scope: str = "model", *, moved: bool = False, model: str = "m") -> Event:
    """An event, a day after the one before it."""
    time = NOW - 1000 * DAY_SECONDS + number * DAY_SECONDS
    return Event(f"{model}{number}", time, model, kind, scope, "judge", "", {"moved": True} if moved else {})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the state file."""
    return tmp_path / "tightrope.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """An open store that keeps everything."""
    opened = SqliteStore(path, exclusive=True)
    yield opened
    opened.close()


def prune(store: SqliteStore, retention: EventRetention) -> int:
    """Delete all that goes; returns the number of portions."""
    pruning, portions = EventPruning(retention, store._chain, now=lambda: NOW), 0
    while pruning.step(store._db):
        portions += 1
        pruning._next = float("-inf")
    return portions


def numbers(store: SqliteStore) -> list[int]:
    """The numbers of the events that are left."""
    return [seq for seq, _ in store.events(limit=100_000)]


def test_old_events_go(store: SqliteStore) -> None:
    """Younger ones stay, and the numbers of the others go on."""
    store.save("l", {}, {}, [event(number) for number in range(1, 1001)])
    prune(store, EventRetention(seconds=10 * DAY_SECONDS + 1))
    assert numbers(store) == list(range(990, 1001))
    store.save("l", {}, {}, [event(1001)])
    assert numbers(store)[-1] == 1001


def test_oldest_of_too_many_go(store: SqliteStore) -> None:
    """In portions, each in a transaction of its own."""
    store.save("l", {}, {}, [event(number) for number in range(1, 1301)])
    assert prune(store, EventRetention(most=100)) == -(-1200 // event_table.PORTION_EVENTS)
    assert numbers(store) == list(range(1201, 1301))


def test_without_limits_nothing_goes(store: SqliteStore) -> None:
    """As in a store without a retention."""
    store.save("l", {}, {}, [event(number) for number in range(1, 11)])
    assert prune(store, EventRetention()) == 0
    assert numbers(store) == list(range(1, 11))


def test_events_that_explain_what_stands_stay(store: SqliteStore) -> None:
    """The newest of each kind in each scope, and the one that moved the mode last, of each model."""
    store.save(
        "l",
        {},
        {},
        [
            event(1, "breach", moved=True),
            event(2, "recovered", moved=True),
            event(3, "breach", moved=True),
            event(4, "breach"),
            event(5, "breach", "group=a", moved=True),
            event(6, "blind-began", "model"),
            event(7, "breach", moved=True, model="n"),
        ],
    )
    store.save("l", {}, {}, [event(number) for number in range(8, 20)])
    prune(store, EventRetention(most=1))
    left = [(told.kind, told.scope, told.model, seq) for seq, told in store.events()]
    assert left == [
        ("recovered", "model", "m", 2),
        ("breach", "model", "m", 3),
        ("breach", "model", "m", 4),
        ("breach", "group=a", "m", 5),
        ("blind-began", "model", "m", 6),
        ("breach", "model", "n", 7),
        ("note", "model", "m", 19),
    ]


def test_event_that_comes_again_explains_nothing_new(store: SqliteStore) -> None:
    """The newest one stays, although the older one was delivered last."""
    older, newer = event(1, "breach", moved=True), event(2, "breach", moved=True)
    store.save("l", {}, {}, [older, newer])
    store.save("l", {}, {}, [replace(older, reason="again"), event(3)])
    prune(store, EventRetention(most=1))
    assert [told.id for _, told in store.events()] == ["m2", "m3"]


def test_events_go_to_the_file_of_the_day(store: SqliteStore, tmp_path: Path) -> None:
    """One JSON object on a line, with its number, readable by its owner only; the oldest first."""
    store.save("l", {}, {}, [event(number) for number in range(1, 6)])
    prune(store, EventRetention(most=2, folder=tmp_path))
    file = tmp_path / "events-20261128.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["seq"], line["id"]) for line in lines] == [(1, "m1"), (2, "m2"), (3, "m3")]
    assert file.stat().st_mode & 0o777 == 0o600


def test_events_that_cannot_be_written_stay(
    store: SqliteStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk loses no event."""
    store.save("l", {}, {}, [event(number) for number in range(1, 6)])
    with caplog.at_level(logging.WARNING):
        assert prune(store, EventRetention(most=2, folder=tmp_path / "missing")) == 0
    assert numbers(store) == [1, 2, 3, 4, 5]
    assert "old events stay in the audit trail" in caplog.text


def test_there_is_one_look_a_minute(store: SqliteStore) -> None:
    """Unless a portion was full: then the next one follows at once."""
    store.save("l", {}, {}, [event(number) for number in range(1, 1003)])
    now = [0.0]
    pruning = EventPruning(EventRetention(most=1), store._chain, lambda: now[0], lambda: NOW)
    assert [pruning.step(store._db) for _ in range(4)] == [500, 500, 1, 0]
    store.save("l", {}, {}, [event(2000)])
    now[0] = event_table.PRUNE_SECONDS - 1
    assert pruning.step(store._db) == 0
    now[0] += 1
    assert pruning.step(store._db) == 1


def test_store_forgets_as_it_was_told(path: Path) -> None:
    """After a save, and while the judge is idle."""
    store = SqliteStore(path, retention=EventRetention(most=2))
    store.save("l", {}, {}, [event(number) for number in range(1, 6)])
    assert numbers(store) == [4, 5]
    store._pruning._next = float("-inf")
    event_table.add(store._db.cursor(), [event(6)])
    store.flush_deferred(lambda: True)
    assert numbers(store) == [5, 6]
    store.close()


def test_events_of_an_older_file_are_kept_by_the_same_rule(path: Path) -> None:
    """The events that explain a standing mode are found among those that are there; damaged ones are left out."""
    with sqlite3.connect(path) as db:
        db.executescript(database.ALL_TABLES + f"PRAGMA user_version={database.STATE_VERSION}")
        event_table.add(db.cursor(), [event(1, "breach", moved=True), event(2), event(3)])
        db.execute("INSERT INTO events (id, model, body) VALUES ('bad', 'm', 'no JSON')")
        db.execute("DELETE FROM kept_events")
    db.close()
    store = SqliteStore(path, exclusive=True)
    assert sorted(store._all("SELECT kind, seq FROM kept_events")) == [("", 1), ("breach", 1), ("note", 3)]
    body = json.dumps(asdict(event(9)))
    store._db.execute("INSERT INTO events (id, model, body) VALUES ('later', 'm', ?)", (body,))
    store.close()
    store = SqliteStore(path, exclusive=True)
    assert sorted(store._all("SELECT kind, seq FROM kept_events")) == [("", 1), ("breach", 1), ("note", 5)]
    store.close()


def test_latest_events_come_first(store: SqliteStore) -> None:
    """In pages, of one or all models."""
    store.save("l", {}, {}, [event(number, model="mn"[number % 2]) for number in range(1, 8)])
    assert [seq for seq, _ in store.latest_events(limit=3)] == [7, 6, 5]
    assert [seq for seq, _ in store.latest_events(before=5, limit=3)] == [4, 3, 2]
    assert [seq for seq, _ in store.latest_events("m")] == [6, 4, 2]
