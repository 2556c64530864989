"""Opens the state of the process that judges: a state that cannot be read is moved aside, and begins anew."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.adapters.sqlite.event_table import NO_RETENTION, EventRetention
from tightrope.service.adapters.sqlite.state_file import (
    NoLocksError,
    StoreError,
    UnreadableStateError,
    has_stray_journal,
    move_aside,
    newest_unreadable,
)
from tightrope.service.adapters.sqlite.store import IN_MEMORY, SqliteStore

log = logging.getLogger(__name__)


def open_state(
    path: Path,
    *,
    required: bool = False,
    retention: EventRetention = NO_RETENTION,
    keys: AuditKeys | None = None,
    now: Callable[[], float] = time.time,
) -> SqliteStore:
    """The state for the process that judges. A state that cannot be read is moved aside and begins anew; one that has
    no place on disk is kept in memory. In both cases `SqliteStore.lost` tells the reason.

    Raises:
        StoreError: when another process holds it, the folder cannot be used, or no state is here and ``required``.
    """
    try:
        store = _open_or_move_aside(path, retention, keys, now)
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


def _open_or_move_aside(
    path: Path, retention: EventRetention, keys: AuditKeys | None, now: Callable[[], float]
) -> SqliteStore:
    """Open the file, or move it aside and begin another one. An empty one beside a file that was moved aside is lost,
    too: the start that moved it may have been killed.
    """
    loss = ""
    if has_stray_journal(path):
        move_aside(path, now())
    try:
        store = SqliteStore(path, exclusive=True, retention=retention, keys=keys)
    except UnreadableStateError as error:
        kept = move_aside(path, now())
        loss = f"{error}; it was moved to {kept.name}"
        log.error("%s; every scope begins in safe mode", loss)  # noqa: TRY400 - one line
        store = SqliteStore(path, exclusive=True, retention=retention, keys=keys)
    earlier = newest_unreadable(path)
    if store.empty and earlier is not None:
        store.loss = loss or f"the earlier state could not be read and was moved to {earlier.name}"
    return store
