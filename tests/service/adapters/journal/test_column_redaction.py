from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.judgement.comparisons import make_comparisons
from tests.support.judgement.recorded import KEY, recorded_plan
from tightrope.monitors.folding.fold import fold
from tightrope.monitors.folding.inputs import ComparedRows
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.hunter.lattice import Lattice
from tightrope.monitors.hunter.row_bits import satisfied
from tightrope.monitors.hunter.search import Search, SearchPlan
from tightrope.monitors.plan import Plan, initial_state
from tightrope.service.adapters.journal.column_redaction import ColumnRedaction, ColumnWay, binned
from tightrope.service.adapters.journal.redaction import Redaction, comparable_state
from tightrope.service.adapters.wire.record_codec import encode_state

COLUMNS = InputColumn("x", 0, "age", is_titled=True), InputColumn("x", 1, "column 1"), InputColumn("x", 2, "column 2")
PREDICATES = [(0, -np.inf, 30.0), (0, float(np.nextafter(30.0, np.inf)), np.inf), (1, 3.0, 3.0), (2, 0.5, 0.5)]
LATTICE = Lattice.of(PREDICATES, [(0,), (1,), (2,), (3,), (0, 2)], limit=0.1)
SEARCH = SearchPlan(COLUMNS, ("group=a", "group=b"), limit=0.1, reference=LATTICE)
PLAN = recorded_plan(search=SEARCH)


def ways(written: dict[str, ColumnWay], plan: Plan = PLAN) -> ColumnRedaction:
    """The redaction of the columns."""
    return ColumnRedaction.of(plan, written, KEY)


@given(
    st.lists(st.floats(width=32, allow_nan=True), min_size=1, max_size=30),
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=6, unique=True),
)
def test_a_value_and_its_bin_are_in_the_same_slices(values: list[float], bounds: list[float]) -> None:
    """With any bounds: up to one, above one, and equal to one; and the bin does not tell the value."""
    column, cuts = np.array(values, np.float32), np.array(sorted(bounds))
    low = np.concatenate([np.full(len(cuts), -np.inf), np.nextafter(cuts, np.inf), cuts])
    high = np.concatenate([cuts, np.full(len(cuts), np.inf), cuts])
    found = binned(column, np.unique(np.concatenate([cuts, np.nextafter(cuts, np.inf)])))
    number = np.zeros(len(low), np.int64)
    before, after = (satisfied(each[:, None].astype(np.float64), number, low, high) for each in (column, found))
    assert np.array_equal(before, after)
    assert len({*found[~np.isnan(found)].tolist()}) <= 2 * len(cuts) + 1


def test_columns_are_named_by_title_number_or_input() -> None:
    """A title stands before the number; the star is for all others."""
    assert ways({"age": "keep", "1": "bin", "x:2": "hash"}).ways == ("keep", "bin", "hash")
    assert ways({"*": "bin", "2": "drop"}).ways == ("bin", "bin", "drop")
    assert ways({}).ways == ("drop",) * 3


@pytest.mark.parametrize(
    ("written", "repeats"),
    [
        ({"*": "keep"}, True),
        ({"*": "bin"}, True),
        ({"age": "bin", "*": "keep"}, True),
        ({"*": "keep", "2": "hash"}, False),
    ],
)
def test_the_search_needs_a_value_or_bin_of_each_column(written: dict[str, ColumnWay], *, repeats: bool) -> None:
    """One column less, and it is left out."""
    assert ways(written).repeats_search is repeats


def test_bins_that_rows_fix_later_do_not_repeat_the_search() -> None:
    """Without golden rows the bins come from the first compared rows, which must be known as they are."""
    late = recorded_plan(search=replace(SEARCH, reference=None))
    assert (ways({"*": "bin"}, late).repeats_search, ways({"*": "keep"}, late).repeats_search) == (False, True)


def test_a_column_that_is_not_searched_is_not_needed() -> None:
    """Its values are not in comparisons anyway."""
    columns = (*COLUMNS[:2], replace(COLUMNS[2], searched=False))
    assert ways({"*": "keep", "2": "drop"}, recorded_plan(search=replace(SEARCH, columns=columns))).repeats_search


def test_each_way_leaves_what_it_says() -> None:
    """Kept, hashed and dropped; a hash is equal where the value is, and another under another key."""
    features = np.array([[41, 3, 0.5], [41, 4, np.nan], [20, 3, 0.5]], np.float32)
    rows = replace(make_comparisons(3), features=features)
    found = ways({"age": "keep", "1": "drop", "2": "hash"}).rows(rows).features
    assert found[:, 0].tolist() == [41, 41, 20]
    assert np.isnan(found[:, 1]).all()
    assert (found[0, 2] == found[2, 2], found[0, 2] == 0.5, np.isnan(found[1, 2])) == (True, False, True)
    other = ColumnRedaction.of(PLAN, {"*": "hash"}, b"o" * 32).rows(rows).features
    assert other[0, 2] != found[0, 2]
    assert ways({"*": "drop"}).rows(rows).features.shape == (3, 0)
    assert features.tolist()[0] == [41, 3, 0.5], "the judge's rows are as they were"


def test_folding_bins_gives_the_recorded_state() -> None:
    """The search, too, is repeated to the byte, while its slices by the answer are still learned."""
    redaction, rng = Redaction(KEY, {"*": "bin"}, "keep").of(PLAN), np.random.default_rng(3)
    state = replace(initial_state(PLAN), search=Search.fresh(SEARCH))
    shadow = redaction.state(state)
    for begin in range(0, 400, 100):
        rows = make_comparisons(
            100,
            offset=begin + np.arange(100),
            time=begin + np.arange(100.0),
            disagree=rng.random(100) < 0.3,
            member=True,
        )
        drawn = np.column_stack([rng.integers(18, 60, 100), rng.integers(0, 6, 100), rng.random(100).round(1)])
        item = ComparedRows(replace(rows, features=drawn.astype(np.float32)))
        state, _ = fold(PLAN, state, item)
        shadow, _ = fold(PLAN, shadow, redaction.item(item))
    assert len(state.search.learned)
    assert encode_state(comparable_state(shadow, has_columns=True)) == encode_state(redaction.state(state))
    ages = {*state.search.learned[:, 0].tolist()}
    assert len(ages) > 10
    assert len({*redaction.state(state).search.learned[:, 0].tolist()}) <= 3
