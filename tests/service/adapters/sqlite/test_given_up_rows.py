"""Rows that were given up are remembered by a digest of their key, for a bounded time and in bounded steps."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tightrope.monitors.label_records import PendingRow, RowKey
from tightrope.service.adapters.ports import PendingChanges
from tightrope.service.adapters.sqlite import given_up_rows
from tightrope.service.adapters.sqlite.store import SqliteStore

SECONDS = 100.0
"""How long a row is remembered."""


def hold(store: SqliteStore, *keys: RowKey, model: str = "m", time: float = 0.0, joined: bool = False) -> None:
    """Let rows wait for their labels."""
    kept = {}
    for name, number in keys:
        member = np.zeros(0, dtype=bool)
        row = PendingRow(name, number, time, "d", member, 0.5, False, 0.9, 0.9, 0, 0, joined=joined)  # noqa: FBT003
        kept[row.key] = row
    store.save("log", {}, {}, [], {model: PendingChanges(held=kept)})


def give_up(store: SqliteStore, before: float, now: float, model: str = "m") -> None:
    """Give up the rows from before a time."""
    change = PendingChanges(before=before, now=now, late_seconds=SECONDS)
    store.save("log", {}, {}, [], {model: change})


def test_row_that_was_given_up_is_remembered(tmp_path: Path) -> None:
    """With or without its label, by request and row, for its own model, and after a restart; others are not."""
    store = SqliteStore(tmp_path / "db")
    hold(store, ("a", 0), ("ü", 2**40))
    hold(store, ("b", 0), joined=True)
    hold(store, ("c", 0), time=50.0)
    keys = [("a", 0), ("a", 1), ("ü", 2**40), ("b", 0), ("c", 0), ("d", 0)]
    assert store.given_up("m", keys) == set()
    give_up(store, before=10.0, now=60.0)
    store.close()
    store = SqliteStore(tmp_path / "db")
    assert store.given_up("m", keys) == {("a", 0), ("ü", 2**40), ("b", 0)}
    assert store.given_up("n", keys) == set()
    assert store.pending_rows("m", keys).keys() == {("c", 0)}
    store.close()


def test_row_is_forgotten_after_its_time(tmp_path: Path) -> None:
    """Not before, and no row of another model."""
    store = SqliteStore(tmp_path / "db")
    hold(store, ("a", 0))
    hold(store, ("a", 0), model="n")
    give_up(store, before=10.0, now=60.0)
    give_up(store, before=10.0, now=60.0, model="n")
    give_up(store, before=20.0, now=60.0 + SECONDS)
    assert store.given_up("m", [("a", 0)]) == {("a", 0)}
    give_up(store, before=20.0, now=61.0 + SECONDS)
    assert store.given_up("m", [("a", 0)]) == set()
    assert store.given_up("n", [("a", 0)]) == {("a", 0)}
    store.close()


def test_many_rows_go_in_bounded_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction is long, and any number of keys can be asked for."""
    monkeypatch.setattr(given_up_rows, "MOST_FORGOTTEN", 700)
    store = SqliteStore(tmp_path / "db")
    keys = [(f"r{n}", n) for n in range(2 * given_up_rows.KEYS_IN_QUERY + 1)]
    hold(store, *keys)
    give_up(store, before=10.0, now=60.0)
    assert store.given_up("m", keys) == set(keys)
    sizes = []
    for _ in range(4):
        give_up(store, before=20.0, now=1000.0)
        sizes.append(len(store.given_up("m", keys)))
    assert sizes == [len(keys) - 700, len(keys) - 1400, 0, 0]
    store.close()


def test_no_request_id_is_kept(tmp_path: Path) -> None:
    """A person's id goes with the row; what stays is a number."""
    store = SqliteStore(tmp_path / "db")
    hold(store, ("patient-4711", 0))
    give_up(store, before=10.0, now=60.0)
    store.close()
    with closing(sqlite3.connect(tmp_path / "db")) as db:
        assert "patient-4711" not in "\n".join(db.iterdump())
        assert [type(key) for (key,) in db.execute("SELECT key FROM given_up")] == [int]
