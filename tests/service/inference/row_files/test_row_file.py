from pathlib import Path

import numpy as np
import pytest

from tightrope.service.inference.row_files.row_file import RowFile, RowFileError, joined
from tightrope.service.inference.subgroups import IntervalScopes, OtherScope, ParameterScopes, Subgroups, TextValues

REGIONS = Subgroups(
    ("region=north", "region=other"),
    (ParameterScopes("region", TextValues({"north": 0})),),
    (),
    (OtherScope(0, 1, parameter="region"),),
)
HIGH = Subgroups(("x=high",), (), (IntervalScopes.from_intervals("x", [(1, 5.0, float("inf"), 0)]),))
PATH = Path("rows.csv")


def rows(*widths: int, **more: object) -> RowFile:
    """Return a row of each width, in lines 2, 3, …"""
    parts = [{"x": np.full((1, width), 9.0)} for width in widths]
    return RowFile(PATH, joined(parts), None, range(2, 2 + len(widths)), **more)  # type: ignore[arg-type]


def test_rows_of_other_shapes_are_other_parts() -> None:
    """Neighbours of equal shapes are joined, in order."""
    found = rows(2, 2, 3, 2)
    assert [part["x"].shape for part in found.parts] == [(2, 2), (1, 3), (1, 2)]
    assert len(found) == 4


def test_absent_value_needs_a_file_that_has_the_parameter() -> None:
    """Without it nothing is known about the row; a row of a file that has it belongs to the others."""
    assert rows(1, 1).members(REGIONS).tolist() == [[False, False], [False, False]]
    sent = rows(1, 1, parameters=[{"region": "north"}, {}])
    assert sent.members(REGIONS).tolist() == [[True, False], [False, True]]


def test_row_without_the_column_of_a_subgroup_has_its_line() -> None:
    """The error names the file, the line and the column."""
    assert rows(2).members(HIGH).tolist() == [[True]]
    with pytest.raises(RowFileError, match=r"^rows.csv: line 4: input 'x': has 1 columns, but .* from column 1"):
        rows(2, 2, 1).members(HIGH)
