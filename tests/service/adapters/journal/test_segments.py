from pathlib import Path

import pytest

from tests.service.adapters.journal.journal_samples import segment
from tightrope.service.adapters.journal.incident import Incident, write_incident
from tightrope.service.adapters.journal.segments import INCIDENTS_FOLDER, RecordedFiles


def test_files_of_an_earlier_process_are_known(tmp_path: Path) -> None:
    """Sizes, times and positions; a file that cannot be read is left out, and its number is not used again."""
    segment(tmp_path, 1, rows=0)
    segment(tmp_path, 2, rows=3000)
    (tmp_path / "00000003.journal").write_bytes(b"x")
    files = RecordedFiles(tmp_path)
    assert ([*files.segments], files.next_number) == ([1, 2], 4)
    assert files.segments[2].position == (3000, 0, 0)
    assert files.size == sum(path.stat().st_size for path in tmp_path.glob("0000000[12].journal"))


def test_the_segments_of_an_incident_are_not_free(tmp_path: Path) -> None:
    """Neither is the newest one, which is being written."""
    for number in range(1, 6):
        segment(tmp_path, number, rows=number)
    write_incident(tmp_path / INCIDENTS_FOLDER, Incident("m-1", "m", 1.0, 2, closed=2.0, last=3))
    files = RecordedFiles(tmp_path)
    assert [each.number for each in files.free_segments()] == [1, 4]
    files.drop_incident(files.incidents["m-1"])
    assert [each.number for each in files.free_segments()] == [1, 2, 3, 4]
    files.drop_segment(files.segments[1])
    assert [each.number for each in RecordedFiles(tmp_path).free_segments()] == [2, 3, 4]


@pytest.mark.parametrize(("rows", "first"), [(2_100, 1), (4_000, 2), (9_000, 4)])
def test_an_incident_begins_two_thousand_rows_before(tmp_path: Path, rows: int, first: int) -> None:
    """The first segment is the newest one that began that many rows of the scope before."""
    for number in range(1, 5):
        segment(tmp_path, number, rows=1000 * (number - 1))
    assert RecordedFiles(tmp_path).first_of_lead("model", rows) == first
