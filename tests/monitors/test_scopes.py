"""Names of subgroups, the scopes that follow a safe one, and the declared ones that the traffic does not reach."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.records import Comparisons
from tightrope.monitors.scopes import (
    FIRST_ROWS,
    UNSEEN_ROWS,
    following_scopes,
    is_other,
    last_sighted,
    rows_to_be_unseen,
    scope_name,
    unseen_scopes,
    with_other_scopes,
)

SCOPES = ("model", "home=gq", "home=other", "age=old", "age=other")


def unseen(total: int, rows: int, sighted: int) -> bool:
    """Whether a scope with these rows is unseen; the last came after ``sighted`` rows of the model."""
    compared, last = np.array([total, rows]), np.array([total, sighted])
    return bool(unseen_scopes(SCOPES[:2], compared, last)[1])


@pytest.mark.parametrize(
    ("safe", "following"),
    [
        ((), ()),
        (("model",), ()),
        (("home=gq",), ("home=other",)),
        (("home=gq", "age=old"), ("home=other", "age=other")),
        (("home=other",), ()),
        (("home=gq", "home=other"), ()),
        (("home=elsewhere",), ("home=other",)),
    ],
)
def test_other_follows_a_safe_value_of_its_attribute(safe: tuple[str, ...], following: tuple[str, ...]) -> None:
    """Not the model, nor another attribute; one that is safe itself follows none."""
    assert following_scopes(SCOPES, safe) == following


def test_names_are_attribute_and_value() -> None:
    """The value of the scope without a declared one is `other`, and no value merely ends like it."""
    assert [is_other(scope) for scope in SCOPES] == [False, False, True, False, True]
    assert is_other(scope_name("race", "other"))
    assert not is_other(scope_name("race", "another"))


@pytest.mark.parametrize(
    ("total", "rows", "sighted", "expected"),
    [
        (9_999, 0, 0, False),
        (10_000, 0, 0, True),
        (4_039, 2_000, 4_000, False),
        (4_040, 2_000, 4_000, True),
        (13_999, 8, 4_000, False),
        (14_000, 8, 4_000, True),
        (219, 20, 20, False),
        (1_020, 20, 20, True),
        (2_001, 1, 2_000, False),
        (0, 0, 0, False),
    ],
)
def test_scope_is_unseen_after_twenty_rows_that_did_not_come(
    total: int, rows: int, sighted: int, *, expected: bool
) -> None:
    """By its past share, which counts over a thousand rows at the least; a new one after 10,000 rows of the model."""
    assert unseen(total, rows, sighted) is expected


def test_other_and_the_model_are_never_unseen() -> None:
    """Every value may be declared: the scope of undeclared ones is empty then."""
    rows = np.array([10**9, 0, 0, 0, 0])
    mask = unseen_scopes(SCOPES, rows, np.array([0, 0, 0, 0, 0]))
    assert [scope for scope, is_unseen in zip(SCOPES, mask, strict=True) if is_unseen] == ["home=gq", "age=old"]


@given(share=st.floats(0.001, 1.0), seed=st.integers(0, 2**32 - 1))
def test_scope_that_keeps_its_share_is_seen(share: float, seed: int) -> None:
    """Rows in any random order: none of 20 expected rows happens once in five hundred million."""
    marks = np.random.default_rng(seed).random(20_000) < share
    sighted, rows = np.array([0, 0]), 0
    for begin in range(0, 20_000, 500):
        member = np.stack([np.ones(500, dtype=bool), marks[begin : begin + 500]], axis=1)
        sighted = last_sighted(sighted, begin, member)
        rows += int(member[:, 1].sum())
        assert not unseen(begin + 500, rows, int(sighted[1]))


def test_last_row_of_a_scope_is_counted_to_the_row() -> None:
    """However the rows are cut into batches."""
    marks = np.array([[True, index in {0, 3, 4}] for index in range(9)])
    whole = last_sighted(np.zeros(2, dtype=np.int64), 0, marks)
    parts = last_sighted(last_sighted(np.zeros(2, dtype=np.int64), 0, marks[:4]), 4, marks[4:])
    assert whole.tolist() == parts.tolist() == [9, 5]


def test_bounds_are_twenty_rows_and_ten_thousand() -> None:
    """As docs/formulas.md gives them."""
    assert (UNSEEN_ROWS, FIRST_ROWS) == (20, 10_000)
    assert rows_to_be_unseen(np.array([1_000, 10]), np.array([1_000, 500])).tolist() == [20.0, 2_000.0]


DECLARED = ("home=gq", "home=ch", "age=old")
TODAY = ("home=gq", "home=ch", "home=other", "age=old", "age=other")


def test_rows_of_the_first_release_get_the_scopes_of_undeclared_values() -> None:
    """A row belongs to ``attribute=other`` where it has no declared value of the attribute."""
    member = np.array([[True, False, False], [False, True, True], [False, False, True]])
    rows = with_other_scopes(Comparisons.from_columns(3, scopes=DECLARED, member=member), TODAY)
    assert rows.scopes == TODAY
    assert rows.member.tolist() == [
        [True, False, False, False, True],
        [False, True, False, True, False],
        [False, False, True, True, False],
    ]


@pytest.mark.parametrize("scopes", [TODAY, (), ("home=gq",), ("home=ch", "home=gq", "age=old"), ("age=old", *TODAY)])
def test_rows_with_other_differences_stay_as_they_are(scopes: tuple[str, ...]) -> None:
    """Another configuration is no older release: the plan does not cover its rows."""
    rows = Comparisons.from_columns(2, scopes=scopes)
    assert with_other_scopes(rows, TODAY) is rows
