from pathlib import Path

import numpy as np

from tightrope.offline.qualification.samples.row_source import drawn_rows
from tightrope.service.inference.row_files.row_file import RowFile


def test_drawn_rows_keep_what_belongs_to_them() -> None:
    """Inputs of both shapes, labels, positions and subgroups; a part without a drawn row is left out."""
    parts = [{"x": np.array([[1], [2]])}, {"x": np.array([[3, 4]])}, {"x": np.array([[5]])}]
    members = np.array([[True], [False], [True], [False]])
    table = RowFile(Path("rows"), parts, np.array([7, 8, 9, 6]), ["a", "b", "c", "d"], known_members=members)
    chosen = drawn_rows(table, np.array([False, True, False, True]))
    assert [part["x"].tolist() for part in chosen.parts] == [[[2]], [[5]]]
    assert chosen.labels is not None
    assert chosen.labels.tolist() == [8, 6]
    assert list(chosen.positions) == ["b", "d"]
    assert chosen.known_members is not None
    assert chosen.known_members.tolist() == [[False], [False]]
