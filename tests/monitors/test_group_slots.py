"""Slots of the search in the fold: batches, restarts and the order of rows change no bit of them."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact, judge_rows, make_comparisons, make_plan
from tightrope.monitors.dependence.units import EvidenceUnit, Independence
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.hunter.lattice import build_lattice
from tightrope.monitors.hunter.search import Search, SearchPlan
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import Comparisons
from tightrope.service.adapters.wire.record_codec import decode_state, encode_state

ROWS, WIDTH = 1_500, 6
COLUMNS = tuple(InputColumn("x", index, f"column {index}") for index in range(WIDTH))
HARMED = "column 0 = 1 and column 1 = 1 and column 2 = 1"
CUTS = st.lists(st.integers(0, ROWS), max_size=6).map(sorted)
UNITS = {
    "row": EvidenceUnit(Independence.REQUEST),
    "caller": EvidenceUnit(Independence.CALLER, has_callers=True),
    "window": EvidenceUnit(Independence.WINDOW),
}


def plan_of(**changes: Any) -> Plan:  # noqa: ANN401 - any field of a plan
    """A plan whose search has a lattice of single values and pairs of six columns, by made-up rows."""
    given = SearchPlan(COLUMNS, (), 0.1)
    codes = np.random.default_rng(9).integers(0, 2, (4_000, WIDTH))
    vectors = np.column_stack([codes, np.full((4_000, 2), np.nan)]).astype(np.float64)
    lattice = replace(build_lattice(given.layout, vectors, np.full(4_000, np.nan), 0.1), is_complete=True)
    plan = make_plan("disagreement", tick_rows=64, search=replace(given, reference=lattice), **changes)
    return replace(plan, rules=(replace(plan.rules[0], shares=np.zeros(len(plan.rules[0].limits))),))


def rows_of(seed: int, **columns: Any) -> Comparisons:  # noqa: ANN401 - any column
    """Rows in requests of one or two; all differ at about a fifth of the limit, but where three columns meet."""
    rng = np.random.default_rng(seed)
    features = rng.integers(0, 2, (ROWS, WIDTH))
    request = np.repeat(np.arange(ROWS), rng.integers(1, 3, ROWS))[:ROWS]
    harmed = (features[:, :3] == 1).all(axis=1)
    given: dict[str, Any] = {
        "offset": request,
        "time": request,
        "features": features,
        "disagree": rng.random(ROWS) < np.where(harmed, 0.25, 0.02),
    }
    return make_comparisons(ROWS, **{**given, **columns})


def slots_of(search: Search) -> list[str]:
    """The slots in words."""
    lattice, layout = search.lattice, SearchPlan(COLUMNS, (), 0.1).layout
    assert lattice is not None
    return [layout.words(lattice.predicates(index)) for index in range(lattice.fixed, len(lattice))]


def cut(rows: Comparisons, cuts: list[int]) -> list[Comparisons]:
    """Batches of whole requests, cut near these rows."""
    starts = np.flatnonzero(np.diff(rows.offset, prepend=-1))
    ends = sorted({0, len(rows), *(int(starts[np.searchsorted(starts, min(each, starts[-1]))]) for each in cuts)})
    return [rows.take(slice(begin, end)) for begin, end in pairwise(ends)]


@pytest.mark.parametrize("unit", UNITS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1_000), cuts=CUTS)
def test_batches_and_restarts_change_no_bit(unit: str, seed: int, cuts: list[int]) -> None:
    """The state after any cuts, written and read after every batch, is that of one batch."""
    plan, rows = plan_of(unit=UNITS[unit]), rows_of(seed)
    whole, _ = judge_rows(plan, rows)
    state = initial_state(plan)
    for batch in cut(rows, cuts):
        state, _ = judge_rows(plan, batch, state=decode_state(encode_state(state)))
    assert bit_exact(state.search) == bit_exact(whole.search)


@pytest.mark.parametrize("unit", UNITS)
def test_slots_are_filled_in_every_unit(unit: str) -> None:
    """With the slice that the lattice of pairs does not hold."""
    state, _ = judge_rows(plan_of(unit=UNITS[unit]), rows_of(1))
    assert HARMED in slots_of(state.search)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1_000))
def test_order_within_a_tick_changes_no_slot_and_no_evidence(seed: int) -> None:
    """The kept rows are those of the same ticks, in their order."""
    plan = plan_of()
    rows = rows_of(seed, offset=np.arange(ROWS), time=0.0)
    rng = np.random.default_rng(seed)
    order = np.concatenate([begin + rng.permutation(min(64, ROWS - begin)) for begin in range(0, ROWS, 64)])
    shuffled = replace(rows, features=rows.features[order], disagree=rows.disagree[order])
    first, second = (judge_rows(plan, each)[0].search for each in (rows, shuffled))
    assert sorted_past(first) == sorted_past(second)
    assert bit_exact(replace(first, past=first.past.anew())) == bit_exact(replace(second, past=second.past.anew()))


def sorted_past(search: Search) -> list[list[tuple[int, ...]]]:
    """The kept rows of each tick, sorted."""
    past = search.past
    ends = np.cumsum(past.ticks[:, 0]).astype(int).tolist()
    rows = [(*held, unit) for held, unit in zip(past.held.tolist(), past.units.tolist(), strict=True)]
    return [sorted(rows[begin:end]) for begin, end in pairwise([0, *ends])]


def test_harm_where_three_columns_meet_is_named() -> None:
    """The lattice of pairs has no such slice; at nine in ten the slot is the first to alarm."""
    plan = plan_of()
    rows = rows_of(3)
    harmed = (rows.features[:, :3] == 1).all(axis=1)
    others = (rows.features[:, :3] == 1).sum(axis=1) < 3
    worse = replace(rows, disagree=harmed & (np.arange(ROWS) % 6 > 0) | others & (np.arange(ROWS) % 80 == 0))
    assert plan.search is not None
    named = [plan.search.layout.words(each.predicates) for each in judge_rows(plan, worse)[0].search.findings]
    assert named
    assert named[0] in {HARMED, *(f"column {a} = 1 and column {b} = 1" for a, b in ((0, 1), (0, 2), (1, 2)))}
