"""Rows that were given up without a label, or with one: their keys, so that a label that comes later is known as late.

Only a digest of a key is kept, for as long again as the row waited.
"""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b

from tightrope.monitors.label_records import RowKey

GIVEN_UP_TABLE = """
CREATE TABLE IF NOT EXISTS given_up (
    model TEXT, key INTEGER, until REAL NOT NULL, PRIMARY KEY (model, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS given_up_until ON given_up (model, until);
"""
MOST_FORGOTTEN = 4_000
"""Keys that are forgotten at a time: more than are added, so that the table shrinks again."""

KEYS_IN_QUERY = 900
"""SQLite takes at most 999 values in one query."""


def remember(cursor: sqlite3.Cursor, model: str, before: float, now: float, seconds: float) -> None:
    """Note the rows that wait since before ``before``, for ``seconds`` from ``now`` on, and forget the oldest notes."""
    keys = cursor.execute("SELECT id, row FROM held WHERE model = ? AND time < ?", (model, before)).fetchall()
    noted = [(model, _digest(key), now + seconds) for key in keys]
    cursor.executemany("INSERT OR REPLACE INTO given_up VALUES (?, ?, ?)", noted)
    cursor.execute(
        "DELETE FROM given_up WHERE model = ?1 AND key IN "
        "(SELECT key FROM given_up WHERE model = ?1 AND until < ?2 ORDER BY until LIMIT ?3)",
        (model, now, MOST_FORGOTTEN),
    )


def forget(cursor: sqlite3.Cursor, request_id: str) -> None:
    """Forget the rows of a request."""
    keys = [(_digest((request_id, row)),) for row in range(MOST_FORGOTTEN)]
    cursor.executemany("DELETE FROM given_up WHERE key = ?", keys)


def given_up_among(db: sqlite3.Connection, model: str, keys: Collection[RowKey]) -> set[RowKey]:
    """Those of the keys whose row was given up."""
    by_digest = {_digest(key): key for key in keys}
    return {by_digest[digest] for digest in _select(db, model, list(by_digest))}


def _select(db: sqlite3.Connection, model: str, digests: Sequence[int]) -> Iterable[int]:
    for first in range(0, len(digests), KEYS_IN_QUERY):
        some = digests[first : first + KEYS_IN_QUERY]
        marks = ", ".join("?" * len(some))
        query = f"SELECT key FROM given_up WHERE model = ? AND key IN ({marks})"  # noqa: S608 - marks
        yield from (key for (key,) in db.execute(query, (model, *some)))


def _digest(key: RowKey) -> int:
    name, row = key
    digest = blake2b(name.encode(errors="surrogateescape"), digest_size=8, key=row.to_bytes(8, "big", signed=True))
    return int.from_bytes(digest.digest(), "big", signed=True)
