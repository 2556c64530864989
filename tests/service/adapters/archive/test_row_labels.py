from pathlib import Path

import pytest

from tests.support.judgement.compared_rows import ArchiveFolder, compared_batch
from tightrope.monitors.label_records import Label
from tightrope.service.adapters.archive import row_labels
from tightrope.service.adapters.archive.row_labels import read_records
from tightrope.service.adapters.archive.segments import segment_files


def label(number: int, value: int = 1, probability: float = 0.0) -> Label:
    """The label of the row with this number."""
    return Label("m", f"0-{number}", row=0, label=value, time=0.0, probability=probability)


def numbered(first: int, rows: int) -> object:
    """Rows whose request ids are their numbers."""
    return compared_batch(first, rows, offset=[first + index for index in range(rows)])


def labels(folder: Path) -> dict[int, tuple[int, float]]:
    """The labels on disk with their probabilities, by the number of the row."""
    found = [read_records(path) for path in [*segment_files(folder / "m/reference"), *segment_files(folder / "m")]]
    return {
        int(record["numbers"][0]): (int(record["label"]), float(record["label_probability"]))
        for each in found
        if each
        for record in each[2]
        if record["label"] >= 0 and record["time"]
    }


def put(shelf: ArchiveFolder, *items: object) -> None:
    """Append rows and labels in this order, and wait until they are written."""
    shelf.archive.start()
    for item in items:
        if isinstance(item, list):
            shelf.archive.keep_labels(item)
        else:
            shelf.archive.append(item)  # type: ignore[arg-type]
    shelf.archive.stop(30.0)


def test_labels_find_their_rows(tmp_path: Path) -> None:
    """In the reference, in the newest rows, and in the files of an earlier process; the first label counts."""
    put(ArchiveFolder(tmp_path, reference=5), numbered(0, 20))
    put(
        ArchiveFolder(tmp_path, reference=5), [label(2, 3, 0.5)], numbered(20, 5), [label(7), label(22, 4), label(7, 9)]
    )
    assert labels(tmp_path) == {2: (3, 0.5), 7: (1, 0.0), 22: (4, 0.0)}


def test_a_label_may_come_before_its_row(tmp_path: Path) -> None:
    """It waits in memory until the row is written."""
    put(ArchiveFolder(tmp_path), [label(3, 8), label(99)], numbered(0, 10))
    assert labels(tmp_path) == {3: (8, 0.0)}


def test_labels_of_deleted_rows_are_left_out(tmp_path: Path) -> None:
    """The rows before them expired; the index forgets those, too."""
    shelf = ArchiveFolder(tmp_path, keep=50)
    put(shelf, [label(-1)], *(numbered(first, 10) for first in range(0, 400, 10)), [label(3), label(395)])
    assert labels(tmp_path) == {395: (1, 0.0)}


def test_labels_without_a_row_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are left out."""
    monkeypatch.setattr(row_labels, "MAX_EARLY_LABELS", 2)
    put(ArchiveFolder(tmp_path), [label(0), label(1), label(2)], numbered(0, 5))
    assert labels(tmp_path) == {1: (1, 0.0), 2: (1, 0.0)}
