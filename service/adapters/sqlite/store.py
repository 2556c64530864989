"""The embedded store: snapshots, events and positions in one SQLite file, saved in one transaction."""

import fcntl
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from tightrope.monitors.records import Event, Held, Label
from tightrope.service.adapters.ports import Changes, Key, Place, Record
from tightrope.service.adapters.sqlite import pending_labels as waiting_rows
from tightrope.service.errors import TightropeError

SCHEMA = """
CREATE TABLE IF NOT EXISTS snapshots (model TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS positions (
    log TEXT, topic TEXT, partition INTEGER, next INTEGER NOT NULL, PRIMARY KEY (log, topic, partition)
);
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, model TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_model ON events (model, seq);
"""
VERSION = 1


class StoreError(TightropeError):
    """The state file cannot be used."""


class SqliteStore:
    """Implements `ports.Store`. Safe to share between threads.

    ``exclusive`` is for the one process that judges: a second one on the same file is refused.
    """

    def __init__(self, path: Path, *, exclusive: bool = False) -> None:
        self._lock = threading.Lock()
        self._guard = guarded(path) if exclusive else None
        try:
            self._db = _opened(path)
        except StoreError:
            if self._guard is not None:
                self._guard.close()
            raise

    def snapshot(self, model: str) -> bytes | None:
        """The latest snapshot of a model."""
        row = self._all("SELECT body FROM snapshots WHERE model = ?", model)
        return bytes(row[0][0]) if row else None

    def positions(self, log: str, models: Sequence[str]) -> Mapping[str, Mapping[Place, int]]:
        """The next offsets of a log; all models' are saved together."""
        rows = self._all("SELECT topic, partition, next FROM positions WHERE log = ?", log)
        places = {(topic, partition): offset for topic, partition, offset in rows}
        return dict.fromkeys(models, places)

    def save(
        self,
        log: str,
        positions: Mapping[Place, int],
        snapshots: Mapping[str, bytes],
        events: Sequence[Event],
        pending: Mapping[str, Changes] | None = None,
    ) -> None:
        """All of it in one transaction. Positions of other logs are forgotten: those logs are gone."""
        with self._lock, closing(self._db.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                cursor.execute("DELETE FROM positions WHERE log <> ?", (log,))
                cursor.executemany(
                    "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)",
                    [(log, topic, partition, offset) for (topic, partition), offset in positions.items()],
                )
                cursor.executemany("INSERT OR REPLACE INTO snapshots VALUES (?, ?)", list(snapshots.items()))
                cursor.executemany(
                    "INSERT OR IGNORE INTO events (id, model, body) VALUES (?, ?, ?)",
                    [(event.id, event.model, json.dumps(asdict(event))) for event in events],
                )
                waiting_rows.write(cursor, pending or {})
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    def rest(self, still: Callable[[], bool]) -> None:
        """Nothing is ever put off."""

    def past(self, model: str, name: str, since: float) -> Iterator[Sequence[Record]]:
        """Nothing: rows and labels are in the file."""
        del model, name, since
        return iter(())

    def events(self, model: str | None = None, after: int = 0, limit: int = 100) -> list[tuple[int, Event]]:
        """Events beyond sequence number ``after``, oldest first."""
        rows = self._all(
            "SELECT seq, body FROM events WHERE seq > ? AND (? IS NULL OR model = ?) ORDER BY seq LIMIT ?",
            after,
            model,
            model,
            limit,
        )
        return [(seq, Event(**json.loads(body))) for seq, body in rows]

    def held(self, model: str, keys: Sequence[Key]) -> dict[Key, Held]:
        """Compared rows by key."""
        with self._lock:
            return waiting_rows.held(self._db, model, keys)

    def waiting(self, model: str, keys: Sequence[Key]) -> dict[Key, Label]:
        """Labels without a row, by key."""
        with self._lock:
            return waiting_rows.waiting(self._db, model, keys)

    def overdue(self, model: str, before: float) -> tuple[int, int]:
        """How many rows without a label, and labels without a row, are older than ``before``."""
        with self._lock:
            return waiting_rows.overdue(self._db, model, before)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
        if self._guard is not None:
            self._guard.close()

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(query, values).fetchall()


def _opened(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be used as the state file: {error}") from error
    try:
        _prepare(db, path)
    except sqlite3.Error as error:
        db.close()
        raise StoreError(f"{path}: cannot be used as the state file: {error}") from error
    except StoreError:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing; a power cut the last moments
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version not in {0, VERSION}:
        raise StoreError(f"{path}: state of version {version}, but this Tightrope reads {VERSION}")
    db.executescript(SCHEMA + waiting_rows.SCHEMA)
    db.execute(f"PRAGMA user_version={VERSION}")


def guarded(path: Path) -> TextIO:
    """Hold a lock beside the file for as long as the process lives, however it ends.

    Raises:
        StoreError: when another process holds it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        guard = path.with_suffix(".lock").open("w")
    except OSError as error:
        raise StoreError(f"{path}: cannot be used as the state file: {error.strerror}") from error
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        guard.close()
        raise StoreError(f"{path}: another Tightrope is running on this state; give this one its own folder") from error
    return guard
