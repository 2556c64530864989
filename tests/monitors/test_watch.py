"""What a step makes of rows beyond their evidence: counts for people to look at, and routes."""

from dataclasses import replace

import numpy as np

from tests.support.judgement.comparisons import comparisons, fold, plan, seen
from tightrope.monitors.plan import Plan, start
from tightrope.monitors.safemode import Mode
from tightrope.monitors.safemode import State as Is
from tightrope.monitors.watch import routes


def quiet(**changes: object) -> Plan:
    """One question, ticks of four rows."""
    return plan("disagreement", tick_rows=4, **changes)


def test_rows_count_for_a_scope_below_its_rate_only() -> None:
    """Rows kept for a floor are the subgroup's alone; all rows seed the clock, and are compared."""
    whole = quiet(rates=np.array([0.25, 0.75, 0.25, 0.5]))
    draws = [0.0, 0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.75]
    state, _ = fold(whole, comparisons(8, draw=draws, member=True, disagree=True))
    assert state.cells[0].count.tolist() == [[3, 7, 3, 5]]
    assert (seen(state), state.compared.tolist(), state.disagreed.tolist()) == (8, [8] * 4, [8] * 4)


def test_routes_tell_the_gateway_who_is_safe() -> None:
    """Safe and latched scopes go to the baseline; every scope's state is told, under the state's epoch."""
    whole = plan()
    moved = replace(start(whole), modes=(Mode(), Mode(Is.SAFE), Mode(Is.LATCHED), Mode()), epoch=7)
    told = routes(whole, moved)
    assert (told.model, told.epoch, told.safe, told.order) == ("m", 7, ("group=a", "group=b"), "")
    assert told.states == {"model": "normal", "group=a": "safe", "group=b": "latched", "half=left": "normal"}


def test_advisory_plan_moves_whom_an_operator_holds_and_nobody_else() -> None:
    """Evidence is only told; a person who said safe is obeyed, and one who said normal too."""
    whole = plan(armed=False)
    modes = (Mode(held=True), Mode(Is.SAFE), Mode(Is.SAFE, held=True), Mode())
    told = routes(whole, replace(start(whole), modes=modes))
    assert told.safe == ("group=b",)
    assert told.states == {"model": "normal", "group=a": "safe", "group=b": "safe", "half=left": "normal"}
