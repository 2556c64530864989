"""The rows of a found group that is a scope."""

import numpy as np

from tightrope.monitors.added_scopes.added_scope import AddedScope, ColumnRange


def test_rows_lie_in_every_range_and_every_subgroup() -> None:
    """Both ends are included; a value that is not known is in no range."""
    scope = AddedScope("s", "", (ColumnRange("x", 0, 2.0, 3.0), ColumnRange("x", 4, -np.inf, 7.0)), ("sex=f",))
    values = np.array([[2.0, 7.0], [3.0, -9.0], [1.9, 0.0], [2.0, 7.1], [np.nan, 0.0], [2.0, 0.0]])
    member = np.array([[False, True]] * 5 + [[True, False]])
    assert scope.members(values, member, ("sex=m", "sex=f")).tolist() == [True, True, False, False, False, False]
