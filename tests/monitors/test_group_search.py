"""The search in the fold: it sees the rows that the model's monitors count, and batches change no bit of it."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact, judge_rows, make_comparisons, make_plan
from tightrope.monitors import group_search
from tightrope.monitors.dependence.units import EvidenceUnit, Independence
from tightrope.monitors.group_search import ALL_SEARCHED_ROWS, SEARCHED_ROWS_PER_SECOND, searched_ticks
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.hunter.lattice import build_lattice
from tightrope.monitors.hunter.search import Search, SearchPlan
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import Comparisons
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.service.adapters.wire.record_codec import decode_state, encode_state

ROWS, SCOPES = 2_000, ("sex=f", "sex=m")
COLUMNS = tuple(InputColumn("x", index, f"column {index}") for index in range(2))
CUTS = st.lists(st.integers(0, ROWS), max_size=8).map(sorted)


def search_plan(*, reference: bool = True) -> SearchPlan:
    """The search of two columns; by default with a lattice of made-up rows."""
    plan = SearchPlan(COLUMNS, SCOPES, 0.1)
    if not reference:
        return plan
    rng = np.random.default_rng(9)
    member = rng.random(4_000) < 0.5
    codes = rng.integers(0, 6, (4_000, 2))
    vectors = np.column_stack([codes, np.full((4_000, 2), np.nan), member, ~member]).astype(np.float64)
    return replace(plan, reference=build_lattice(plan.layout, vectors, np.full(4_000, np.nan), 0.1))


def plan_of(**changes: Any) -> Plan:  # noqa: ANN401 - any field of a plan
    """A plan of disagreement alone, whose limit no row of the tests reaches."""
    plan = make_plan("disagreement", scopes=SCOPES, tick_rows=64, search=search_plan(), **changes)
    limits = plan.rules[0].limits
    return replace(plan, rules=(replace(plan.rules[0], shares=np.zeros(len(limits))),))


def rows_of(seed: int, harm: float = 0.5, **columns: Any) -> Comparisons:  # noqa: ANN401 - any column
    """Rows of random codes and requests of one to three rows; those with a 3 in column 0 differ often."""
    rng = np.random.default_rng(seed)
    features, member = rng.integers(0, 6, (ROWS, 2)), rng.random(ROWS) < 0.5
    request = np.repeat(np.arange(ROWS), rng.integers(1, 4, ROWS))[:ROWS]
    given: dict[str, Any] = {
        "offset": request,
        "time": request,
        "features": features,
        "member": np.column_stack([member, ~member]),
        "disagree": rng.random(ROWS) < np.where(features[:, 0] == 3, harm, 0.01),
        "confidence_compressed": rng.uniform(0.5, 1, ROWS),
        "top_compressed": rng.integers(0, 2, ROWS),
        "caller": rng.integers(1, 9, ROWS),
    }
    return make_comparisons(ROWS, scopes=SCOPES, **given | columns)


def cut(rows: Comparisons, cuts: list[int]) -> list[Comparisons]:
    """Batches of whole requests, cut near these rows."""
    starts = np.flatnonzero(np.diff(rows.offset, prepend=-1))
    ends = sorted({0, len(rows), *(int(starts[np.searchsorted(starts, min(each, starts[-1]))]) for each in cuts)})
    return [rows.take(slice(begin, end)) for begin, end in pairwise(ends)]


UNITS = {
    "request": EvidenceUnit(Independence.REQUEST),
    "caller": EvidenceUnit(Independence.CALLER, has_callers=True),
    "window": EvidenceUnit(Independence.WINDOW),
    "window, callers": EvidenceUnit(Independence.WINDOW, has_callers=True),
}


@pytest.mark.parametrize("unit", UNITS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1_000), cuts=CUTS)
def test_batches_and_restarts_change_no_bit(unit: str, seed: int, cuts: list[int]) -> None:
    """The state after any cuts, written and read after every batch, is that of one batch."""
    plan, rows = plan_of(unit=UNITS[unit]), rows_of(seed)
    whole, _ = judge_rows(plan, rows)
    state = initial_state(plan)
    for batch in cut(rows, cuts):
        state, _ = judge_rows(plan, batch, state=decode_state(encode_state(state)))
    assert bit_exact(state.search) == bit_exact(whole.search)


def found(plan: Plan, rows: Comparisons) -> list[str]:
    """The words of the groups that are found."""
    assert plan.search is not None
    state, _ = judge_rows(plan, rows)
    return [plan.search.layout.words(finding.predicates) for finding in state.search.findings]


def test_harmed_group_is_found_by_its_code() -> None:
    """One that no subgroup of the plan tells apart."""
    assert found(plan_of(), rows_of(0)) == ["column 0 = 3"]
    assert found(plan_of(), rows_of(0, harm=0.02)) == []


def view_of(per_second: float, first: int = ALL_SEARCHED_ROWS, ends: Any = None, ticks: int = 2_000) -> Any:  # noqa: ANN401 - of a block
    """The first ticks of a view: their rows come at this rate, after ``first`` others."""
    time = np.arange(64 * ticks) / per_second if per_second else np.zeros(64 * ticks)
    block, shared = SimpleNamespace(sizes=[64] * ticks), SimpleNamespace(ends=ends)
    return SimpleNamespace(block=block, rows=SimpleNamespace(time=time), first=first, shared=shared)


def test_rows_searched_a_second_are_bounded() -> None:
    """At a high rate ticks are left out evenly; at a lower one none is."""
    searched = searched_ticks(view_of(13_000.0), 2_000)
    assert 0.9 * SEARCHED_ROWS_PER_SECOND < 13_000 * searched.mean() <= SEARCHED_ROWS_PER_SECOND
    assert set(np.diff(np.flatnonzero(searched))) == {27}
    assert searched_ticks(view_of(400.0), 2_000).all()


def test_first_rows_windows_and_rows_of_one_moment_are_all_searched() -> None:
    """The rate of rows that came at the same time is not known."""
    assert searched_ticks(view_of(13_000.0, first=0), 2_000).sum() > ALL_SEARCHED_ROWS // 64
    assert searched_ticks(view_of(13_000.0, first=0), 2_000)[: ALL_SEARCHED_ROWS // 64].all()
    assert searched_ticks(view_of(13_000.0, ends=np.array([3])), 2_000).all()
    assert searched_ticks(view_of(0.0), 2_000).all()


def test_harmed_group_is_found_at_a_high_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the ticks that are searched; batches change no bit there either."""
    monkeypatch.setattr(group_search, "ALL_SEARCHED_ROWS", 0)
    rows = rows_of(0, harm=0.9)
    fast = replace(rows, time=np.arange(ROWS) / (2 * SEARCHED_ROWS_PER_SECOND))
    plan = plan_of()
    assert found(plan, fast) == ["column 0 = 3"]
    whole, _ = judge_rows(plan, fast)
    everything, _ = judge_rows(plan, rows)
    assert whole.search.findings[0].row > everything.search.findings[0].row
    state = initial_state(plan)
    for batch in cut(fast, [1, 70, 300, 301, 1_000]):
        state, _ = judge_rows(plan, batch, state=decode_state(encode_state(state)))
    assert bit_exact(state.search) == bit_exact(whole.search)


def test_order_within_a_tick_changes_no_bit() -> None:
    """Single rows of a tick come in any order."""
    plan = replace(plan_of(), tick_rows=500)
    rows = rows_of(4, offset=np.arange(ROWS), time=0.0)
    rng = np.random.default_rng(5)
    order = np.concatenate([start + rng.permutation(500) for start in range(0, ROWS, 500)])
    columns = {name: getattr(rows, name)[order] for name in ("features", "disagree", "member")}
    columns |= {name: getattr(rows, name)[order] for name in ("confidence_compressed", "top_compressed")}
    shuffled = replace(rows, **columns)
    first, second = (judge_rows(plan, each)[0].search for each in (rows, shuffled))
    kept = {"learned": first.learned[:0], "past": first.past.anew()}  # the rows themselves, in their order
    assert bit_exact(replace(first, **kept)) == bit_exact(replace(second, **kept))


def test_rows_of_a_scope_in_safe_mode_are_not_searched() -> None:
    """The compressed model no longer answers them."""
    plan = plan_of()
    rows = rows_of(0)
    own = rows.features[:, 0] == 3
    rows = replace(rows, member=np.column_stack([own, ~own]))
    state = initial_state(plan)
    safe = replace(state, modes=(Mode(), Mode(state=ModeState.SAFE, held=True), Mode()))
    assert judge_rows(plan, rows, state=safe)[0].search.findings == ()


def test_nothing_is_searched_while_the_baseline_answers_all() -> None:
    """The state stays."""
    plan = plan_of()
    state = initial_state(plan)
    safe = replace(state, modes=(Mode(state=ModeState.SAFE, held=True), *state.modes[1:]))
    assert judge_rows(plan, rows_of(0), state=safe)[0].search.rows == 0


def test_other_columns_start_the_search_anew() -> None:
    """Without them nothing is searched."""
    plan = plan_of()
    state, _ = judge_rows(plan, rows_of(0))
    assert state.search.found == 1
    fewer = replace(plan, search=SearchPlan(COLUMNS, SCOPES, 0.2))
    again, _ = judge_rows(fewer, rows_of(1, offset=ROWS + np.arange(ROWS), time=ROWS), state=state)
    assert again.search.found == 0
    off, _ = judge_rows(replace(plan, search=None), rows_of(1, offset=ROWS + np.arange(ROWS)), state=state)
    assert off.search is state.search


def test_state_of_the_version_before_has_no_search() -> None:
    """It begins with the next rows."""
    state: State = initial_state(plan_of())
    assert state.search.key == Search("").key
