"""A folder of segments keeps the newest rows and deletes the oldest file first."""

from pathlib import Path

from tests.support.judgement.compared_rows import KEEPING, SPECS, compared_batch
from tightrope.service.adapters.archive.row_format import ColumnLayout, pack_rows
from tightrope.service.adapters.archive.segments import SegmentFolder, load_segment, segment_files


def filled(folder: Path, batches: int) -> SegmentFolder:
    """A folder that keeps 20 rows, in files of two, after this number of batches of ten rows."""
    segments = SegmentFolder(folder, 20)
    for number in range(batches):
        segments.append(pack_rows(ColumnLayout.from_specs(SPECS), compared_batch(10 * number, 10), KEEPING))
    return segments


def test_oldest_files_go_first(tmp_path: Path) -> None:
    """The newest rows stay, at most one file more than asked."""
    segments = filled(tmp_path, 5)
    assert 20 <= segments.rows < 22
    assert min(int(path.stem) for path in segment_files(tmp_path)) > 0


def test_file_is_dropped_on_request(tmp_path: Path) -> None:
    """The oldest one, with its rows; an empty folder has none to drop."""
    segments = filled(tmp_path, 1)
    before = segments.rows
    assert segments.drop_oldest() == 2
    assert segments.rows == before - 2
    assert SegmentFolder(tmp_path / "empty", 20).drop_oldest() == 0


def test_unreadable_file_is_skipped(tmp_path: Path) -> None:
    """It counts no rows, and reading it is no error."""
    filled(tmp_path, 1)
    first = segment_files(tmp_path)[0]
    first.write_bytes(b"garbage")
    assert load_segment(first) is None
