"""A state that could not be read: every scope is safe until it has disproved every monitor, or a person decides."""

from dataclasses import replace

import pytest

from tests.support.judgement.comparisons import SCOPES, RowSource, judge_rows, make_plan
from tightrope.monitors import watch
from tightrope.monitors.decide import Cause, apply_order, enter_unreadable
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import Order
from tightrope.monitors.safemode import Input, ModeState, Policy

CAUSE = Cause(10.0, reason="the file is damaged")


def unread(plan: Plan) -> State:
    """Return the state of a model that began without its earlier state."""
    return enter_unreadable(plan, initial_state(plan), CAUSE)[0]


def make(*, armed: bool = True) -> Plan:
    """Build a plan of one monitor, without a dwell."""
    policy = Policy(min_dwell=0.0, recovery_samples=10.0)
    return make_plan("disagreement", samples=1e3, policy=policy, tick_rows=16, armed=armed)


@pytest.mark.parametrize("armed", [True, False])
def test_every_scope_is_safe_with_a_reason(*, armed: bool) -> None:
    """Under an advisory plan, too: nothing is known, and unknown is unsafe."""
    plan = make(armed=armed)
    state, transitions = enter_unreadable(plan, initial_state(plan), CAUSE)
    assert [(t.scope, t.trigger, t.reason) for t in transitions] == [
        (scope, Input.UNREADABLE, CAUSE.reason) for scope in plan.scopes
    ]
    assert watch.build_routes(plan, state).safe == plan.scopes
    assert all(cells.tripped.all() for cells in state.cells)


def test_time_alone_releases_no_scope() -> None:
    """Rows that say nothing about a scope leave it where it is."""
    plan = make()
    state, _ = judge_rows(plan, RowSource(time=1e6).rows(640), state=unread(plan))
    assert watch.build_routes(plan, state).safe == SCOPES


def test_evidence_releases_every_scope() -> None:
    """Each scope on its own rows."""
    plan = make()
    state, _ = judge_rows(plan, RowSource(time=1e6).rows(3200, member=True), state=unread(plan))
    assert watch.build_routes(plan, state).safe == ()
    assert not any(mode.unread for mode in state.modes)


def test_harm_keeps_every_scope_safe() -> None:
    """The evidence does not come."""
    plan = make()
    state, _ = judge_rows(plan, RowSource(time=1e6).rows(3200, member=True, disagree=True), state=unread(plan))
    assert set(watch.build_routes(plan, state).safe) == set(plan.scopes)


@pytest.mark.parametrize(("order", "safe", "held"), [("force-normal", False, True), ("force-safe", True, True)])
def test_operator_decides(order: str, *, safe: bool, held: bool) -> None:
    """The scope is then in the operator's hands, no longer in those of the lost state."""
    plan = make()
    state, _ = apply_order(plan, unread(plan), Order("o", 20.0, "m", "model", order, "ann", "known to be sound"))
    assert (state.modes[0].safe, state.modes[0].held, state.modes[0].unread) == (safe, held, False)


def test_older_modes_and_orders_are_kept() -> None:
    """A latched scope stays latched, and a person's hold is kept."""
    plan = make()
    old = initial_state(plan)
    modes = (
        replace(old.modes[0], state=ModeState.LATCHED),
        replace(old.modes[1], state=ModeState.SAFE, held=True),
        replace(old.modes[2], held=True),
        old.modes[3],
    )
    state, _ = enter_unreadable(plan, replace(old, modes=modes), CAUSE)
    assert [(mode.state, mode.held, mode.unread) for mode in state.modes] == [
        (ModeState.LATCHED, False, True),
        (ModeState.SAFE, True, True),
        (ModeState.NORMAL, True, False),
        (ModeState.SAFE, False, True),
    ]
