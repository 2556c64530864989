"""A state that cannot be read is moved aside and told, and never taken for a fresh one."""

import fcntl
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tightrope.monitors.records import Event
from tightrope.service.adapters.sqlite import database
from tightrope.service.adapters.sqlite.database import STATE_VERSION
from tightrope.service.adapters.sqlite.opening import open_state
from tightrope.service.adapters.sqlite.state_file import StoreError, newest_unreadable
from tightrope.service.adapters.sqlite.store import SqliteStore

NOW = 1_795_894_500.0
NAME = "tightrope.db.unreadable-20261128T193500Z"
EVENTS = [Event(f"e{n}", 1.0, "m", "breach", "model", "judge", "x" * 500) for n in range(200)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a state file with a snapshot and many events."""
    file = tmp_path / "tightrope.db"
    store = SqliteStore(file, exclusive=True)
    store.save("l", {("t", 0): 1}, {"m": b"one"}, EVENTS)
    store.close()
    return file


def damage_pages(path: Path) -> None:
    """Overwrite the pages behind the first one."""
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def damage_one_page(path: Path) -> None:
    """Overwrite the last page: it has events, and the snapshots can be read."""
    content = path.read_bytes()
    path.write_bytes(content[:-4096] + b"\xa5" * 4096)


def cut(path: Path) -> None:
    """Cut the file in the middle, as a full disk does."""
    path.write_bytes(path.read_bytes()[:10_000])


def make_newer(path: Path) -> None:
    """Give the file the version of a later Tightrope."""
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version={STATE_VERSION + 1}")
    newer.close()


def replace_by_text(path: Path) -> None:
    """Write a file that is no database."""
    path.write_text("no database " * 1000)


@pytest.mark.parametrize("spoil", [damage_pages, damage_one_page, cut, make_newer, replace_by_text])
def test_state_that_cannot_be_read_is_moved_aside(
    path: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """The log and `lost` name the reason and the new name; the moved file has the bytes that the state had."""
    spoil(path)
    before = path.read_bytes()
    with caplog.at_level(logging.ERROR):
        store = open_state(path, now=lambda: NOW)
    assert path.with_name(NAME).read_bytes() == before
    assert store.snapshot("m") is None
    assert f"it was moved to {NAME}" in store.lost("m")
    assert NAME in caplog.text
    store.save("l", {}, {"m": b"two"}, [])
    assert store.lost("m") == ""
    store.close()
    again = open_state(path)
    assert (again.snapshot("m"), again.lost("m")) == (b"two", "")
    again.close()


def test_state_that_is_locked_is_moved_aside(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that holds the database's lock keeps its file, and the state begins anew."""
    monkeypatch.setattr(database, "LOCK_WAIT_SECONDS", 0.1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    store = open_state(path, now=lambda: NOW)
    assert "database is locked" in store.lost("m")
    store.close()
    holder.close()
    kept = SqliteStore(path.with_name(NAME))
    assert kept.snapshot("m") == b"one"
    kept.close()


def test_state_stays_lost_until_a_snapshot_is_saved(path: Path) -> None:
    """A start that is killed after it moved the file leaves an empty one, which is not fresh."""
    damage_pages(path)
    open_state(path, now=lambda: NOW).close()
    again = open_state(path)
    assert again.lost("m") == f"the earlier state could not be read and was moved to {NAME}"
    again.close()
    path.unlink()
    third = open_state(path)
    assert third.lost("m") != ""
    third.close()


def test_journal_of_a_vanished_database_is_never_applied(path: Path) -> None:
    """It is moved aside, and the state is lost."""
    path.unlink()
    path.with_name(path.name + "-wal").write_bytes(b"a journal")
    store = open_state(path, now=lambda: NOW)
    assert store.snapshot("m") is None
    assert path.with_name(f"{NAME}-wal").read_bytes() == b"a journal"
    assert store.lost("m") != ""
    store.close()


def test_state_without_locks_is_in_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two processes could write to one file: nothing is read and nothing is written there, and everything is lost."""
    before = path.read_bytes()

    def flock(_file: object, _how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with caplog.at_level(logging.ERROR):
        store = open_state(path)
    assert "gives no locks (No locks available)" in store.lost("m")
    assert "gives no locks (No locks available)" in caplog.text
    store.save("l", {}, {"m": b"two"}, [])
    assert (store.snapshot("m"), path.read_bytes()) == (b"two", before)
    with pytest.raises(StoreError, match="gives no locks"):
        open_state(path, required=True)
    store.close()


def test_other_tightrope_is_still_refused(path: Path) -> None:
    """Its state is not moved aside."""
    first = open_state(path)
    with pytest.raises(StoreError, match="another Tightrope is running on this state"):
        open_state(path)
    first.close()
    assert newest_unreadable(path) is None


def test_snapshot_is_kept_under_another_name(path: Path) -> None:
    """The next snapshot replaces the original only."""
    store = open_state(path)
    store.set_aside("m", "m.unreadable-1")
    store.save("l", {}, {"m": b"two"}, [])
    assert (store.snapshot("m"), store.snapshot("m.unreadable-1")) == (b"two", b"one")
    store.close()
