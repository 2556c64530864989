"""Rows that wait for their labels, and labels that wait for their rows: two tables of the state file."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgpack
import numpy as np

from tightrope.monitors.records import Held, Label
from tightrope.service.adapters.ports import Changes, Key

SCHEMA = """
CREATE TABLE IF NOT EXISTS held (
    model TEXT, id TEXT, row INTEGER, time REAL NOT NULL, joined INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (model, id, row)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held_time ON held (model, time);
CREATE TABLE IF NOT EXISTS waiting (
    model TEXT, id TEXT, row INTEGER, time REAL NOT NULL, label INTEGER NOT NULL, PRIMARY KEY (model, id, row)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waiting_time ON waiting (model, time);
"""

CHUNK = 400
"""Keys in one query: SQLite takes at most 999 values."""


def held(db: sqlite3.Connection, model: str, keys: Sequence[Key]) -> dict[Key, Held]:
    """The rows of these keys that are known."""
    query = "SELECT id, row, time, joined, body FROM held WHERE model = ? AND (id, row) IN (VALUES %s)"
    return {(name, row): _read(name, row, *rest) for name, row, *rest in _rows(db, query, model, keys)}


def waiting(db: sqlite3.Connection, model: str, keys: Sequence[Key]) -> dict[Key, Label]:
    """The labels of these keys that wait."""
    query = "SELECT id, row, label, time FROM waiting WHERE model = ? AND (id, row) IN (VALUES %s)"
    return {(name, row): Label(model, name, row, *rest) for name, row, *rest in _rows(db, query, model, keys)}


def overdue(db: sqlite3.Connection, model: str, before: float) -> tuple[int, int]:
    """How many rows without a label, and labels without a row, are older than ``before``."""
    rows = db.execute("SELECT count(*) FROM held WHERE model = ? AND time < ? AND joined = 0", (model, before))
    labels = db.execute("SELECT count(*) FROM waiting WHERE model = ? AND time < ?", (model, before))
    return int(rows.fetchone()[0]), int(labels.fetchone()[0])


def write(cursor: sqlite3.Cursor, changes: Mapping[str, Changes]) -> None:
    """Carry the changes out, inside the caller's transaction."""
    for model, change in changes.items():
        rows = [(model, *key, row.time, int(row.joined), _write(row)) for key, row in change.held.items()]
        cursor.executemany("INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?, ?, ?)", rows)
        joined = [(model, *key) for key in change.joined]
        cursor.executemany("UPDATE held SET joined = 1 WHERE model = ? AND id = ? AND row = ?", joined)
        labels = [(model, *key, label.time, label.label) for key, label in change.waiting.items()]
        cursor.executemany("INSERT OR IGNORE INTO waiting VALUES (?, ?, ?, ?, ?)", labels)
        matched = [(model, *key) for key in change.matched]
        cursor.executemany("DELETE FROM waiting WHERE model = ? AND id = ? AND row = ?", matched)
        cursor.execute("DELETE FROM held WHERE model = ? AND time < ?", (model, change.before))
        cursor.execute("DELETE FROM waiting WHERE model = ? AND time < ?", (model, change.before))


def _rows(db: sqlite3.Connection, query: str, model: str, keys: Sequence[Key]) -> Iterable[tuple[Any, ...]]:
    for begin in range(0, len(keys), CHUNK):
        part = keys[begin : begin + CHUNK]
        marks = ", ".join(["(?, ?)"] * len(part))
        yield from db.execute(query % marks, (model, *(value for key in part for value in key)))


FIELDS = (
    "digest",
    "draw",
    "disagree",
    "confidence_baseline",
    "confidence_compressed",
    "top_baseline",
    "top_compressed",
)


def _write(row: Held) -> bytes:
    return bytes(msgpack.packb([row.member.tobytes(), *(getattr(row, name) for name in FIELDS)]))


def _read(name: str, row: int, time: float, joined: int, body: bytes) -> Held:
    member, *rest = msgpack.unpackb(body)
    values = dict(zip(FIELDS, rest, strict=True))
    return Held(name, row, time, member=np.frombuffer(member, dtype=bool), joined=bool(joined), **values)
