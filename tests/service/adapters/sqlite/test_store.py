"""The state file: atomic saves, one judge at a time, everything kept over a restart."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.configs import ROOT
from tightrope.monitors.records import Event
from tightrope.service.adapters.sqlite.database import STATE_VERSION
from tightrope.service.adapters.sqlite.state_file import StoreError
from tightrope.service.adapters.sqlite.store import SqliteStore

EVENT = Event("e1", 1.5, "m", "breach", "region=north", "judge", "too often", {"mean": 0.25, "rows": [1, 2], "x": None})
PLACES = {("samples", 0): 7, ("samples", 1): 9, ("control", 0): 3}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the state file."""
    return tmp_path / "state" / "tightrope.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """An open, exclusive store."""
    opened = SqliteStore(path, exclusive=True)
    yield opened
    opened.close()


def event(number: int, model: str = "m") -> Event:
    """One of many events."""
    return replace(EVENT, id=f"{model}{number}", model=model, time=float(number))


def everything(store: SqliteStore) -> tuple[object, ...]:
    """The store's content for model m and log l."""
    return store.snapshot("m"), dict(store.positions("l", ["m"])["m"]), store.events()


def test_new_store_is_empty(store: SqliteStore) -> None:
    """Its folder is created."""
    assert everything(store) == (None, {}, [])


def test_saved_data_can_be_read(store: SqliteStore) -> None:
    """Snapshot, positions and events with their details are equal."""
    store.save("l", PLACES, {"m": b"\x00\xff", "n": b""}, [EVENT])
    assert everything(store) == (b"\x00\xff", PLACES, [(1, EVENT)])
    assert store.snapshot("n") == b""


def test_restart_keeps_everything(path: Path) -> None:
    """Also without close(), as after a crash."""
    first = SqliteStore(path, exclusive=True)
    first.save("l", PLACES, {"m": b"one"}, [EVENT])
    first.close()
    second = SqliteStore(path, exclusive=True)
    assert everything(second) == (b"one", PLACES, [(1, EVENT)])
    second.save("l", {("samples", 0): 8}, {"m": b"two"}, [event(2)])
    reader = SqliteStore(path)
    assert everything(reader) == (b"two", {**PLACES, ("samples", 0): 8}, [(1, EVENT), (2, event(2))])
    reader.close()
    second.close()


def test_save_that_fails_in_the_middle_saves_nothing(store: SqliteStore) -> None:
    """Positions and snapshots stay as they were."""
    store.save("l", PLACES, {"m": b"one"}, [EVENT])
    before = everything(store)
    bad = replace(event(3), detail={"bytes": b"no JSON"})
    with pytest.raises(TypeError):
        store.save("l", {("samples", 0): 99}, {"m": b"two"}, [event(2), bad])
    assert everything(store) == before
    with pytest.raises(sqlite3.Error):
        store.save("other", {("samples", 0): 99}, {"m": object()}, [event(2)])  # type: ignore[dict-item]
    assert everything(store) == before
    store.save("l", {("samples", 0): 10}, {"m": b"three"}, [event(4)])
    assert store.snapshot("m") == b"three"


def test_redelivered_event_is_stored_once(store: SqliteStore) -> None:
    """Events are identified by id: a redelivered one is ignored."""
    store.save("l", {}, {}, [EVENT, event(2)])
    store.save("l", {}, {}, [replace(EVENT, reason="again"), event(2), event(3)])
    assert [told.id for _, told in store.events()] == ["e1", "m2", "m3"]
    assert store.events()[0][1].reason == "too often"


def test_positions_of_older_logs_are_forgotten(store: SqliteStore) -> None:
    """Snapshots and events are kept."""
    store.save("old", PLACES, {"m": b"one"}, [EVENT])
    store.save("new", {("samples", 0): 1}, {}, [])
    assert store.positions("old", ["m"])["m"] == {}
    assert store.positions("new", ["m"])["m"] == {("samples", 0): 1}
    assert (store.snapshot("m"), len(store.events())) == (b"one", 1)


def test_events_beyond_a_number_come_in_order(store: SqliteStore) -> None:
    """The events of one or all models come in pages without gaps."""
    store.save("l", {}, {}, [event(number, "mn"[number % 2]) for number in range(10)])
    numbers = [seq for seq, _ in store.events()]
    assert numbers == sorted(numbers)
    assert [told.time for _, told in store.events("n")] == [1.0, 3.0, 5.0, 7.0, 9.0]
    seen: list[float] = []
    after = 0
    while found := store.events("m", after, 2):
        assert len(found) <= 2
        seen += [told.time for _, told in found]
        after = found[-1][0]
    assert seen == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert store.events("nope") == []


def test_second_judge_is_refused(store: SqliteStore, path: Path) -> None:
    """The error is one line; readers are not refused."""
    with pytest.raises(StoreError, match="another Tightrope is running on this state; give this one its own folder"):
        SqliteStore(path, exclusive=True)
    store.save("l", {}, {"m": b"one"}, [])
    reader = SqliteStore(path)
    assert reader.snapshot("m") == b"one"
    reader.close()


def test_state_is_free_after_close(path: Path) -> None:
    """Another process may open it."""
    for _ in range(2):
        SqliteStore(path, exclusive=True).close()


def test_state_is_free_after_its_judge_was_killed(path: Path) -> None:
    """After SIGKILL during a save the file holds a complete save, and another process may open it."""
    script = (
        "import sys; from pathlib import Path; from tightrope.service.adapters.sqlite.store import SqliteStore\n"
        "store = SqliteStore(Path(sys.argv[1]), exclusive=True)\n"
        "for number in range(10**9):\n"
        "    store.save('l', {('samples', 0): number}, {'m': str(number).encode()}, [])\n"
        "    if number == 20: print('ready', flush=True)\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(StoreError, match="another Tightrope"):
            SqliteStore(path, exclusive=True)
        process.send_signal(signal.SIGKILL)
    store = SqliteStore(path, exclusive=True)
    number = store.positions("l", ["m"])["m"]["samples", 0]
    assert number >= 20
    assert store.snapshot("m") == str(number).encode()
    store.close()


@pytest.mark.parametrize(
    "content", [b"this is no database, but long enough to be read as one" * 100, b"SQLite format 3\0"]
)
@pytest.mark.parametrize("exclusive", [True, False])
def test_file_that_is_not_a_state_file_is_refused(path: Path, content: bytes, *, exclusive: bool) -> None:
    """The error names the path, and no lock is kept."""
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        SqliteStore(path, exclusive=exclusive)
    assert str(caught.value).startswith(f"{path}: cannot be used as the state file: ")
    path.unlink()
    SqliteStore(path, exclusive=True).close()


def test_state_of_another_version_is_refused(path: Path) -> None:
    """The file is unchanged, and no lock is kept."""
    path.parent.mkdir()
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version={STATE_VERSION + 1}")
    database.close()
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(
            StoreError, match=f"state of version {STATE_VERSION + 1}, but this Tightrope reads {STATE_VERSION}"
        ):
            SqliteStore(path, exclusive=True)
    database = sqlite3.connect(path)
    assert database.execute("SELECT name FROM sqlite_master").fetchall() == []
    database.close()
    assert before[:16] == path.read_bytes()[:16]


def test_folder_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    """The error has the system's reason, for judge and reader."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used as the state file: "):
        SqliteStore(tmp_path / "file" / "tightrope.db", exclusive=True)
    with pytest.raises(StoreError, match="cannot be used as the state file: unable to open"):
        SqliteStore(tmp_path / "nowhere" / "tightrope.db")


def test_threads_may_share_a_store(store: SqliteStore) -> None:
    """Readers see complete saves only."""
    stopping = threading.Event()
    wrong: list[object] = []

    def look() -> None:
        while not stopping.is_set():
            snapshot, found = store.snapshot("m"), store.events("m", 0, 10_000)
            if snapshot is not None and len(found) < int(snapshot):
                wrong.append((snapshot, len(found)))

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 101):
        store.save("l", {("samples", 0): number}, {"m": str(number).encode()}, [event(number)])
    stopping.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert len(store.events("m", 0, 1000)) == 100
