"""The processes that use a state folder: each holds a shared lock on a file there, in which it says who it is.

An erasure holds the file for itself. It cannot while another process runs, because that one would write from its memory
what was erased; a process that starts meanwhile waits for the end.
"""

import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from tightrope.service.adapters.sqlite.state_file import LOCK_HELD_ERRORS, StoreError

log = logging.getLogger(__name__)

HOLDERS_FILE = "holders.lock"
"""The file in the state folder, with a line of JSON for each process that uses it."""


@dataclass(frozen=True, slots=True)
class StateHolder:
    """A process that uses a state: its number on its ``host``, its command, and its start (s since the epoch)."""

    pid: int
    host: str
    command: str
    since: float

    def __str__(self) -> str:
        start = f"{datetime.fromtimestamp(self.since, UTC):%Y-%m-%d %H:%M} UTC"
        return f"process {self.pid} on {self.host} (tightrope {self.command}, since {start})"

    @property
    def may_run(self) -> bool:
        """Whether it runs, as far as this host can tell."""
        if self.host != socket.gethostname():
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


@contextmanager
def held_state(folder: Path, command: str) -> Iterator[None]:
    """Use a state, after the end of an erasure. A folder that cannot be written, or gives no locks, is not held: there
    an erasure is refused. A folder that was made for this alone is removed where the start fails.
    """
    is_new = not folder.exists()
    with ExitStack() as stack:
        own = StateHolder(os.getpid(), socket.gethostname(), command, time.time())
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(_opened(folder))
            if _is_free(file):
                file.truncate(0)
            _share(file, folder)
            file.write(json.dumps(asdict(own)) + "\n")
            file.flush()
        except OSError as error:
            log.debug("%s: cannot be held: %s", folder, error)
        try:
            yield
        except BaseException:
            if is_new:
                _remove_empty(folder)
            raise


@contextmanager
def unused_state(folder: Path) -> Iterator[None]:
    """Have a state to oneself.

    Raises:
        StoreError: when a process uses it, which is named, or the folder cannot tell.
    """
    try:
        file = _opened(folder)
    except FileNotFoundError:  # there is no state
        yield
        return
    except OSError as error:
        raise StoreError(f"{folder / HOLDERS_FILE}: cannot be used: {error.strerror}") from error
    with file:
        try:
            is_free = _is_free(file)
        except OSError as error:
            text = f"its file system gives no locks ({error.strerror}), so a process that uses it would not be noticed"
            raise StoreError(f"{folder}: {text}") from error
        if not is_free:
            raise StoreError(f"{folder}: {_names(file)} runs on this state")
        yield


def _remove_empty(folder: Path) -> None:
    """Remove a state folder in which nothing but the file of its holders is."""
    with suppress(OSError):
        if [each.name for each in folder.iterdir()] == [HOLDERS_FILE]:
            (folder / HOLDERS_FILE).unlink()
            folder.rmdir()


def _opened(folder: Path) -> TextIO:
    path = folder / HOLDERS_FILE
    path.touch(mode=0o600)
    return path.open("a+")


def _share(file: TextIO, folder: Path) -> None:
    """Hold the file beside other processes; a wait for an erasure is told, because one that is suspended has no end."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in LOCK_HELD_ERRORS:
            raise
        log.warning("%s: the start waits until `tightrope erase` on this state has ended", folder)
        fcntl.flock(file, fcntl.LOCK_SH)


def _is_free(file: TextIO) -> bool:
    """Lock the file for this process alone, and return True; False where another one has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in LOCK_HELD_ERRORS:
            return False
        raise
    return True


def _names(file: TextIO) -> str:
    """The processes that the file names and that may run."""
    file.seek(0)
    found = []
    for line in file:
        try:
            found.append(StateHolder(**json.loads(line)))
        except (ValueError, TypeError):
            log.debug("%s: a line names no process", HOLDERS_FILE)
    return " and ".join(str(each) for each in found if each.may_run) or "another process"
