"""The database of the state: opened, checked, brought to this version, and kept small."""

import logging
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from tightrope.service.adapters.sqlite.event_chain import CHAIN_TABLES, EventChain
from tightrope.service.adapters.sqlite.event_table import EVENT_TABLES, keep_earlier
from tightrope.service.adapters.sqlite.given_up_rows import GIVEN_UP_TABLE
from tightrope.service.adapters.sqlite.input_journal import JOURNAL_TABLE
from tightrope.service.adapters.sqlite.pending_labels import FROM_VERSION_1, PENDING_TABLES
from tightrope.service.adapters.sqlite.state_file import StoreError, UnreadableStateError
from tightrope.service.adapters.sqlite.transactions import transaction

log = logging.getLogger(__name__)

STORE_TABLES = """
CREATE TABLE IF NOT EXISTS snapshots (model TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS positions (
    log TEXT, topic TEXT, partition INTEGER, next INTEGER NOT NULL, PRIMARY KEY (log, topic, partition)
);
"""
ALL_TABLES = STORE_TABLES + EVENT_TABLES + CHAIN_TABLES + PENDING_TABLES + GIVEN_UP_TABLE + JOURNAL_TABLE

STATE_VERSION = 2
"""The version of the tables. An older file is brought to it, a newer one is unreadable."""

LOCK_WAIT_SECONDS = 5.0
"""Time for which a lock of another process on the database is waited for."""

DISK_ERRORS = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
"""Codes of a write for which the disk has no room; SQLite reports some of them as input and output errors."""

JOURNAL_BYTES = 8 * 1024 * 1024
"""The size to which SQLite's own journal shrinks again after a large transaction."""

SPARE_PAGES, PAGES_GIVEN_BACK = 1_000, 500
"""Unused pages that stay in the file for what comes next, and the most that one call gives back to the disk."""

MOST_REBUILT_BYTES = 1 << 30
"""The largest file of an older Tightrope that is rebuilt at the start so that it can shrink: some seconds."""

ROOM_TO_REBUILD = 2.5
"""Free space on the disk, in sizes of the file, that a rebuild needs."""

AUTO_VACUUM_INCREMENTAL = 2


def is_full(error: sqlite3.Error) -> bool:
    """Whether the disk has no room."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DISK_ERRORS


def opened(path: Path, chain: EventChain, *, check: bool) -> sqlite3.Connection:
    """The database of a state file, of this version; with ``check`` its events are those of the ``chain``.

    Raises:
        UnreadableStateError: when it cannot be used.
    """
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=LOCK_WAIT_SECONDS)
    except sqlite3.Error as error:
        raise UnreadableStateError(f"{path}: cannot be used as the state file: {error}") from error
    try:
        _prepare(db, path, chain, check=check)
    except (sqlite3.Error, StoreError) as error:
        db.close()
        if isinstance(error, StoreError):
            raise
        raise UnreadableStateError(f"{path}: cannot be used as the state file: {error}") from error
    return db


def _prepare(db: sqlite3.Connection, path: Path, chain: EventChain, *, check: bool) -> None:
    if _is_new(db):
        db.execute(f"PRAGMA auto_vacuum={AUTO_VACUUM_INCREMENTAL}")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing, a power cut the last moments
    db.execute(f"PRAGMA journal_size_limit={JOURNAL_BYTES}")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if not 0 <= version <= STATE_VERSION:
        raise UnreadableStateError(f"{path}: state of version {version}, but this Tightrope reads {STATE_VERSION}")
    if check and (damage := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise UnreadableStateError(f"{path}: cannot be used as the state file: {' '.join(damage.split())}")
    if version == STATE_VERSION:
        db.executescript(ALL_TABLES)
    else:
        columns = [name for _, name, *_ in db.execute("PRAGMA table_info(waiting)")]
        statements = FROM_VERSION_1 if columns and "source" not in columns else ()
        migration = "".join(f"{statement};" for statement in statements)
        db.executescript(f"BEGIN IMMEDIATE; {migration} {ALL_TABLES} PRAGMA user_version={STATE_VERSION}; COMMIT")
    if check:
        with transaction(db) as cursor:
            keep_earlier(cursor)
            chain.adopt(cursor)
        _let_shrink(db, path)


def _is_new(db: sqlite3.Connection) -> bool:
    return not db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()


def _let_shrink(db: sqlite3.Connection, path: Path) -> None:
    """Rebuild the file of an older Tightrope, once: only then unused pages can be given back to the disk."""
    if db.execute("PRAGMA auto_vacuum").fetchone()[0] == AUTO_VACUUM_INCREMENTAL or not path.exists():
        return
    size, free = path.stat().st_size, os.statvfs(path.parent)
    if size > MOST_REBUILT_BYTES or free.f_bavail * free.f_frsize < ROOM_TO_REBUILD * size:
        log.warning("%s: of an older Tightrope and too large to be rebuilt; it will not shrink", path)
        return
    try:
        db.execute(f"PRAGMA auto_vacuum={AUTO_VACUUM_INCREMENTAL}")
        db.execute("VACUUM")
    except sqlite3.Error as error:  # the state is whole: only its size stays
        log.warning("%s: could not be rebuilt, it will not shrink: %s", path, error)


def give_back(db: sqlite3.Connection) -> None:
    """Give a portion of unused pages back to the disk. What fails is tried again with the next portion."""
    with suppress(sqlite3.Error):
        unused = int(db.execute("PRAGMA freelist_count").fetchone()[0]) - SPARE_PAGES
        if unused > 0:
            # As a script: `execute` would stop after the first page.
            db.executescript(f"PRAGMA incremental_vacuum({min(unused, PAGES_GIVEN_BACK)})")
