"""The alerts that stand, on disk: what has not been told yet outlives a restart. A file of its own, so that telling
people never holds up the judge's state.
"""

import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, labels TEXT NOT NULL, annotations TEXT NOT NULL,
    since REAL NOT NULL, ends REAL, told INTEGER NOT NULL
) WITHOUT ROWID
"""


NOTHING, STANDS, ENDS = range(3)
"""What somebody has taken of an alert: nothing yet, that it stands, when it ends."""


@dataclass(frozen=True, slots=True)
class Row:
    """One alert: it stands while it has no end. ``told``: `NOTHING`, `STANDS` or `ENDS`. Times in seconds."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    since: float
    ends: float | None = None
    told: int = 0

    @property
    def key(self) -> str:
        """What makes it the same alert."""
        return json.dumps(self.labels, sort_keys=True)


class StandingAlerts:
    """All of them in one small table. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(SCHEMA)

    def all(self) -> list[Row]:
        """Every alert, standing or over."""
        with self._lock:
            found = self._db.execute("SELECT labels, annotations, since, ends, told FROM alerts").fetchall()
        return [
            Row(json.loads(labels), json.loads(annotations), since, ends, told)
            for labels, annotations, since, ends, told in found
        ]

    def models(self) -> set[str]:
        """Every model that has one."""
        with self._lock:
            return {model for (model,) in self._db.execute("SELECT DISTINCT model FROM alerts")}

    def replace(self, model: str, rows: Sequence[Row], ends: float) -> bool:
        """These are the model's from now on, and the others end; whether anything is new. One that stood already
        keeps its words and its beginning.
        """
        with self._lock, self._db as db:
            db.execute("BEGIN IMMEDIATE")
            standing = db.execute("SELECT key FROM alerts WHERE model = ? AND ends IS NULL", (model,)).fetchall()
            before, after = {key for (key,) in standing}, {row.key: row for row in rows}
            db.executemany("UPDATE alerts SET ends = ? WHERE key = ?", [(ends, key) for key in before - set(after)])
            db.executemany(
                "INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, NULL, 0)",
                [
                    (key, model, json.dumps(row.labels), json.dumps(row.annotations), row.since)
                    for key, row in after.items()
                    if key not in before
                ],
            )
        return before != set(after)

    def told(self, rows: Sequence[Row], now: float) -> None:
        """These were taken as they are; what is over by ``now`` is forgotten. What changed meanwhile is told again."""
        over = [(row.key, row.since) for row in rows if row.ends is not None and row.ends <= now]
        others = [
            (STANDS if row.ends is None else ENDS, row.ends, row.key, row.since, row.ends is None)
            for row in rows
            if (row.key, row.since) not in over
        ]
        with self._lock, self._db as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("DELETE FROM alerts WHERE key = ? AND since = ? AND ends IS NOT NULL", over)
            db.executemany(
                "UPDATE alerts SET told = ?, ends = ? WHERE key = ? AND since = ? AND (ends IS NULL) = ?", others
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
