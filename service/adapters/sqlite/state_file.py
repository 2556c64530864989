"""A state file's lock, and its way aside: a file that cannot be read is kept under a dated name, never overwritten."""

import errno
import fcntl
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from tightrope.service.errors import TightropeError

log = logging.getLogger(__name__)

JOURNAL_SUFFIXES = ("-wal", "-shm")
"""SQLite's files beside a database. They move with it: SQLite would apply a journal to any file of its name."""

UNREADABLE_MARK = ".unreadable-"
"""Between the name of a file and the time at which it was moved aside."""

LOCK_HELD_ERRORS = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}
"""Errors of a lock that another process holds; every other error means that the file system gives none."""


class StoreError(TightropeError):
    """The state file cannot be used."""


class UnreadableStateError(StoreError):
    """The state file is damaged, locked, or of a newer version; another file in its place could be used."""


class NoLocksError(StoreError):
    """The file system of the state folder has no locks."""


def lock_state(path: Path) -> TextIO:
    """Hold a lock file beside the state file until the process ends, even by a crash.

    Raises:
        NoLocksError: when the file system gives no locks.
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
        if error.errno in LOCK_HELD_ERRORS:
            raise StoreError(
                f"{path}: another Tightrope is running on this state; give this one its own folder"
            ) from error
        raise NoLocksError(
            f"{path}: its file system gives no locks ({error.strerror}); the key state should name a folder with locks"
        ) from error
    return lock


def unreadable_name(name: str, now: float) -> str:
    """The name under which something unreadable is kept from ``now`` (seconds since the epoch) on."""
    return f"{name}{UNREADABLE_MARK}{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}"


def move_aside(path: Path, now: float) -> Path:
    """Rename a database and its journals; returns the new path. A name that is taken gets a number.

    Raises:
        StoreError: when the folder refuses it.
    """
    target = free = path.with_name(unreadable_name(path.name, now))
    number = 1
    while free.exists():
        number += 1
        free = target.with_name(f"{target.name}.{number}")
    try:
        for suffix in ("", *JOURNAL_SUFFIXES):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(free.with_name(free.name + suffix))
    except OSError as error:
        raise StoreError(f"{path}: cannot be read, and cannot be moved aside: {error.strerror}") from error
    return free


def has_stray_journal(path: Path) -> bool:
    """Whether a journal lies here without its database, as after a crash in the middle of `move_aside`."""
    return not path.exists() and any(path.with_name(path.name + suffix).exists() for suffix in JOURNAL_SUFFIXES)


def newest_unreadable(path: Path) -> Path | None:
    """The file that was moved aside last from ``path``, or would be beside its journals; None without one."""
    names = [kept.name for kept in path.parent.glob(f"{path.name}{UNREADABLE_MARK}*")]
    for suffix in JOURNAL_SUFFIXES:
        names = [name.removesuffix(suffix) for name in names]
    return path.with_name(max(names)) if names else None
