"""Rows are told into subgroups by a request parameter or by a column; what was not declared belongs to nobody."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.service.errors import CallerError
from tightrope.service.inference.subgroups import Cut, Spelled, Subgroups, Told
from tightrope.service.protocol.rest import Scalar
from tightrope.service.protocol.tensors import Tensor

INF = float("inf")
BANDS = Cut.of("x", [(1, 0, 9, 0), (1, 10, 10, 1), (1, 20, 20, 1), (0, 65, INF, 2)])
"""Column 1: low 0-9 (scope 0), high 10 or 20 (scope 1); column 0: old from 65 on (scope 2)."""


def marked(cut: Cut | Spelled, tensor: Tensor, scopes: int = 3) -> list[list[int]]:
    """For each row, the scopes that it is in."""
    member = Subgroups(tuple("abc"[:scopes]), (), (cut,)).members({cut.input: tensor}, [{}], [len(tensor)])
    return [list(map(int, np.flatnonzero(row))) for row in member]


def test_codes_and_ranges_cut_every_row_by_its_columns() -> None:
    """Both ends of a range belong to it, a code is itself only, and a row may be in several subgroups."""
    rows = [[64, 0], [65, 9], [99, 10], [64, 20], [64, 15], [1e9, 9.5]]
    assert marked(BANDS, np.array(rows, np.float32)) == [[0], [0, 2], [1, 2], [1], [], [2]]


@pytest.mark.parametrize("value", [-1.0, 9.5, 21.0, np.nan, -np.inf, np.inf])
def test_undeclared_values_belong_to_nobody(value: float) -> None:
    """Between and beyond the declared codes there is no subgroup, and NaN is in none."""
    assert marked(BANDS, np.array([[0, value]], np.float32)) == [[]]


@pytest.mark.parametrize("dtype", ["?", "<u1", "<i8", "<u8", "<f2", "<f4", "<f8"])
def test_every_number_type_can_be_cut(dtype: str) -> None:
    """The code is compared as a number, whatever the input's datatype."""
    assert marked(Cut.of("x", [(0, 1, 1, 0)]), np.array([[0], [1]], dtype)) == [[], [0]]


def test_vector_is_one_column() -> None:
    """An input of shape (rows,) is cut by column 0."""
    assert marked(Cut.of("x", [(0, 1, 2, 0)]), np.array([0, 1, 2, 3])) == [[], [0], [0], []]


def test_strings_are_compared_whole() -> None:
    """Case and spaces count; an undeclared string belongs to nobody."""
    cut = Spelled("x", 1, {"north": 0, "südost": 2})
    rows = [["north", "südost"], ["-", "north"], ["-", "North"], ["-", "north "], ["-", ""]]
    assert marked(cut, np.array(rows, object)) == [[2], [0], [], [], []]


@pytest.mark.parametrize("cut", [BANDS, Spelled("x", 1, {"a": 0})])
def test_input_too_narrow_for_its_column_is_the_callers_mistake(cut: Cut | Spelled) -> None:
    """Where the model leaves the width free, the caller must send the column that subgroups are cut from."""
    with pytest.raises(CallerError, match="input 'x': has 1 columns, but a subgroup is cut from column 1"):
        marked(cut, np.array([["a"]], object) if isinstance(cut, Spelled) else np.zeros((1, 1)))


@pytest.mark.parametrize(
    ("parameters", "scopes"),
    [
        ({"region": "north"}, [0]),
        ({"region": "south", "age": 41}, [1, 2]),
        ({"age": "41"}, [2]),
        ({"flag": True}, [3]),
        ({"flag": "true"}, [3]),
        ({"flag": False}, []),
        ({"region": "west"}, []),
        ({"region": "North"}, []),
        ({"Region": "north"}, []),
        ({"age": 41.0}, []),
        ({}, []),
    ],
)
def test_parameter_tells_the_subgroup_of_the_whole_request(parameters: dict[str, Scalar], scopes: list[int]) -> None:
    """A value counts as JSON writes it; an absent, unknown or undeclared one belongs to nobody."""
    told = (
        Told("region", {"north": 0, "south": 1}),
        Told("age", {"41": 2}),
        Told("flag", {"true": 3}),
        Told("absent", {"None": 4}),
    )
    member = Subgroups(tuple("abcde"), told, ()).members({}, [parameters], [2])
    assert member.shape == (2, 5)
    assert [list(np.flatnonzero(row)) for row in member] == [scopes, scopes]


@given(rows=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 25)), min_size=1, max_size=20))
def test_rows_do_not_depend_on_each_other(rows: list[tuple[int, int]]) -> None:
    """Many rows at once are told as each alone."""
    table = np.array(rows, np.float64)
    assert marked(BANDS, table) == [marked(BANDS, row[None])[0] for row in table]
