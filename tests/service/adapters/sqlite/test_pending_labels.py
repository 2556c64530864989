"""What waits for labels is on file whole or not at all, and comes back as it was."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.comparisons import bits
from tightrope.monitors.records import Event, Held, Label
from tightrope.service.adapters.ports import Changes
from tightrope.service.adapters.sqlite import pending_labels
from tightrope.service.adapters.sqlite.store import SqliteStore

EVENT = Event("e1", 1.0, "m", "breach", "model", "judge", "")


def held(name: str = "r", row: int = 0, time: float = 1.0, **changes: object) -> Held:
    """A row that waits."""
    kept = Held(
        request_id=name,
        row=row,
        time=time,
        digest="d1",
        member=np.array([True, False, True]),
        draw=0.125,
        disagree=True,
        confidence_baseline=0.1,
        confidence_compressed=1 / 3,
        top_baseline=-1,
        top_compressed=2,
    )
    return replace(kept, **changes)


def label(name: str = "r", row: int = 0, time: float = 1.0, truth: int = 1) -> Label:
    """The truth about a row."""
    return Label("m", name, row, truth, time)


def rows(*some: Held) -> Changes:
    """These rows wait from now on."""
    return Changes(held={row.key: row for row in some})


def labels(*some: Label) -> Changes:
    """These labels do."""
    return Changes(waiting={(one.request_id, one.row): one for one in some})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The state file."""
    return tmp_path / "tightrope.db"


@pytest.fixture
def store(path: Path) -> SqliteStore:
    """A store on it."""
    return SqliteStore(path)


def save(store: SqliteStore, change: Changes, model: str = "m", **more: object) -> None:
    """One round of the judge."""
    given: dict[str, object] = {"positions": {}, "snapshots": {}, "events": [], **more}
    store.save("log", **given, pending={model: change})  # type: ignore[arg-type]


def test_rows_and_labels_come_back_after_a_restart(path: Path, store: SqliteStore) -> None:
    """To the last bit; only those that are asked for, of the model that is."""
    kept = [held(), held(row=1, member=np.zeros(0, dtype=bool)), held("ü", 2**40, 1.5, draw=0.1)]
    save(store, rows(*kept))
    save(store, labels(label("x", 3, 2.5, 2**31)))
    store.close()
    again = SqliteStore(path)
    found = again.held("m", [row.key for row in kept] + [("other", 0)])
    assert bits(found) == bits({row.key: row for row in kept})
    assert again.held("m", [("r", 1)]).keys() == {("r", 1)}
    assert again.waiting("m", [("x", 3), ("r", 0)]) == {("x", 3): label("x", 3, 2.5, 2**31)}
    assert again.held("n", [("r", 0)]) == again.waiting("n", [("x", 3)]) == {}
    again.close()


def test_many_keys_are_asked_for_at_once(store: SqliteStore) -> None:
    """More than a query may hold."""
    kept = [held(f"r{n}") for n in range(3 * pending_labels.CHUNK + 1)]
    save(store, rows(*kept))
    assert len(store.held("m", [row.key for row in kept])) == len(kept)
    assert store.held("m", []) == {}


def test_row_that_is_delivered_again_is_the_first_one(store: SqliteStore) -> None:
    """With what had become of it."""
    save(store, rows(held()))
    save(store, Changes(joined={("r", 0)}))
    save(store, rows(held(time=9.0, draw=0.9)))
    (found,) = store.held("m", [("r", 0)]).values()
    assert (found.joined, found.time, found.draw) == (True, 1.0, 0.125)
    save(store, labels(label()))
    save(store, labels(label(truth=0)))
    assert store.waiting("m", [("r", 0)])["r", 0].label == 1


def test_label_that_was_matched_waits_no_longer(store: SqliteStore) -> None:
    """Others do."""
    save(store, labels(label(), label("s")))
    save(store, Changes(matched={("r", 0)}))
    assert store.waiting("m", [("r", 0), ("s", 0)]).keys() == {("s", 0)}


def test_row_and_label_of_one_round_are_joined_in_it(store: SqliteStore) -> None:
    """The row is on file as joined at once, so that a second label is a duplicate."""
    save(store, Changes(held={("r", 0): held()}, joined={("r", 0)}))
    assert store.held("m", [("r", 0)])["r", 0].joined


def test_what_waited_too_long_is_counted_and_given_up(store: SqliteStore) -> None:
    """Rows without a label and labels without a row; a row that got its label is forgotten, and no loss."""
    save(store, rows(held(), held("s", time=2.0), held("t", time=3.0), held("u", joined=False)))
    save(store, Changes(joined={("u", 0)}))
    save(store, labels(label("x"), label("y", time=2.0)))
    save(store, rows(held("other")), model="n")
    assert store.overdue("m", 2.0) == (1, 1)
    save(store, Changes(before=2.0))
    assert store.held("m", [(name, 0) for name in "rstu"]).keys() == {("s", 0), ("t", 0)}
    assert store.waiting("m", [("x", 0), ("y", 0)]).keys() == {("y", 0)}
    assert store.overdue("m", 2.0) == (0, 0)
    assert store.held("n", [("other", 0)]) != {}


@pytest.mark.parametrize("spoiled", ["events", "pending"])
def test_round_is_saved_whole_or_not_at_all(store: SqliteStore, spoiled: str) -> None:
    """A round that fails half-way leaves snapshots, events, positions and what waits as they were."""
    save(store, rows(held()), snapshots={"m": b"before"}, positions={("t", 0): 1})
    save(store, labels(label("x")))
    events = [EVENT, replace(EVENT, detail={"x": object()})] if spoiled == "events" else [EVENT]
    change = Changes(
        held={("new", 0): held("new")},
        joined={("r", 0)},
        waiting={("y", 0): label("y")},
        matched={("x", 0)},
        before=0.0,
    )
    if spoiled == "pending":
        change.matched = {("x", 0), ("z", object())}  # type: ignore[arg-type]
    with pytest.raises((TypeError, sqlite3.Error)):
        save(store, change, snapshots={"m": b"after"}, positions={("t", 0): 2}, events=events)
    assert store.snapshot("m") == b"before"
    assert store.positions("log", ["m"])["m"] == {("t", 0): 1}
    assert store.events() == []
    assert not store.held("m", [("r", 0)])["r", 0].joined
    assert store.held("m", [("new", 0)]) == {}
    assert store.waiting("m", [("x", 0), ("y", 0)]).keys() == {("x", 0)}


def test_file_of_an_older_program_gets_the_tables(path: Path, store: SqliteStore) -> None:
    """They are made where they are missing, and nothing else changes."""
    save(store, Changes(), snapshots={"m": b"kept"})
    store._db.executescript("DROP TABLE held; DROP TABLE waiting")
    store.close()
    again = SqliteStore(path)
    assert again.snapshot("m") == b"kept"
    save(again, rows(held()))
    assert again.held("m", [("r", 0)]) != {}
    again.close()
