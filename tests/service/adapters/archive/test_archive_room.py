"""Rows for people leave a reserve to modes and events, and go first when the volume is short of space."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.judgement.compared_rows import ArchiveFolder, compared_batch
from tests.support.volumes import Volume, small_volume
from tightrope.monitors.records import Event
from tightrope.service.adapters.archive.archive import read_newest, read_reference
from tightrope.service.adapters.archive.free_space import RESERVE_BYTES, FreeSpace
from tightrope.service.adapters.archive.report_store import ReportStore
from tightrope.service.adapters.sqlite.store import SqliteStore

ROOM = 100_000


def filled(folder: Path, room: int = ROOM) -> FreeSpace:
    """Return a volume on which only ``room`` bytes and the reserve are free without the folder's files."""

    def statvfs(_: Path) -> Volume:
        used = sum(path.stat().st_size for path in folder.rglob("*.rows"))
        return Volume(RESERVE_BYTES + room - used)

    return FreeSpace(folder, statvfs)


def test_oldest_rows_go_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The newest rows and the reference stay; each deleted row is counted, and the log has one line."""
    archive = ArchiveFolder(tmp_path, keep=10_000, reference=50, space=filled(tmp_path))
    with caplog.at_level(logging.WARNING):
        archive.put(*(compared_batch(first, 50) for first in range(0, 3000, 50)))
    kept = [int(value) for value in read_newest(tmp_path, "m", 10_000).inputs["x_0"]]
    assert kept == list(range(3000 - len(kept), 3000))
    assert len(read_reference(tmp_path, "m", 1000)) == 50
    assert archive.skipped("reserve") == 3000 - 50 - len(kept) > 0
    assert len([one for one in caplog.records if "short of space" in one.getMessage()]) == 1
    assert archive.metrics.disk_short._value.get() == 0


def test_no_row_is_written_into_the_reserve(tmp_path: Path) -> None:
    """Another program has filled the volume: every row is skipped and counted, and the metric says so."""
    archive = ArchiveFolder(tmp_path, space=filled(tmp_path, room=-4096))
    archive.put(compared_batch(0, 50))
    assert (archive.skipped("reserve"), archive.kept()) == (50, 0)
    assert archive.metrics.disk_short._value.get() == 1
    assert list(tmp_path.rglob("*.rows")) == []


def test_no_report_is_written_into_the_reserve(tmp_path: Path) -> None:
    """The error has a reason for people."""
    reports = ReportStore(tmp_path, FreeSpace(tmp_path, lambda _: Volume(0)))
    with pytest.raises(OSError, match="a reserve for modes and events"):
        reports.save("m", "<html></html>", {}, 5, 0.0)
    assert reports.names("m") == []


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A real volume of four mebibytes."""
    with small_volume(tmp_path / "volume", "4m") as folder:
        yield folder


def test_archive_leaves_room_for_modes(volume: Path) -> None:
    """Thousands of rows later, modes and events are saved on the same volume."""
    store = SqliteStore(volume / "tightrope.db")
    archive = ArchiveFolder(volume / "rows", keep=1_000_000)
    archive.put(*(compared_batch(first, 500) for first in range(0, 60_000, 500)))
    assert archive.skipped("reserve") > 0
    store.save("l", {}, {"m": bytes(100_000)}, [Event("e", 1.0, "m", "breach", "model", "judge", "")])
    assert len(store.events()) == 1
    store.close()


def test_rows_go_when_another_program_fills_the_volume(volume: Path) -> None:
    """The save that found no room is made again after the rows are deleted."""
    store = SqliteStore(volume / "tightrope.db")
    archive = ArchiveFolder(volume / "rows", keep=1_000_000)
    archive.put(*(compared_batch(first, 500) for first in range(0, 8_000, 500)))
    with (volume / "other").open("wb", buffering=0) as other, suppress(OSError):
        while other.write(bytes(4096)):
            pass
    store.make_room = archive.archive.make_room
    for number in range(20):
        store.save("l", {}, {"m": bytes([number]) * 100_000}, [])
    assert store.snapshot("m") == bytes([19]) * 100_000
    assert archive.skipped("reserve") > 0
    store.close()
