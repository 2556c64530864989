"""Rows that wait for their labels, and labels that wait for their rows: two tables of the state file."""

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np

from tightrope.monitors.label_records import Label, PendingRow, RowKey
from tightrope.service.adapters.ports import OverduePortion, PendingChanges
from tightrope.service.adapters.sqlite.given_up_rows import remember

PENDING_TABLES = """
CREATE TABLE IF NOT EXISTS held (
    model TEXT, id TEXT, row INTEGER, time REAL NOT NULL, joined INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (model, id, row)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held_time ON held (model, time);
CREATE TABLE IF NOT EXISTS waiting (
    model TEXT, id TEXT, row INTEGER, time REAL NOT NULL, label INTEGER NOT NULL,
    source TEXT NOT NULL DEFAULT '', probability REAL NOT NULL DEFAULT 0, PRIMARY KEY (model, id, row)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waiting_time ON waiting (model, time);
"""
FROM_VERSION_1 = (
    "ALTER TABLE waiting ADD COLUMN source TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE waiting ADD COLUMN probability REAL NOT NULL DEFAULT 0",
)
"""Statements that bring the tables of a state file of version 1 to `PENDING_TABLES`."""

KEYS_PER_QUERY = 400
"""SQLite takes at most 999 values in one query, two for each key."""

STORED_FIELDS = (
    "digest",
    "draw",
    "disagree",
    "confidence_baseline",
    "confidence_compressed",
    "top_baseline",
    "top_compressed",
    "caller",
    "loss",
    "agreed",
    "request_rows",
    "chances",
)
"""Fields of a row in the order of its ``body``, a msgpack list that begins with ``member`` as bytes; rows that
were stored earlier lack the last ones.
"""


def select_rows(db: sqlite3.Connection, model: str, keys: Sequence[RowKey]) -> dict[RowKey, PendingRow]:
    """The stored rows of these keys."""
    query = "SELECT id, row, time, joined, body FROM held WHERE model = ? AND (id, row) IN (VALUES %s)"
    return {(name, row): row_from_body(name, row, *columns) for name, row, *columns in _select(db, query, model, keys)}


def select_labels(db: sqlite3.Connection, model: str, keys: Sequence[RowKey]) -> dict[RowKey, Label]:
    """The stored labels of these keys."""
    query = "SELECT id, row, label, time, source, probability FROM waiting WHERE model = ? AND (id, row) IN (VALUES %s)"
    return {(name, row): Label(model, name, row, *columns) for name, row, *columns in _select(db, query, model, keys)}


def overdue_portion(
    db: sqlite3.Connection, model: str, before: float, latest: float, size: int
) -> OverduePortion | None:
    """The oldest rows and labels with a time before ``before``, about ``size`` of each; None without any, unless one
    has a time after ``latest``. Rows of one time are not parted.
    """
    oldest, end, full = math.inf, before, False
    ahead = False
    for table in ("held", "waiting"):
        in_order = f"SELECT time FROM {table} WHERE model = ? AND time < ? ORDER BY time LIMIT 1 OFFSET ?"  # noqa: S608 - our names
        if first := db.execute(in_order, (model, before, 0)).fetchone():
            oldest = min(oldest, first[0])
            if last := db.execute(in_order, (model, before, size)).fetchone():
                end, full = min(end, max(last[0], math.nextafter(first[0], math.inf))), True
        too_late = f"SELECT 1 FROM {table} WHERE model = ? AND time > ? LIMIT 1"  # noqa: S608 - our names
        ahead |= bool(db.execute(too_late, (model, latest)).fetchall())
    if oldest == math.inf:
        return OverduePortion(-math.inf, -math.inf, full=False) if ahead else None
    return OverduePortion(-math.inf if ahead else oldest, end, full)


def count_overdue(db: sqlite3.Connection, model: str, before: float) -> tuple[int, int]:
    """The number of rows without a label, and of labels without a row, older than ``before``."""
    rows = db.execute("SELECT count(*) FROM held WHERE model = ? AND time < ? AND joined = 0", (model, before))
    labels = db.execute("SELECT count(*) FROM waiting WHERE model = ? AND time < ?", (model, before))
    return int(rows.fetchone()[0]), int(labels.fetchone()[0])


def apply_changes(cursor: sqlite3.Cursor, changes: Mapping[str, PendingChanges]) -> None:
    """Apply the changes of each model inside the caller's transaction."""
    for model, change in changes.items():
        rows = [
            (model, *key, row.time, int(row.joined or key in change.joined), _to_body(row))
            for key, row in sorted(change.held.items(), key=itemgetter(0))
        ]
        cursor.executemany("INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?, ?, ?)", rows)
        joined = [(model, *key) for key in sorted(change.joined)]
        cursor.executemany("UPDATE held SET joined = 1 WHERE model = ? AND id = ? AND row = ? AND joined = 0", joined)
        labels = [
            (model, *key, label.time, label.label, label.source, label.probability)
            for key, label in change.waiting.items()
        ]
        cursor.executemany("INSERT OR IGNORE INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?)", labels)
        matched = [(model, *key) for key in change.matched]
        cursor.executemany("DELETE FROM waiting WHERE model = ? AND id = ? AND row = ?", matched)
        for table in ("held", "waiting"):
            cursor.execute(f"UPDATE {table} SET time = ?1 WHERE model = ?2 AND time > ?1", (change.now, model))  # noqa: S608 - our names
        if change.late_seconds:
            remember(cursor, model, change.before, change.now, change.late_seconds)
        cursor.execute("DELETE FROM held WHERE model = ? AND time < ?", (model, change.before))
        cursor.execute("DELETE FROM waiting WHERE model = ? AND time < ?", (model, change.before))


def _select(db: sqlite3.Connection, query: str, model: str, keys: Sequence[RowKey]) -> Iterable[tuple[Any, ...]]:
    for first in range(0, len(keys), KEYS_PER_QUERY):
        some = keys[first : first + KEYS_PER_QUERY]
        marks = ", ".join(["(?, ?)"] * len(some))
        yield from db.execute(query % marks, (model, *(value for key in some for value in key)))


def _to_body(row: PendingRow) -> bytes:
    return msgspec.msgpack.encode([row.member.tobytes(), *(getattr(row, name) for name in STORED_FIELDS)])


def row_from_body(name: str, row: int, time: float, joined: int, body: bytes) -> PendingRow:
    """A stored row."""
    member, *fields = msgspec.msgpack.decode(body)
    values = dict(zip(STORED_FIELDS, fields, strict=False))
    values |= {name: tuple(values[name]) for name in ("agreed", "request_rows", "chances") if name in values}
    return PendingRow(name, row, time, member=np.frombuffer(member, dtype=bool), joined=bool(joined), **values)
