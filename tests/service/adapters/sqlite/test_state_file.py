"""The lock of a state file, and files that are moved aside."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from tightrope.service.adapters.sqlite.state_file import (
    NoLocksError,
    StoreError,
    has_stray_journal,
    lock_state,
    move_aside,
    newest_unreadable,
    unreadable_name,
)

NOW = 1_795_894_500.0
STAMP = "20261128T193500Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the state file."""
    return tmp_path / "tightrope.db"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EIO])
def test_volume_without_locks_is_no_other_tightrope(path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The error names the file, the system's reason, and the key to change."""

    def flock(_file: object, _how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(NoLocksError) as caught:
        lock_state(path)
    assert str(caught.value).startswith(
        f"{path}: its file system gives no locks ({os.strerror(number)}); the key state"
    )


def test_lock_of_another_process_is_refused(path: Path) -> None:
    """It is not taken for a volume without locks."""
    held = lock_state(path)
    with pytest.raises(StoreError, match="another Tightrope is running on this state") as caught:
        lock_state(path)
    assert not isinstance(caught.value, NoLocksError)
    held.close()
    lock_state(path).close()


def test_database_moves_with_its_journals(path: Path) -> None:
    """SQLite would apply a journal that stays to the next file of that name. A taken name gets a number."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).write_text(suffix)
    kept = move_aside(path, NOW)
    assert kept.name == unreadable_name("tightrope.db", NOW) == f"tightrope.db.unreadable-{STAMP}"
    assert {one.name.removeprefix(kept.name): one.read_text() for one in path.parent.iterdir()} == {
        suffix: suffix for suffix in ("", "-wal", "-shm")
    }
    path.write_text("again")
    assert move_aside(path, NOW).name == f"{kept.name}.2"
    assert newest_unreadable(path) == path.with_name(f"{kept.name}.2")


def test_journal_without_its_database_is_stray(path: Path) -> None:
    """A start that was killed while it moved the database leaves one."""
    assert not has_stray_journal(path)
    path.with_name(path.name + "-wal").write_text("")
    assert has_stray_journal(path)
    path.write_text("")
    assert not has_stray_journal(path)


def test_folder_that_refuses_the_move_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the system's reason."""

    def rename(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    path.write_text("")
    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(StoreError, match="cannot be moved aside: Read-only file system"):
        move_aside(path, NOW)
