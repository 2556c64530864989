"""Orders about found groups, and a search that arms."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact, judge_rows
from tests.support.judgement.found_groups import (
    ROWS,
    THREES,
    found_state,
    group_order,
    searched_plan,
    searched_rows,
)
from tightrope.monitors import group_search
from tightrope.monitors.catalogue import MAX_ADDED
from tightrope.monitors.group_search import SEARCHED_ROWS_PER_SECOND
from tightrope.monitors.plan import State, initial_state
from tightrope.monitors.safemode import Input, Mode, ModeState
from tightrope.monitors.watch import build_routes
from tightrope.monitors.watched_groups.orders import (
    JUDGE,
    UNWATCH_GROUP,
    WATCH_GROUP,
    GroupOrderError,
    apply_group_order,
    found_scopes,
    group_refusal,
)
from tightrope.monitors.watched_groups.plans import judged_plan, with_added
from tightrope.monitors.watched_groups.states import moved_state
from tightrope.service.adapters.wire.record_codec import decode_state, encode_state

CUTS = st.lists(st.integers(0, ROWS), max_size=5).map(sorted)


def test_found_group_is_watched_by_an_order_and_no_more_by_another() -> None:
    """It keeps who ordered it and why; gateways get its definition with newer modes; no mode has changed."""
    plan = searched_plan()
    before = found_state(plan)
    state = apply_group_order(plan, before, group_order(WATCH_GROUP))
    (added,) = state.added
    assert (added.scope, added.ranges, added.words) == (THREES.scope, THREES.ranges, THREES.words)
    assert (added.actor, added.reason, added.time) == ("ann", "incident 7", 5.0)
    routes = build_routes(judged_plan(plan, state), state)
    assert (routes.added, routes.epoch, routes.safe) == ((added,), before.epoch + 1, ())
    assert routes.states[THREES.scope] == "normal"
    after = apply_group_order(plan, state, group_order(UNWATCH_GROUP))
    assert bit_exact(replace(after, epoch=0)) == bit_exact(replace(before, epoch=0))
    assert after.epoch == before.epoch + 2


def with_reserve_used(state: State) -> State:
    """A state with as many added scopes as there can be."""
    plan = searched_plan()
    return moved_state(plan, with_added(plan, [replace(THREES, scope=f"s={n}") for n in range(MAX_ADDED)]), state)


def test_what_cannot_be_watched_is_told() -> None:
    """With what there is."""
    plan = searched_plan()
    state = found_state(plan)
    watched = apply_group_order(plan, state, group_order(WATCH_GROUP))
    safe = replace(watched, modes=(*watched.modes[:-1], Mode(ModeState.SAFE)))
    refusals = {
        "no found group that can be watched: column_0=value_3": (state, WATCH_GROUP, "column_0=value_9"),
        "none is found now": (initial_state(plan), WATCH_GROUP, THREES.scope),
        "is watched already": (watched, WATCH_GROUP, THREES.scope),
        "sex=f is watched already": (state, WATCH_GROUP, "sex=f"),
        "all of the reserve: end one of s=0": (with_reserve_used(state), WATCH_GROUP, THREES.scope),
        "no found group that is watched: there is none": (state, UNWATCH_GROUP, THREES.scope),
        "give the order force-normal first": (safe, UNWATCH_GROUP, THREES.scope),
    }
    for told, (before, order, scope) in refusals.items():
        assert told in group_refusal(plan, before, order, scope)
        with pytest.raises(GroupOrderError, match=told.replace("(", ".")):
            apply_group_order(plan, before, group_order(order, scope))


def test_group_of_the_answer_alone_has_no_scope() -> None:
    """It is not known when a request is routed."""
    plan, state = searched_plan(), found_state(searched_plan())
    answer = tuple(replace(each, predicates=((2, 1.0, 1.0),)) for each in state.search.findings)
    state = replace(state, search=replace(state.search, findings=answer))
    assert found_scopes(plan, state) == {}


def test_search_that_arms_puts_the_group_into_safe_mode() -> None:
    """At the tick that finds it; its return has to disprove the disagreement, and its rows leave the search."""
    plan = searched_plan(arms=True)
    state, moves = judge_rows(plan, searched_rows(0))
    (move,) = (each for each in moves if each.moved)
    assert (move.scope, move.trigger, move.actor) == (THREES.scope, Input.BREACH, JUDGE)
    assert move.reason.startswith("found: column 0 = 3: ")
    (added,) = state.added
    assert (added.actor, added.reason) == (JUDGE, move.reason)
    (finding,) = state.search.findings
    assert move.evidence["samples"] == finding.row
    assert state.cells[0].tripped[:, -1].all()
    assert not state.cells[1].tripped.any()
    assert state.compared[-1] == (searched_rows(0).features[finding.row : ROWS // 64 * 64, 0] == 3).sum()
    assert finding.steps == 0.0


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 9), cuts=CUTS)
def test_batches_and_restarts_change_no_bit_where_the_search_arms(seed: int, cuts: list[int]) -> None:
    """The state after any cuts, written and read after every batch, is that of one batch."""
    plan, rows = searched_plan(arms=True), searched_rows(seed)
    whole, moves = judge_rows(plan, rows)
    state, made = initial_state(plan), []
    for begin, end in zip([0, *cuts], [*cuts, ROWS], strict=True):
        state, more = judge_rows(plan, rows.take(slice(begin, end)), state=decode_state(encode_state(state)))
        made += more
    assert bit_exact(state) == bit_exact(whole)
    assert [(move.scope, move.time) for move in made] == [(move.scope, move.time) for move in moves]


@pytest.mark.parametrize("first", [64, 128])
def test_batches_change_no_bit_where_only_some_ticks_are_searched(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The group is put into safe mode at the tick that finds it, not after the ticks of the batch that are left out:
    every second one, before the searched ones or after them.
    """
    monkeypatch.setattr(group_search, "ALL_SEARCHED_ROWS", 0)
    plan = searched_plan(arms=True)
    time = np.arange(ROWS) / (2 * SEARCHED_ROWS_PER_SECOND)
    rows = replace(searched_rows(0, harm=0.9), time=time)
    whole, moves = judge_rows(plan, rows)
    state, made = initial_state(plan), []
    for begin, end in pairwise([0, *range(first, ROWS, 128), ROWS]):
        state, more = judge_rows(plan, rows.take(slice(begin, end)), state=state)
        made += more
    assert [(move.scope, move.time) for move in made] == [(move.scope, move.time) for move in moves]
    assert whole.added
    assert bit_exact(state) == bit_exact(whole)


def test_search_that_arms_moves_nothing_without_a_reserve() -> None:
    """The group is found all the same."""
    plan = searched_plan(arms=True)
    state, moves = judge_rows(plan, searched_rows(0), state=with_reserve_used(initial_state(plan)))
    assert state.search.findings
    assert len(state.added) == MAX_ADDED
    assert not any(mode.safe for mode in np.array(state.modes)[:3])
    assert [move.scope for move in moves if move.moved and move.reason.startswith("found")] == []


def test_group_returns_by_its_own_evidence() -> None:
    """As a declared subgroup does."""
    plan = searched_plan("disagreement", arms=True)
    plan = replace(plan, policy=replace(plan.policy, min_dwell=0.0, recovery_samples=10.0))
    state, _ = judge_rows(plan, searched_rows(0))
    assert state.modes[-1].safe
    state, moves = judge_rows(plan, searched_rows(1, harm=0.0, first=ROWS), state=state)
    assert [move.trigger for move in moves if move.moved] == [Input.RECOVERED]
