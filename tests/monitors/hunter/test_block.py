"""Ticks of a block change no bit of what single ticks leave, over choices of slices, findings and long ticks."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact
from tightrope.monitors.hunter import search as search_module
from tightrope.monitors.hunter.block import SearchedTicks, search_ticks
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.hunter.evidence import LOSS_UNITS
from tightrope.monitors.hunter.fold import search_tick
from tightrope.monitors.hunter.lattice import Lattice
from tightrope.monitors.hunter.search import Search, SearchPlan

COLUMNS = tuple(InputColumn("x", index, str(index)) for index in range(3))
LATTICE = Lattice.of([(0, 1.0, 1.0), (0, 2.0, 2.0), (1, 1.0, 1.0)], [(0,), (1,), (2,), (0, 2)], 0.1)
PLANS = {
    "complete": SearchPlan(COLUMNS, (), 0.1, replace(LATTICE, is_complete=True)),
    "learning": SearchPlan(COLUMNS, (), 0.1, LATTICE),
    "without a lattice": SearchPlan(COLUMNS, (), 0.1),
    "without slots": SearchPlan(COLUMNS, (), 0.1, LATTICE, slots=False),
    "arms": SearchPlan(COLUMNS, (), 0.1, LATTICE, arms=True),
}
LOG_A = 19.6


@pytest.fixture(autouse=True)
def few_reference_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lattice is built after few rows."""
    monkeypatch.setattr(search_module, "REFERENCE_ROWS", 700)


def ticks_of(sizes: list[int], harm: float, seed: int, *, shared: bool = False) -> SearchedTicks:
    """Ticks of random codes, some of them without a value; each has one row of the stream that does not count."""
    rng, counted, rows = np.random.default_rng(seed), np.array(sizes), sum(sizes)
    codes = rng.integers(0, 4, (rows, 3)).astype(np.float64)
    codes[rng.random(rows) < 0.1] = np.nan
    answers = np.column_stack([rng.integers(0, 2, rows), rng.uniform(0.5, 1, rows)])
    lost = rng.random(rows) < np.where(codes[:, 0] == 2, harm, 0.01)
    ends, together = np.cumsum(counted + 1), np.full(rows, fill_value=shared)
    vectors, step = np.column_stack([codes, answers]), np.arange(rows) // 2
    settles = np.ones(len(sizes), dtype=bool)
    return SearchedTicks(
        vectors, lost * LOSS_UNITS, step, together, counted, counted + 1, ends, ends.astype(np.float64), settles
    )


def one_by_one(plan: SearchPlan, ticks: SearchedTicks) -> tuple[Search, int]:
    """The search after single ticks, up to one that finds a group where groups become scopes."""
    search = Search.fresh(plan)
    for number in range(len(ticks)):
        search = search_tick(search, plan, ticks.tick(number), LOG_A)
        if plan.arms and search.found:
            return search, number + 1
    return search, len(ticks)


@pytest.mark.parametrize("plan", PLANS)
@settings(deadline=None, max_examples=8)
@example(sizes=[64, 64, 0], harm=0.6, seed=0, cuts=[2])
@given(
    sizes=st.lists(st.sampled_from([0, 1, 30, 64, 64, 64]), min_size=1, max_size=24),
    harm=st.sampled_from([0.01, 0.6]),
    seed=st.integers(0, 1_000),
    cuts=st.lists(st.integers(0, 40), max_size=4),
)
def test_blocks_are_their_ticks(plan: str, sizes: list[int], harm: float, seed: int, cuts: list[int]) -> None:
    """However they are cut: the lattice is built, slots are chosen and groups are found at the same ticks."""
    ticks, search, done = ticks_of(sizes, harm, seed), Search.fresh(PLANS[plan]), 0
    for begin, end in pairwise(sorted({0, len(sizes), *(min(cut, len(sizes)) for cut in cuts)})):
        search, number = search_ticks(search, PLANS[plan], ticks.take(slice(begin, end)), LOG_A)
        done += number
        if PLANS[plan].arms and search.found:
            break
    expected, expected_ticks = one_by_one(PLANS[plan], ticks)
    if PLANS[plan].arms and expected.found:
        assert done == expected_ticks
    assert bit_exact(search) == bit_exact(expected)


@pytest.mark.parametrize(
    ("plan", "next_look"),
    [("complete", 4_096), ("learning", 4_096), ("without a lattice", 2_048), ("without slots", 0)],
)
def test_slices_are_chosen_within_a_block(plan: str, next_look: int) -> None:
    """Slots after 256 searched rows and twice as many each time; the lattice at the tick after which 700 have a value:
    without one, none is searched before.
    """
    ticks = ticks_of([64] * 40, 0.01, 0)
    search, done = search_ticks(Search.fresh(PLANS[plan]), PLANS[plan], ticks, LOG_A)
    assert done == 40
    assert search.is_complete
    assert len(search.learned) == 0
    assert search.past.next_look == next_look
    assert bit_exact(search) == bit_exact(one_by_one(PLANS[plan], ticks)[0])


def test_group_is_found_within_a_block() -> None:
    """The ticks after it are searched without its rows, or left to the new scope."""
    ticks = ticks_of([64] * 40, 0.9, 1)
    search, done = search_ticks(Search.fresh(PLANS["complete"]), PLANS["complete"], ticks, LOG_A)
    assert (search.found, done) == (1, 40)
    search, done = search_ticks(Search.fresh(PLANS["arms"]), PLANS["arms"], ticks, LOG_A)
    assert search.found == 1
    assert search.findings[0].row == ticks.row[done - 1]
    assert done < 40


def test_rows_that_share_steps_are_searched_tick_by_tick() -> None:
    """Two rows of a step are one step."""
    ticks = ticks_of([64] * 8, 0.01, 2, shared=True)
    search, _ = search_ticks(Search.fresh(PLANS["complete"]), PLANS["complete"], ticks, LOG_A)
    assert bit_exact(search) == bit_exact(one_by_one(PLANS["complete"], ticks)[0])
    assert search.cohorts[0, 0].sum() < search.support.sum()


def test_searched_arrays_are_not_overwritten() -> None:
    """The search before is that of a state that may be used again."""
    before, _ = search_ticks(Search.fresh(PLANS["complete"]), PLANS["complete"], ticks_of([64] * 3, 0.01, 3), LOG_A)
    known = bit_exact(before)
    search_ticks(before, PLANS["complete"], ticks_of([64] * 9, 0.9, 4), LOG_A)
    search_ticks(before, PLANS["complete"], ticks_of([64] * 9, 0.9, 4, shared=True), LOG_A)
    assert bit_exact(before) == known


def test_search_ends_where_a_group_is_found_just_before_slices_are_chosen() -> None:
    """The last tick before a choice finds the group in some of these streams; the next ticks are in other modes."""
    plan, found_at = PLANS["arms"], set[int]()
    for seed in range(60):
        ticks = ticks_of([64] * 24, 0.6, seed)
        search, number = search_ticks(Search.fresh(plan), plan, ticks, LOG_A)
        expected, expected_ticks = one_by_one(plan, ticks)
        assert (search.found, number) == (expected.found, expected_ticks)
        found_at.add(number)
    assert len(found_at) > 1
