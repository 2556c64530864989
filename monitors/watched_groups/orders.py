"""Found groups that become scopes, and watched ones that end: by an order, or by the search itself where it arms.

A new scope has its share of the alarm budget from the reserve, and its evidence starts with the next row: what made a
person or the search choose the group is no part of it.
"""

from collections.abc import Sequence
from dataclasses import replace

from tightrope.monitors.added_scopes.added_scope import AddedScope
from tightrope.monitors.catalogue import MAX_ADDED
from tightrope.monitors.decide import Cause, apply_input
from tightrope.monitors.history.retained import ScopeRecord
from tightrope.monitors.hunter.declaration import added_scope
from tightrope.monitors.hunter.findings import FoundGroup, describe_finding
from tightrope.monitors.hunter.search import SEARCHED_MONITOR, Search
from tightrope.monitors.migration import mark_harmed
from tightrope.monitors.plan import Plan, State, Transition, counted_unit
from tightrope.monitors.records import Order
from tightrope.monitors.safemode import Input
from tightrope.monitors.watched_groups.plans import judged_plan, with_added
from tightrope.monitors.watched_groups.states import moved_state

WATCH_GROUP, UNWATCH_GROUP = GROUP_ORDERS = "watch-group", "unwatch-group"
"""The orders that operators give about found groups."""

JUDGE = "judge"
"""The actor of what is done without an operator."""


class GroupOrderError(ValueError):
    """An order about a found group cannot be carried out; the message says why."""


def group_refusal(plan: Plan, state: State, order: str, scope: str) -> str:
    """The reason for which an order about a scope cannot be carried out; empty if it can."""
    plan = judged_plan(plan, state)
    names = [each.scope for each in plan.added if not each.is_host]
    if order == UNWATCH_GROUP:
        return _ending_refusal(plan, state, scope, names)
    if scope in plan.scopes:
        return f"{scope} is watched already"
    found = list(found_scopes(plan, state).values())
    if scope not in [each.scope for each in found]:
        there = "; ".join(each.scope for each in found) or "none is found now"
        return f"{scope!r} is no found group that can be watched: {there}"
    if len(names) >= MAX_ADDED:
        return f"{len(names)} found groups are watched, which is all of the reserve: end one of {', '.join(names)}"
    return ""


def _ending_refusal(plan: Plan, state: State, scope: str, names: Sequence[str]) -> str:
    if scope not in names:
        return f"{scope!r} is no found group that is watched: {', '.join(names) or 'there is none'}"
    mode = state.modes[plan.scopes.index(scope)]
    return f"{scope} is in safe mode: give the order force-normal first" if mode.safe else ""


def found_scopes(plan: Plan, state: State) -> dict[int, AddedScope]:
    """The scopes of the groups that are found now, by number; those of the model's answer alone have none."""
    search = plan.search
    if search is None or state.search.key != search.key:
        return {}
    scopes = {each.number: added_scope(each, search.layout) for each in state.search.findings}
    return {number: scope for number, scope in scopes.items() if scope is not None}


def apply_group_order(plan: Plan, state: State, order: Order) -> State:
    """Apply an operator's order about a found group.

    Raises:
        GroupOrderError: when it cannot be carried out.
    """
    plan = judged_plan(plan, state)
    if refusal := group_refusal(plan, state, order.order, order.scope):
        raise GroupOrderError(refusal)
    if order.order == UNWATCH_GROUP:
        return with_scopes(plan, state, [each for each in plan.added if each.scope != order.scope])
    scope = next(each for each in found_scopes(plan, state).values() if each.scope == order.scope)
    by_order = replace(scope, actor=order.actor, reason=order.reason, time=order.time)
    return with_scopes(plan, state, [*plan.added, by_order])


def arm_found(plan: Plan, before: Search, state: State, time: float) -> tuple[State, list[Transition]]:
    """Make a scope in safe mode of each group that the search found since ``before``, at event ``time``, if it arms."""
    entered: list[Transition] = []
    if plan.search is None or not plan.search.arms or state.search.key != plan.search.key:
        return state, entered
    known = before.found if before.key == state.search.key else 0
    for found in state.search.findings:
        scope = found_scopes(plan, state).get(found.number) if found.number > known else None
        if scope is None or group_refusal(plan, state, WATCH_GROUP, scope.scope):
            continue
        cause = Cause(time, reason=_reason(plan, state, found))
        by_judge = replace(scope, actor=JUDGE, reason=cause.reason, time=time)
        state = with_scopes(plan, state, [*judged_plan(plan, state).added, by_judge])
        plan = judged_plan(plan, state)
        index = plan.scopes.index(scope.scope)
        state = mark_harmed(state, index, ScopeRecord(monitors=(SEARCHED_MONITOR,)))  # a return has to disprove it
        state = apply_input(plan, state, index, Input.BREACH, cause, entered)
    return state, entered


def _reason(plan: Plan, state: State, found: FoundGroup) -> str:
    assert plan.search is not None  # noqa: S101 - there is a finding
    return f"found: {describe_finding(found, plan.search.layout, counted_unit(plan, state))}"


def with_scopes(plan: Plan, state: State, added: Sequence[AddedScope]) -> State:
    """Return the state with these added scopes and no others."""
    after = with_added(plan, added)
    state = moved_state(plan, after, state)
    gone = {each.scope for each in plan.added} - {each.scope for each in after.added}
    estimates, retained = state.estimates, state.retained
    for scope in gone:
        estimates = estimates.with_onsets(scope, None)
    disabled = {scope: names for scope, names in retained.disabled.items() if scope not in gone}
    return replace(state, estimates=estimates, retained=replace(retained, disabled=disabled))
