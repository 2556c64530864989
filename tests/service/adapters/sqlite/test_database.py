"""The database of the state shrinks again, as does SQLite's own journal; older files are rebuilt so that they can."""

import sqlite3
from pathlib import Path

import pytest

from tightrope.monitors.label_records import Label
from tightrope.service.adapters.ports import PendingChanges
from tightrope.service.adapters.sqlite import database
from tightrope.service.adapters.sqlite.store import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The state file."""
    return tmp_path / "tightrope.db"


def labels(count: int) -> PendingChanges:
    """Many labels that wait, of ids that take room."""
    return PendingChanges(waiting={(f"{n:0200}", 0): Label("m", f"{n:0200}", 0, 1, float(n)) for n in range(count)})


def size(path: Path) -> int:
    """The bytes of the database, after its journal was merged."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()
    return path.stat().st_size


def test_file_shrinks_when_rows_are_gone(path: Path) -> None:
    """Unused pages go back to the disk in portions, while the judge is idle; some stay for what comes next."""
    store = SqliteStore(path, exclusive=True)
    store.save("l", {}, {}, [], {"m": labels(40_000)})
    full = size(path)
    store.save("l", {}, {}, [], {"m": PendingChanges(before=1e9)})
    for _ in range(full // 4096 // database.PAGES_GIVEN_BACK + 1):
        store.flush_deferred(lambda: True)
    assert full > 8e6
    assert size(path) < 1.1 * database.SPARE_PAGES * 4096
    store.close()


def test_journal_shrinks_after_a_large_transaction(path: Path) -> None:
    """It grew beyond its limit, and is cut at the next write after a checkpoint."""
    store = SqliteStore(path, exclusive=True)
    store.save("l", {}, {}, [], {"m": labels(60_000)})
    journal = path.with_name(path.name + "-wal")
    assert journal.stat().st_size > database.JOURNAL_BYTES
    for number in range(3):
        store.save("l", {("t", 0): number}, {}, [])
    assert journal.stat().st_size <= database.JOURNAL_BYTES
    store.close()


def older(path: Path) -> None:
    """A file of a Tightrope whose files never shrank."""
    with sqlite3.connect(path) as db:
        db.executescript(database.ALL_TABLES + f"PRAGMA user_version={database.STATE_VERSION}")
        db.execute("INSERT INTO snapshots VALUES ('m', x'01')")
    db.close()


def mode(store: SqliteStore) -> int:
    """The way in which SQLite gives pages back."""
    return int(store._all("PRAGMA auto_vacuum")[0][0])


def test_older_file_is_rebuilt_once(path: Path) -> None:
    """By the process that judges; what it holds stays."""
    older(path)
    reader = SqliteStore(path)
    assert mode(reader) == 0
    reader.close()
    store = SqliteStore(path, exclusive=True)
    assert mode(store) == database.AUTO_VACUUM_INCREMENTAL
    assert store.snapshot("m") == b"\x01"
    store.close()


@pytest.mark.parametrize(("name", "value"), [("MOST_REBUILT_BYTES", 1), ("ROOM_TO_REBUILD", 1e15)])
def test_file_that_is_too_large_to_rebuild_is_used_as_it_is(
    path: Path, name: str, value: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A line in the log says that it does not shrink."""
    older(path)
    monkeypatch.setattr(database, name, value)
    store = SqliteStore(path, exclusive=True)
    assert (mode(store), store.snapshot("m")) == (0, b"\x01")
    assert "will not shrink" in caplog.text
    store.close()
