"""The embedded store: snapshots, events and positions in one SQLite file, saved in one transaction."""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tightrope.monitors.label_records import Label, PendingRow, RowKey
from tightrope.monitors.records import Event
from tightrope.service.adapters.ports import LogPartition, OwnLogs, PendingChanges, Record
from tightrope.service.adapters.sqlite import pending_labels
from tightrope.service.adapters.sqlite.state_file import (
    NoLocksError,
    StoreError,
    UnreadableStateError,
    has_stray_journal,
    lock_state,
    move_aside,
    newest_unreadable,
)

log = logging.getLogger(__name__)

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
STATE_VERSION = 2
"""The version of the tables. An older file is brought to it, a newer one is unreadable."""

LOCK_WAIT_SECONDS = 5.0
"""Time for which a lock of another process on the database is waited for."""

DISK_ERRORS = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
"""Codes of a write for which the disk has no room; SQLite reports some of them as input and output errors."""

IN_MEMORY = Path(":memory:")
"""The path of a state that ends with the process."""


class SqliteStore(OwnLogs):
    """Implements `ports.Store`. Safe to share between threads.

    ``exclusive`` is for the process that judges: a second one on the same file is refused. ``loss`` is the reason for
    which an earlier state is not in this file.

    Raises:
        StoreError: when the file cannot be used, or another process holds it.
    """

    def __init__(self, path: Path, *, exclusive: bool = False, loss: str = "") -> None:
        self.loss = loss
        self.make_room: Callable[[], bool] = lambda: False
        self._lock = threading.Lock()
        self._file_lock = lock_state(path) if exclusive else None
        try:
            self._db = _opened(path, check=exclusive)
        except StoreError:
            if self._file_lock is not None:
                self._file_lock.close()
            raise

    @property
    def empty(self) -> bool:
        """Whether no snapshot of any model was saved yet."""
        return not self._all("SELECT 1 FROM snapshots LIMIT 1")

    def lost(self, model: str) -> str:
        """The reason for which an earlier state is not here, until a snapshot is saved; else an empty text."""
        del model
        return self.loss if self.loss and self.empty else ""

    def set_aside(self, model: str, name: str) -> None:
        """Keep a copy of a model's snapshot under another name."""
        with self._lock:
            self._db.execute(
                "INSERT OR IGNORE INTO snapshots SELECT ?, body FROM snapshots WHERE model = ?", (name, model)
            )

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
        """Save everything in one transaction, and delete the positions of other logs: those logs are gone.

        If the disk is full, rows for people are deleted by `make_room`, and the save is made once more.
        """
        try:
            self._save(log, positions, snapshots, events, pending)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in DISK_ERRORS:
                raise
            self.make_room()
            with self._lock:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # the journal takes room, too
            self._save(log, positions, snapshots, events, pending)

    def _save(
        self,
        log: str,
        positions: Mapping[LogPartition, int],
        snapshots: Mapping[str, bytes],
        events: Sequence[Event],
        pending: Mapping[str, PendingChanges] | None,
    ) -> None:
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


def open_state(path: Path, *, required: bool = False, now: Callable[[], float] = time.time) -> SqliteStore:
    """The state for the process that judges. A state that cannot be read is moved aside and begins anew; one that has
    no place on disk is kept in memory. In both cases `SqliteStore.lost` tells the reason.

    Raises:
        StoreError: when another process holds it, the folder cannot be used, or no state is here and ``required``.
    """
    try:
        store = _open_or_move_aside(path, now)
    except (NoLocksError, UnreadableStateError) as error:
        if required:
            raise
        log.error("%s; the state is in memory and ends with this process, every scope begins in safe mode", error)  # noqa: TRY400 - one line
        return SqliteStore(IN_MEMORY, loss=f"the state has no place on disk: {error}")
    if required and store.empty and not store.loss:
        store.close()
        raise StoreError(
            f"{path}: holds no state, and state_required is true: mount the folder that holds it, "
            "or set state_required: false for the first start"
        )
    return store


def _open_or_move_aside(path: Path, now: Callable[[], float]) -> SqliteStore:
    """Open the file, or move it aside and begin another one. An empty one beside a file that was moved aside is lost,
    too: the start that moved it may have been killed.
    """
    loss = ""
    if has_stray_journal(path):
        move_aside(path, now())
    try:
        store = SqliteStore(path, exclusive=True)
    except UnreadableStateError as error:
        kept = move_aside(path, now())
        loss = f"{error}; it was moved to {kept.name}"
        log.error("%s; every scope begins in safe mode", loss)  # noqa: TRY400 - one line
        store = SqliteStore(path, exclusive=True)
    earlier = newest_unreadable(path)
    if store.empty and earlier is not None:
        store.loss = loss or f"the earlier state could not be read and was moved to {earlier.name}"
    return store


def _opened(path: Path, *, check: bool) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=LOCK_WAIT_SECONDS)
    except sqlite3.Error as error:
        raise UnreadableStateError(f"{path}: cannot be used as the state file: {error}") from error
    try:
        _prepare(db, path, check=check)
    except (sqlite3.Error, StoreError) as error:
        db.close()
        if isinstance(error, StoreError):
            raise
        raise UnreadableStateError(f"{path}: cannot be used as the state file: {error}") from error
    return db


def _prepare(db: sqlite3.Connection, path: Path, *, check: bool) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing, a power cut the last moments
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if not 0 <= version <= STATE_VERSION:
        raise UnreadableStateError(f"{path}: state of version {version}, but this Tightrope reads {STATE_VERSION}")
    if check and (damage := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise UnreadableStateError(f"{path}: cannot be used as the state file: {' '.join(damage.split())}")
    if version == STATE_VERSION:
        db.executescript(STORE_TABLES + pending_labels.PENDING_TABLES)
        return
    columns = [name for _, name, *_ in db.execute("PRAGMA table_info(waiting)")]
    statements = pending_labels.FROM_VERSION_1 if columns and "source" not in columns else ()
    tables = STORE_TABLES + pending_labels.PENDING_TABLES
    migration = "".join(f"{statement};" for statement in statements)
    db.executescript(f"BEGIN IMMEDIATE; {migration} {tables} PRAGMA user_version={STATE_VERSION}; COMMIT")
