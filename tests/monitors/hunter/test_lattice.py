"""The lattice has the slices with enough reference rows, and none twice."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.catalogue import SEARCH_SHARE
from tightrope.monitors.hunter.columns import InputColumn, Layout
from tightrope.monitors.hunter.lattice import (
    MAX_SLICES,
    PART_SLICES,
    Lattice,
    build_lattice,
    common_slices,
)
from tightrope.monitors.hunter.row_bits import packed, unpacked
from tightrope.monitors.records import Floats

ROWS = 4_000
LAYOUT = Layout(tuple(InputColumn("x", index, f"column {index}") for index in range(3)), ("home=yes", "home=no"))
UNKNOWN = np.full(ROWS, np.nan)


def reference() -> Floats:
    """Rows of a code, a number with many values, and a code that is the declared subgroup."""
    rng = np.random.default_rng(0)
    code = rng.choice([1.0, 2.0, 3.0], ROWS, p=[0.6, 0.395, 0.005])
    at_home = rng.random(ROWS) < 0.7
    answers = np.full((ROWS, 2), np.nan)
    return np.column_stack([code, rng.normal(size=ROWS), at_home, answers, at_home, ~at_home]).astype(np.float64)


def words(lattice: Lattice, depth: int) -> list[str]:
    """The words of the slices of this depth."""
    return [LAYOUT.words(lattice.predicates(index)) for index in np.flatnonzero(lattice.depth == depth).tolist()]


def test_singles_are_frequent_values_and_quantiles() -> None:
    """A value of half a percent has no slice, nor has one with the rows of a declared subgroup."""
    singles = words(build_lattice(LAYOUT, reference(), UNKNOWN, 0.1), 1)
    assert singles[:2] == ["column 0 = 1", "column 0 = 2"]
    assert len(singles) == 2 + 2 * 7
    assert not [name for name in singles if "column 2" in name or "home" in name]


def test_pairs_combine_different_attributes() -> None:
    """The declared values are parts of pairs; thresholds of one column are not combined."""
    lattice = build_lattice(LAYOUT, reference(), UNKNOWN, 0.1)
    pairs = words(lattice, 2)
    assert "column 0 = 1 and home: yes" in pairs or "home: yes and column 0 = 1" in pairs
    assert not [name for name in pairs if name.count("column 1") > 1 or name.count("home") > 1]
    vectors = reference()
    shares = unpacked(lattice.members(lattice.satisfied(vectors)), ROWS).mean(axis=1)
    assert shares.min() >= 0.01


def test_half_of_the_budget_is_for_singles() -> None:
    """The shares of all slices sum to that of the search."""
    lattice = build_lattice(LAYOUT, reference(), UNKNOWN, 0.1)
    assert lattice.shares.sum() == pytest.approx(SEARCH_SHARE)
    assert lattice.shares[lattice.depth == 1].sum() == pytest.approx(SEARCH_SHARE / 2)


def test_triples_are_of_declared_values() -> None:
    """Three attributes of two values each have eight; those of inputs alone have none."""
    layout = Layout((), tuple(f"{name}={value}" for name in "abc" for value in "xy"))
    rng = np.random.default_rng(1)
    halves = [rng.random(ROWS) < 0.5 for _ in "abc"]
    vectors = np.column_stack([np.full((ROWS, 2), np.nan), *(each ^ other for each in halves for other in (0, 1))])
    lattice = build_lattice(layout, vectors.astype(np.float64), UNKNOWN, 0.1)
    assert np.bincount(lattice.depth).tolist() == [0, 0, 12, 8]


def test_slices_by_the_answer_join_a_fixed_lattice() -> None:
    """The input predicates stay as they are, though other rows would have cut them elsewhere."""
    fixed = build_lattice(LAYOUT, reference(), UNKNOWN, 0.1)
    later = reference()
    rng = np.random.default_rng(2)
    later[:, 1] += 5
    later[:, 3], later[:, 4] = rng.integers(0, 2, ROWS), rng.uniform(0.5, 1, ROWS)
    grown = build_lattice(LAYOUT, later, np.zeros(ROWS), 0.1, fixed)
    assert {*words(fixed, 1)} < {*words(grown, 1)}
    assert "confidence below 0.6" in words(grown, 1)
    assert "the compressed model says class 1" in words(grown, 1)


def test_doubtful_band_has_a_limit_of_its_own() -> None:
    """Twice the upper end of its rate; a band that is sure, and a group that is harmed from the start, keep theirs."""
    vectors = reference()
    rng = np.random.default_rng(3)
    vectors[:, 4] = rng.uniform(0.5, 1, ROWS)
    loss = ((vectors[:, 4] < 0.6) & (rng.random(ROWS) < 0.2)).astype(np.float64)
    loss[vectors[:, 0] == 2] = 1.0
    lattice = build_lattice(LAYOUT, vectors, loss, 0.1)
    limits = {LAYOUT.words(lattice.predicates(index)): lattice.limits[index] for index in range(len(lattice))}
    assert limits["confidence below 0.6"] > 0.4
    assert limits["confidence from 0.9"] == limits["column 0 = 2"] == 0.1


def test_number_of_slices_is_bounded() -> None:
    """Forty columns of ten values would have 78,000 pairs."""
    layout = Layout(tuple(InputColumn("x", index, str(index)) for index in range(40)), ())
    rng = np.random.default_rng(4)
    vectors = np.column_stack([rng.integers(0, 10, (ROWS, 40)), np.full((ROWS, 2), np.nan)]).astype(np.float64)
    lattice = build_lattice(layout, vectors, UNKNOWN, 0.1)
    assert len(lattice) == MAX_SLICES
    assert (lattice.depth == 1).sum() == 400


def test_unknown_value_is_in_no_slice() -> None:
    """Not even in one without an end."""
    lattice = Lattice.of([(0, -np.inf, 5.0), (0, 5.0, np.inf)], [(0,), (1,)], 0.1)
    assert lattice.members(lattice.satisfied(np.array([[np.nan]]))).tolist() == [[0], [0]]


@given(st.lists(st.booleans(), max_size=200))
def test_words_hold_the_rows(mask: list[bool]) -> None:
    """Any number of rows comes back."""
    rows = np.array([mask], dtype=bool).reshape(1, -1)
    assert unpacked(packed(rows), len(mask)).tolist() == rows.tolist()


def test_lattice_is_a_key_of_its_own() -> None:
    """Two lattices with equal arrays are two keys of the cache of tests."""
    lattice = Lattice.of([(0, 1.0, 1.0)], [(0,)], 0.1)
    assert len({lattice, replace(lattice)}) == 2


def test_rows_of_many_slices_are_those_of_all_their_predicates() -> None:
    """Some slices are counted at a time."""
    rng = np.random.default_rng(3)
    predicates = [(column, 1.0, 1.0) for column in range(20)]
    slices = [
        tuple(sorted(rng.choice(20, size, replace=False).tolist())) for size in rng.integers(1, 4, PART_SLICES + 9)
    ]
    lattice, vectors = Lattice.of(predicates, slices, 0.1), rng.integers(0, 2, (130, 20)).astype(np.float64)
    satisfied = lattice.satisfied(vectors)
    expected = [satisfied[list(own)].all(axis=0) for own in slices]
    assert np.array_equal(unpacked(lattice.members(satisfied), 130), expected)


def test_common_slices_of_lattices_that_differ_in_slots_alone() -> None:
    """They are those that two lattices with arrays of their own have, as after a restart."""
    before = Lattice.of([(column, 1.0, 1.0) for column in range(4)], [(0,), (1,), (0, 1)], 0.1)
    before, after = before.with_slots([(0, 2), (1, 2), (2, 3)], 0.1), before.with_slots([(1, 3), (2, 3), (0, 2)], 0.1)
    read = replace(after, column=after.column.copy())
    pairs = [{*zip(*(each.tolist() for each in common_slices(own, before)), strict=True)} for own in (after, read)]
    assert pairs[0] == pairs[1] == {(0, 0), (1, 1), (2, 2), (4, 5), (5, 3)}
