"""The state of the search: a lattice that grows keeps what it knows, and words are no part of its evidence."""

from dataclasses import replace

import numpy as np

from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.hunter.lattice import Lattice
from tightrope.monitors.hunter.search import MOST_REFERENCE_VALUES, REFERENCE_ROWS, Search, SearchPlan

FIXED = Lattice.of([(0, 1.0, 1.0), (1, 2.0, 2.0)], [(0,), (1,)], 0.1)
GROWN = Lattice.of([(5, 1.0, 1.0), (1, 2.0, 2.0)], [(1,), (0,), (0, 1)], 0.1)


def test_slices_that_stay_keep_their_evidence() -> None:
    """By their predicates, wherever they stand; new ones start without any."""
    search = replace(Search("k").with_lattice(FIXED).in_unit(2), mass=np.arange(12.0).reshape(6, 2))
    search = replace(search, support=np.array([3.0, 4.0]), window=np.ones((2, 2, 2), np.int32))
    after = search.with_lattice(GROWN)
    assert after.mass[:, 0].tolist() == search.mass[:, 1].tolist()
    assert after.support.tolist() == [4, 0, 0]
    assert not after.mass[:, 1:].any()
    assert after.window.sum(axis=(1, 2)).tolist() == [4, 0, 0]


def test_words_are_no_part_of_the_key() -> None:
    """A column that is searched no more is."""
    column = InputColumn("x", 0, "column 0")
    plan = SearchPlan((column,), ("sex=f",), 0.1)
    assert SearchPlan((replace(column, name="age", codes={1.0: "old"}),), ("sex=f",), 0.1).key == plan.key
    assert SearchPlan((replace(column, searched=False),), ("sex=f",), 0.1).key != plan.key
    assert SearchPlan((column,), ("sex=f",), 0.2).key != plan.key


def test_wider_unit_starts_anew_and_a_narrower_one_does_not() -> None:
    """As all detectors do."""
    search = replace(Search("k").with_lattice(FIXED), mass=np.ones((6, 2)), waiting=5)
    wide = search.in_unit(1)
    assert not wide.mass.any()
    assert wide.window.shape == (2, 1, 2)
    assert replace(wide, mass=np.ones((6, 2))).in_unit(0).mass.all()
    assert search.in_unit(0) is search


def test_wide_inputs_take_fewer_reference_rows() -> None:
    """The state stays small."""
    columns = tuple(InputColumn("x", index, str(index)) for index in range(60))
    assert SearchPlan(columns[:4], (), 0.1).reference_rows == REFERENCE_ROWS
    assert SearchPlan(columns, (), 0.1).reference_rows == MOST_REFERENCE_VALUES // 62


def test_search_starts_with_the_lattice_of_the_plan() -> None:
    """Without one, with none."""
    assert Search.fresh(SearchPlan((), (), 0.1, FIXED)).lattice is FIXED
    assert Search.fresh(SearchPlan((), (), 0.1)).lattice is None
