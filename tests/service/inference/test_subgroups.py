"""Rows belong to subgroups by a request parameter or by a column; undeclared values belong to ``attribute=other``."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.service.errors import CallerError
from tightrope.service.inference.subgroups import (
    IntervalScopes,
    OtherScope,
    ParameterScopes,
    Subgroups,
    TextScopes,
    TextValues,
)
from tightrope.service.protocol.rest import Scalar
from tightrope.service.protocol.tensors import Tensor

INF = float("inf")
BANDS = IntervalScopes.from_intervals("x", [(1, 0, 9, 0), (1, 10, 10, 1), (1, 20, 20, 1), (0, 65, INF, 2)])
"""Column 1: low 0-9 (scope 0), high 10 or 20 (scope 1); column 0: old from 65 on (scope 2)."""


def marked(cut: IntervalScopes | TextScopes, tensor: Tensor, scopes: int = 3) -> list[list[int]]:
    """The scopes of each row."""
    member = Subgroups(tuple("abc"[:scopes]), (), (cut,)).members({cut.input: tensor}, [{}], [len(tensor)])
    return [list(map(int, np.flatnonzero(row))) for row in member]


def test_codes_and_ranges_apply_to_each_rows_columns() -> None:
    """A range includes both ends, a code is exact, and a row may be in several subgroups."""
    rows = [[64, 0], [65, 9], [99, 10], [64, 20], [64, 15], [1e9, 9.5]]
    assert marked(BANDS, np.array(rows, np.float32)) == [[0], [0, 2], [1, 2], [1], [], [2]]


@pytest.mark.parametrize("value", [-1.0, 9.5, 21.0, np.nan, -np.inf, np.inf])
def test_undeclared_values_belong_to_no_subgroup(value: float) -> None:
    """Values between and beyond the codes, and NaN."""
    assert marked(BANDS, np.array([[0, value]], np.float32)) == [[]]


@pytest.mark.parametrize("dtype", ["?", "<u1", "<i8", "<u8", "<f2", "<f4", "<f8"])
def test_every_numeric_type_has_codes(dtype: str) -> None:
    """A code is compared as a number, for every datatype of the input."""
    assert marked(IntervalScopes.from_intervals("x", [(0, 1, 1, 0)]), np.array([[0], [1]], dtype)) == [[], [0]]


def test_vector_is_one_column() -> None:
    """An input of shape (rows,) is column 0."""
    assert marked(IntervalScopes.from_intervals("x", [(0, 1, 2, 0)]), np.array([0, 1, 2, 3])) == [[], [0], [0], []]


@pytest.mark.parametrize(
    ("steps", "scopes"),
    [
        ((), [[2], [0], [], [], []]),
        (("strip",), [[2], [0], [], [0], []]),
        (("casefold",), [[2], [0], [0], [], []]),
        (("strip", "casefold"), [[2], [0], [0], [0], []]),
    ],
)
def test_strings_are_compared_after_normalising(steps: tuple[str, ...], scopes: list[list[int]]) -> None:
    """Without steps case and blanks count; an undeclared string belongs to no declared subgroup."""
    cut = TextScopes("x", 1, TextValues({"north": 0, "südost": 2}, steps))
    rows = [["north", "südost"], ["-", "north"], ["-", "North"], ["-", " north "], ["-", ""]]
    assert marked(cut, np.array(rows, object)) == scopes


@pytest.mark.parametrize("cut", [BANDS, TextScopes("x", 1, TextValues({"a": 0}))])
def test_input_without_the_subgroups_column_is_refused(cut: IntervalScopes | TextScopes) -> None:
    """Where the width is free, the caller must send the column."""
    with pytest.raises(CallerError, match="input 'x': has 1 columns, but a subgroup is cut from column 1"):
        marked(cut, np.array([["a"]], object) if isinstance(cut, TextScopes) else np.zeros((1, 1)))


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
def test_parameter_gives_the_subgroup_of_the_whole_request(parameters: dict[str, Scalar], scopes: list[int]) -> None:
    """A value counts as JSON writes it; an absent or undeclared one gives none."""
    by_parameter = (
        ParameterScopes("region", TextValues({"north": 0, "south": 1})),
        ParameterScopes("age", TextValues({"41": 2})),
        ParameterScopes("flag", TextValues({"true": 3})),
        ParameterScopes("absent", TextValues({"None": 4})),
    )
    member = Subgroups(tuple("abcde"), by_parameter, ()).members({}, [parameters], [2])
    assert member.shape == (2, 5)
    assert [list(np.flatnonzero(row)) for row in member] == [scopes, scopes]


@given(rows=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 25)), min_size=1, max_size=20))
def test_rows_do_not_depend_on_each_other(rows: list[tuple[int, int]]) -> None:
    """Many rows at once get the scopes that each gets alone."""
    table = np.array(rows, np.float64)
    assert marked(BANDS, table) == [marked(BANDS, row[None])[0] for row in table]


HOME = ParameterScopes("home", TextValues({"gq": 0, "house": 1}, ("strip", "casefold")))
BAND = IntervalScopes.from_intervals("x", [(0, 0, 9, 3), (0, 20, 20, 4)])
BOTH = Subgroups(
    ("home=gq", "home=house", "home=other", "band=low", "band=high", "band=other"),
    (HOME,),
    (BAND,),
    (OtherScope(0, 2, "refuse", "home", "", "gq, house"), OtherScope(3, 5, "baseline", None, "input 'x'", "low (0)")),
)


@pytest.mark.parametrize("value", ["GQ", "gq ", " Gq\t", "gq"])
def test_spellings_of_a_value_are_the_value(value: str) -> None:
    """A caller who writes it in another way does not leave the subgroup, and its safe mode, by that."""
    assert BOTH.members({"x": np.zeros((1, 1))}, [{"home": value}], [1])[0].tolist()[:3] == [True, False, False]


@pytest.mark.parametrize("parameters", [{}, {"home": "gq2"}, {"home": ""}, {"home": 7}, {"Home": "gq"}])
def test_absent_and_undeclared_values_belong_to_other(parameters: dict[str, Scalar]) -> None:
    """Those of one attribute; every row has one subgroup of each."""
    member = BOTH.members({"x": np.array([[5.0], [20.0], [15.0], [np.nan]])}, [parameters], [4])
    assert member[:, :3].tolist() == [[False, False, True]] * 4
    assert member[:, 3:].argmax(axis=1).tolist() == [0, 1, 2, 2]
    assert (member.sum(axis=1) == 2).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "parameters.home: is missing; it must be one of gq, house"),
        ({"home": "gq2"}, "parameters.home: is 'gq2'; it must be one of gq, house"),
    ],
)
def test_request_without_a_declared_value_may_be_refused(given: dict[str, Scalar], message: str) -> None:
    """The error names the parameter, the value and the allowed ones; other requests of the batch are no cause."""
    parameters: list[dict[str, Scalar]] = [{"home": "house"}, given]
    member = BOTH.members({"x": np.zeros((3, 1))}, parameters, [2, 3])
    with pytest.raises(CallerError, match=f"^{message}$"):
        BOTH.check(member, parameters, [2, 3])
    BOTH.check(member[:2], parameters[:1], [2])


def test_row_without_a_declared_code_may_be_refused() -> None:
    """The error names the column and the codes."""
    other = OtherScope(0, 2, "refuse", None, "input 'x', column 0", "low (0 to 9), high (20)")
    cut = Subgroups(("b=low", "b=high", "b=other"), (), (IntervalScopes.from_intervals("x", [(0, 0, 9, 0)]),), (other,))
    with pytest.raises(CallerError, match=r"input 'x', column 0: a row has no declared value; it must be one of low"):
        cut.check(cut.members({"x": np.array([[5.0], [15.0]])}, [{}], [2]), [{}], [2])


def test_columns_that_are_read_are_known() -> None:
    """The highest of each input: what lies beyond need not be copied to count rows."""
    cuts = (BANDS, TextScopes("y", 4, TextValues({})), TextScopes("y", 2, TextValues({})))
    assert Subgroups((), (), cuts).last_columns == {"x": 1, "y": 4}
    assert BOTH.always_baseline == ("band=other",)
