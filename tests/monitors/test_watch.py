"""The effects of a step besides evidence: counts for people, and routes."""

from dataclasses import replace

import numpy as np

from tests.support.judgement.comparisons import judge_rows, judged_count, make_comparisons, make_plan
from tightrope.monitors.history.retained import ScopeRecord
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.monitors.watch import build_routes


def make_quiet_plan(**changes: object) -> Plan:
    """Build a plan of one monitor, in ticks of four rows."""
    return make_plan("disagreement", tick_rows=4, **changes)


def test_rows_count_for_a_scope_below_its_rate_only() -> None:
    """Rows kept for a floor count for the subgroup only; all rows seed the clock and are compared."""
    plan = make_quiet_plan(rates=np.array([0.25, 0.75, 0.25, 0.5]))
    draws = [0.0, 0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.75]
    state, _ = judge_rows(plan, make_comparisons(8, draw=draws, member=True, disagree=True))
    assert state.cells[0].count.tolist() == [[3, 7, 3, 5]]
    assert (judged_count(state), state.compared.tolist(), state.disagreed.tolist()) == (8, [8] * 4, [8] * 4)


def test_routes_hold_the_safe_scopes() -> None:
    """The baseline answers safe and latched scopes; all states are reported, under the epoch of the state."""
    plan = make_plan()
    moved = replace(initial_state(plan), modes=(Mode(), Mode(ModeState.SAFE), Mode(ModeState.LATCHED), Mode()), epoch=7)
    routes = build_routes(plan, moved)
    assert (routes.model, routes.epoch, routes.safe, routes.order) == ("m", 7, ("group=a", "group=b"), "")
    assert routes.states == {"model": "normal", "group=a": "safe", "group=b": "latched", "half=left": "normal"}


def test_routes_tell_what_an_operator_ordered() -> None:
    """A scope that an orphan or evidence sends to the baseline, too, is not among them."""
    plan = make_plan("disagreement")
    held, breached = Mode(ModeState.SAFE, held=True), Mode(ModeState.SAFE)
    state = replace(initial_state(plan), modes=(Mode(), held, replace(breached, ordered=True), breached))
    routes = build_routes(plan, state)
    assert (routes.safe, routes.ordered) == (plan.scopes[1:], plan.scopes[1:3])
    orphan = replace(state.retained, orphans={"gone=x": ScopeRecord(breached)})
    state = replace(state, modes=(held, held, held, held), retained=orphan)
    assert build_routes(plan, state).ordered == plan.scopes[1:]


def test_advisory_plan_moves_only_scopes_that_an_operator_holds() -> None:
    """Evidence is reported only; forced scopes follow their order in either direction."""
    plan = make_plan(armed=False)
    modes = (Mode(held=True), Mode(ModeState.SAFE), Mode(ModeState.SAFE, held=True), Mode())
    routes = build_routes(plan, replace(initial_state(plan), modes=modes))
    assert routes.safe == ("group=b",)
    assert routes.states == {"model": "normal", "group=a": "safe", "group=b": "safe", "half=left": "normal"}


def test_released_order_is_told_from_harm_under_an_advisory_plan() -> None:
    """The compressed model answers again; the scope's state is not normal on an operator's word alone."""
    plan = make_plan(armed=False)
    modes = (Mode(), Mode(ModeState.SAFE), Mode(ModeState.SAFE, ordered=True), Mode(ordered=True))
    routes = build_routes(plan, replace(initial_state(plan), modes=modes))
    assert (routes.safe, routes.ordered) == ((), ("group=b",))
