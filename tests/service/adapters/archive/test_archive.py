import stat
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.judgement.compared_rows import ArchiveFolder, compared_batch
from tightrope.service.adapters.archive import segments
from tightrope.service.adapters.archive.archive import MAX_QUEUED_ROWS, read_newest, read_reference


def numbers(folder: Path, rows: int = 10_000) -> list[int]:
    """The numbers of the newest rows, in order."""
    table = read_newest(folder, "m", rows)
    return [int(value) for value in table.inputs["x_0"]] if len(table) else []


def on_disk(folder: Path) -> int:
    """Total bytes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_newest_rows_are_read_oldest_first(tmp_path: Path) -> None:
    """At most the requested number of rows is returned."""
    ArchiveFolder(tmp_path).put(compared_batch(0, 30), compared_batch(30, 30))
    assert numbers(tmp_path) == list(range(60))
    assert numbers(tmp_path, 7) == list(range(53, 60))


def test_rows_on_disk_are_bounded(tmp_path: Path) -> None:
    """A hundred times the traffic leaves only the files of the newest rows."""
    shelf = ArchiveFolder(tmp_path, keep=200)
    shelf.put(*(compared_batch(first, 37) for first in range(0, 20_000, 37)))
    last = shelf.kept()
    assert 200 <= len(numbers(tmp_path)) <= 220
    assert numbers(tmp_path) == list(range(last - len(numbers(tmp_path)), last))
    assert len(list(tmp_path.rglob("*.rows"))) <= 12


def test_a_batch_larger_than_a_file_is_bounded_too(tmp_path: Path) -> None:
    """The batch is split over several files."""
    ArchiveFolder(tmp_path, keep=50).put(compared_batch(0, 1000))
    assert numbers(tmp_path) == list(range(950, 1000))


def test_the_first_rows_are_kept_apart_for_good(tmp_path: Path) -> None:
    """They are the reference: the two sets of rows are disjoint."""
    shelf = ArchiveFolder(tmp_path, keep=100, reference=40)
    shelf.put(*(compared_batch(first, 25) for first in range(0, 1000, 25)))
    assert [int(x) for x in read_reference(tmp_path, "m", 1000).inputs["x_0"]] == list(range(40))
    assert [int(x) for x in read_reference(tmp_path, "m", 15).inputs["x_0"]] == list(range(15))
    assert numbers(tmp_path)[-1] == 999
    assert min(numbers(tmp_path)) >= 40


def test_a_restart_goes_on(tmp_path: Path) -> None:
    """Neither the reference nor the newest rows start over."""
    for first in range(0, 100, 20):
        ArchiveFolder(tmp_path, keep=1000, reference=30).put(compared_batch(first, 20))
    assert [int(x) for x in read_reference(tmp_path, "m", 1000).inputs["x_0"]] == list(range(30))
    assert numbers(tmp_path) == list(range(30, 100))


def test_rows_are_bounded_over_restarts(tmp_path: Path) -> None:
    """Rows written by earlier processes count."""
    for first in range(0, 600, 20):
        ArchiveFolder(tmp_path, keep=100).put(compared_batch(first, 20))
    assert numbers(tmp_path) == list(range(600 - len(numbers(tmp_path)), 600))
    assert 100 <= len(numbers(tmp_path)) <= 120


def test_a_torn_last_row_is_skipped_and_the_next_start_goes_on(tmp_path: Path) -> None:
    """A process killed in the middle of a row loses that row only, and the file is not continued."""
    ArchiveFolder(tmp_path).put(compared_batch(0, 10))
    (file,) = tmp_path.rglob("*.rows")
    file.write_bytes(file.read_bytes()[:-3])
    ArchiveFolder(tmp_path).put(compared_batch(10, 5))
    assert numbers(tmp_path) == [*range(9), *range(10, 15)]


def test_unreadable_file_is_skipped(tmp_path: Path) -> None:
    """A torn header or a foreign file is skipped."""
    ArchiveFolder(tmp_path).put(compared_batch(0, 10))
    (tmp_path / "m" / "0000000005.rows").write_bytes(b'{"format": "tight')
    (tmp_path / "m" / "notes.rows").write_text("mine")
    ArchiveFolder(tmp_path).put(compared_batch(10, 10))
    assert numbers(tmp_path) == list(range(20))


def test_a_new_artefact_begins_a_new_file(tmp_path: Path) -> None:
    """Rows of two artefacts are never in one file; the table names the latest."""
    shelf, late = ArchiveFolder(tmp_path), compared_batch(10, 5)
    shelf.put(compared_batch(0, 10), replace(late, comparisons=replace(late.comparisons, compressed_digest="c2")))
    assert len(list(tmp_path.rglob("*.rows"))) == 2
    assert read_newest(tmp_path, "m", 100).artefacts == ("b1", "c2")


def test_other_users_cannot_read_the_rows(tmp_path: Path) -> None:
    """Inputs can be personal data."""
    ArchiveFolder(tmp_path / "rows").put(compared_batch(0, 10))
    assert stat.S_IMODE((tmp_path / "rows").stat().st_mode) == 0o700


def test_keeping_no_rows_writes_nothing(tmp_path: Path) -> None:
    """`keep_rows: 0` turns the archive off."""
    ArchiveFolder(tmp_path / "rows", keep=0, reference=10).put(compared_batch(0, 10))
    assert not (tmp_path / "rows").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_loses_only_rows(tmp_path: Path) -> None:
    """Failed writes do not reach the worker; the rows are counted, and later ones are kept."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "0000000000.rows").symlink_to("/dev/full")
    shelf = ArchiveFolder(tmp_path)
    shelf.put(compared_batch(0, 10), compared_batch(10, 10))
    assert (shelf.skipped("disk"), shelf.kept()) == (20, 0)
    assert len(list(tmp_path.rglob("*.rows"))) == 1

    (tmp_path / "m" / "0000000000.rows").unlink()
    again = ArchiveFolder(tmp_path)
    again.put(compared_batch(20, 10))
    assert numbers(tmp_path) == list(range(20, 30))


def test_unusable_folder_loses_only_rows(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "rows").write_text("a file")
    shelf = ArchiveFolder(tmp_path / "rows")
    shelf.put(compared_batch(0, 10))
    assert shelf.skipped("disk") == 10


def test_rows_that_fit_no_column_are_skipped(tmp_path: Path) -> None:
    """Rows with unexpected inputs stop neither the worker nor the archive."""
    shelf, odd = ArchiveFolder(tmp_path), compared_batch(0, 2)
    odd.inputs[1]["x"] = odd.inputs[1]["x"].reshape(3, 1)  # type: ignore[index]
    shelf.put(odd, compared_batch(2, 3))
    assert (shelf.skipped("unfit"), numbers(tmp_path)) == (2, [2, 3, 4])


def test_hanging_disk_does_not_delay_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows wait in bounded memory; rows without room there are counted."""
    hanging = threading.Event()
    monkeypatch.setattr(segments.SegmentFolder, "append", lambda *_: [hanging.wait(30.0)][1:])
    shelf, batch = ArchiveFolder(tmp_path), compared_batch(0, 2048)
    shelf.archive.start()
    began = time.monotonic()
    for _ in range(40):
        shelf.archive.append(batch)
    assert time.monotonic() - began < 5.0
    assert shelf.skipped("busy") == 40 * 2048 - MAX_QUEUED_ROWS
    hanging.set()
    shelf.archive.stop(30.0)
    assert shelf.kept() == MAX_QUEUED_ROWS


def test_rows_can_be_read_while_files_are_written_and_deleted(tmp_path: Path) -> None:
    """Reports are made by another process, which sees complete rows only, in order."""
    shelf = ArchiveFolder(tmp_path, keep=500)
    shelf.archive.start()
    for first in range(0, 20_000, 50):
        shelf.archive.append(compared_batch(first, 50))
        if first % 1000 == 0:
            seen = numbers(tmp_path)
            assert seen == sorted(seen)
    shelf.archive.stop(30.0)
    assert numbers(tmp_path)[-1] == 19_999


def test_the_space_of_a_row_is_that_of_its_columns(tmp_path: Path) -> None:
    """And of its identity and its whole inputs: there is no padding, and no request id."""
    ArchiveFolder(tmp_path, keep=10_000).put(compared_batch(0, 1000))
    identity, inputs = 32 + 4 + 8 + 8 + 8 + 8 + 8 + 4, 5 + 3 * 4 + 5 + 4 + 6
    assert on_disk(tmp_path) < 1000 * (10 * 8 + 3 * 8 + 64 + 3 + identity + inputs) + 1000
    assert not any(b"0-999" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_an_archive_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    """A start that fails elsewhere stops every part."""
    ArchiveFolder(tmp_path).archive.stop(1.0)
    assert not list(tmp_path.iterdir())
