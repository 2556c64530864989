"""Pending rows and labels are stored completely or not at all, and read back unchanged."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.comparisons import bit_exact
from tightrope.monitors.label_records import Label, PendingRow
from tightrope.monitors.records import Event
from tightrope.service.adapters.ports import PendingChanges
from tightrope.service.adapters.sqlite import pending_labels
from tightrope.service.adapters.sqlite.store import SqliteStore

EVENT = Event("e1", 1.0, "m", "breach", "model", "judge", "")


def held(name: str = "r", row: int = 0, time: float = 1.0, **changes: object) -> PendingRow:
    """A pending row."""
    kept = PendingRow(
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
    """A label."""
    return Label("m", name, row, truth, time)


def rows(*some: PendingRow) -> PendingChanges:
    """Changes that add these rows."""
    return PendingChanges(held={row.key: row for row in some})


def labels(*some: Label) -> PendingChanges:
    """Changes that add these labels."""
    return PendingChanges(waiting={(one.request_id, one.row): one for one in some})


@pytest.fixture
def store(path: Path) -> SqliteStore:
    """An open store."""
    return SqliteStore(path)


def save(store: SqliteStore, change: PendingChanges, model: str = "m", **more: object) -> None:
    """Save one round of the judge."""
    given: dict[str, object] = {"positions": {}, "snapshots": {}, "events": [], **more}
    store.save("log", **given, pending={model: change})  # type: ignore[arg-type]


def test_rows_and_labels_come_back_after_a_restart(path: Path, store: SqliteStore) -> None:
    """They are bit-identical; only the requested keys and model are returned."""
    kept = [held(), held(row=1, member=np.zeros(0, dtype=bool)), held("ü", 2**40, 1.5, draw=0.1, chances=(0.25, 1e-3))]
    save(store, rows(*kept))
    save(store, labels(label("x", 3, 2.5, 2**31)))
    store.close()
    again = SqliteStore(path)
    found = again.pending_rows("m", [row.key for row in kept] + [("other", 0)])
    assert bit_exact(found) == bit_exact({row.key: row for row in kept})
    assert again.pending_rows("m", [("r", 1)]).keys() == {("r", 1)}
    assert again.pending_labels("m", [("x", 3), ("r", 0)]) == {("x", 3): label("x", 3, 2.5, 2**31)}
    assert again.pending_rows("n", [("r", 0)]) == again.pending_labels("n", [("x", 3)]) == {}
    again.close()


def test_many_keys_are_queried_at_once(store: SqliteStore) -> None:
    """More keys than one query may hold."""
    kept = [held(f"r{n}") for n in range(3 * pending_labels.KEYS_PER_QUERY + 1)]
    save(store, rows(*kept))
    assert len(store.pending_rows("m", [row.key for row in kept])) == len(kept)
    assert store.pending_rows("m", []) == {}


def test_redelivered_row_keeps_the_first_values(store: SqliteStore) -> None:
    """Its joined state is kept too."""
    save(store, rows(held()))
    save(store, PendingChanges(joined={("r", 0)}))
    save(store, rows(held(time=9.0, draw=0.9)))
    (found,) = store.pending_rows("m", [("r", 0)]).values()
    assert (found.joined, found.time, found.draw) == (True, 1.0, 0.125)
    save(store, labels(label()))
    save(store, labels(label(truth=0)))
    assert store.pending_labels("m", [("r", 0)])["r", 0].label == 1


def test_label_that_was_matched_waits_no_longer(store: SqliteStore) -> None:
    """Other labels keep waiting."""
    save(store, labels(label(), label("s")))
    save(store, PendingChanges(matched={("r", 0)}))
    assert store.pending_labels("m", [("r", 0), ("s", 0)]).keys() == {("s", 0)}


def test_row_and_label_of_one_round_are_joined_in_it(store: SqliteStore) -> None:
    """The row is stored as joined, so that a second label is a duplicate."""
    save(store, PendingChanges(held={("r", 0): held()}, joined={("r", 0)}))
    assert store.pending_rows("m", [("r", 0)])["r", 0].joined


def test_overdue_rows_and_labels_are_counted_and_dropped(store: SqliteStore) -> None:
    """Rows without a label and labels without a row count; a row that got its label is dropped and not counted."""
    save(store, rows(held(), held("s", time=2.0), held("t", time=3.0), held("u", joined=False)))
    save(store, PendingChanges(joined={("u", 0)}))
    save(store, labels(label("x"), label("y", time=2.0)))
    save(store, rows(held("other")), model="n")
    assert store.count_overdue("m", 2.0) == (1, 1)
    save(store, PendingChanges(before=2.0))
    assert store.pending_rows("m", [(name, 0) for name in "rstu"]).keys() == {("s", 0), ("t", 0)}
    assert store.pending_labels("m", [("x", 0), ("y", 0)]).keys() == {("y", 0)}
    assert store.count_overdue("m", 2.0) == (0, 0)
    assert store.pending_rows("n", [("other", 0)]) != {}


@pytest.mark.parametrize("spoiled", ["events", "pending"])
def test_round_is_saved_whole_or_not_at_all(store: SqliteStore, spoiled: str) -> None:
    """A failed round changes neither snapshots, events, positions nor pending rows."""
    save(store, rows(held()), snapshots={"m": b"before"}, positions={("t", 0): 1})
    save(store, labels(label("x")))
    events = [EVENT, replace(EVENT, detail={"x": object()})] if spoiled == "events" else [EVENT]
    change = PendingChanges(
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
    assert not store.pending_rows("m", [("r", 0)])["r", 0].joined
    assert store.pending_rows("m", [("new", 0)]) == {}
    assert store.pending_labels("m", [("x", 0), ("y", 0)]).keys() == {("x", 0)}


def test_file_of_an_older_program_gets_the_tables(path: Path, store: SqliteStore) -> None:
    """Missing tables are created, and nothing else changes."""
    save(store, PendingChanges(), snapshots={"m": b"kept"})
    store._db.executescript("DROP TABLE held; DROP TABLE waiting")
    store.close()
    again = SqliteStore(path)
    assert again.snapshot("m") == b"kept"
    save(again, rows(held()))
    assert again.pending_rows("m", [("r", 0)]) != {}
    again.close()
