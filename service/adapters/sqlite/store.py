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

from tightrope.monitors.records import Event, Label, PendingRow, RowKey
from tightrope.service.adapters.ports import LogPartition, PendingChanges, Record
from tightrope.service.adapters.sqlite import pending_labels
from tightrope.service.errors import TightropeError

STORE_TABLES = """
CREATE TABLE IF NOT EXISTS snapshots (model TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS positions (
    log TEXT, topic TEXT, partition INTEGER, next INTEGER NOT NULL, PRIMARY KEY (log, topic, partition)
);
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, model TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_model ON events (model, seq);
"""
STATE_VERSION = 1


class StoreError(TightropeError):
    """The state file cannot be used."""


class SqliteStore:
    """Implements `ports.Store`. Safe to share between threads.

    ``exclusive`` is for the process that judges: a second one on the same file is refused.

    Raises:
        StoreError: when the file cannot be used, or another process holds it.
    """

    def __init__(self, path: Path, *, exclusive: bool = False) -> None:
        self._lock = threading.Lock()
        self._file_lock = lock_state(path) if exclusive else None
        try:
            self._db = _opened(path)
        except StoreError:
            if self._file_lock is not None:
                self._file_lock.close()
            raise

    def snapshot(self, model: str) -> bytes | None:
        """The latest snapshot of a model."""
        row = self._all("SELECT body FROM snapshots WHERE model = ?", model)
        return bytes(row[0][0]) if row else None

    def positions(self, log: str, models: Sequence[str]) -> Mapping[str, Mapping[LogPartition, int]]:
        """The next offsets of a log; they are the same for all models."""
        rows = self._all("SELECT topic, partition, next FROM positions WHERE log = ?", log)
        offsets = {(topic, partition): offset for topic, partition, offset in rows}
        return dict.fromkeys(models, offsets)

    def save(
        self,
        log: str,
        positions: Mapping[LogPartition, int],
        snapshots: Mapping[str, bytes],
        events: Sequence[Event],
        pending: Mapping[str, PendingChanges] | None = None,
    ) -> None:
        """Save everything in one transaction, and delete the positions of other logs: those logs are gone."""
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
                pending_labels.apply_changes(cursor, pending or {})
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    def flush_deferred(self, still_owned: Callable[[], bool]) -> None:
        """Do nothing: `save` defers nothing."""

    def past_records(self, model: str, name: str, since: float) -> Iterator[Sequence[Record]]:
        """Nothing: all rows and labels are in the file."""
        del model, name, since
        return iter(())

    def events(self, model: str | None = None, after: int = 0, limit: int = 100) -> list[tuple[int, Event]]:
        """Events with a sequence number beyond ``after``, oldest first."""
        rows = self._all(
            "SELECT seq, body FROM events WHERE seq > ? AND (? IS NULL OR model = ?) ORDER BY seq LIMIT ?",
            after,
            model,
            model,
            limit,
        )
        return [(seq, Event(**json.loads(body))) for seq, body in rows]

    def pending_rows(self, model: str, keys: Sequence[RowKey]) -> dict[RowKey, PendingRow]:
        """Compared rows by key."""
        with self._lock:
            return pending_labels.select_rows(self._db, model, keys)

    def pending_labels(self, model: str, keys: Sequence[RowKey]) -> dict[RowKey, Label]:
        """Labels without a row, by key."""
        with self._lock:
            return pending_labels.select_labels(self._db, model, keys)

    def count_overdue(self, model: str, before: float) -> tuple[int, int]:
        """The number of rows without a label, and of labels without a row, older than ``before``."""
        with self._lock:
            return pending_labels.count_overdue(self._db, model, before)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
        if self._file_lock is not None:
            self._file_lock.close()

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
    db.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing, a power cut the last moments
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version not in {0, STATE_VERSION}:
        raise StoreError(f"{path}: state of version {version}, but this Tightrope reads {STATE_VERSION}")
    db.executescript(STORE_TABLES + pending_labels.PENDING_TABLES)
    db.execute(f"PRAGMA user_version={STATE_VERSION}")


def lock_state(path: Path) -> TextIO:
    """Hold a lock file beside the state file until the process ends, even by a crash.

    Raises:
        StoreError: when another process holds it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("w")
    except OSError as error:
        raise StoreError(f"{path}: cannot be used as the state file: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StoreError(f"{path}: another Tightrope is running on this state; give this one its own folder") from error
    return lock
