"""The crossings of boundaries, on evidence that is set by hand; test_decide.py and test_watch*.py act on them."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_plan
from tightrope.monitors.boundaries.crossings import (
    RETURN_MARGIN_NATS,
    breached_scopes,
    last_request,
    recovered_ticks,
)
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import Comparisons
from tightrope.monitors.safemode import Mode, ModeState

PLAN = make_plan("disagreement")


def with_alarm(plan: Plan, scopes: list[int], above: float) -> State:
    """Return a state whose alarms in these scopes exceed the budget by these nats."""
    state = initial_state(plan)
    log_mass = state.cells[0].log_mass.copy()
    log_mass[:, scopes] = plan.budget.threshold + above
    return replace(state, cells=(replace(state.cells[0], log_mass=log_mass), *state.cells[1:]))


def with_recovery(log_wealth: float, *, disabled: bool = False) -> State:
    """Return a state whose second scope tripped and has this evidence of its recovery."""
    state = initial_state(PLAN)
    recovery, tripped = state.cells[0].recovery.copy(), state.cells[0].tripped.copy()
    recovery[:, 1], tripped[:, 1] = log_wealth, True
    modes = (Mode(), Mode(ModeState.SAFE), Mode(), Mode())
    retained = replace(state.retained, disabled={PLAN.scopes[1]: ("confidence",)} if disabled else {})
    return replace(
        state, modes=modes, cells=(replace(state.cells[0], recovery=recovery, tripped=tripped),), retained=retained
    )


def test_breached_scopes_are_listed_subgroups_first() -> None:
    """The model as a whole is judged after those that leave it."""
    assert breached_scopes(PLAN, with_alarm(PLAN, [0, 2], 1.0)) == [2, 0]
    assert breached_scopes(PLAN, with_alarm(PLAN, [0, 2], -1.0)) == []


@pytest.mark.parametrize(("above", "is_over"), [(1.0, True), (-1.0, False)])
def test_tripped_scope_has_recovered_with_the_evidence_of_its_policy(above: float, *, is_over: bool) -> None:
    """Not before."""
    needed = float(np.log(PLAN.policy.recovery_samples))
    assert recovered_ticks(PLAN, with_recovery(needed + above), 1).tolist() == [is_over]


def test_monitor_that_is_off_disproves_nothing() -> None:
    """The evidence of the others does not count for it."""
    assert not recovered_ticks(PLAN, with_recovery(1e3, disabled=True), 1).any()


def test_monitor_near_an_alarm_blocks_a_return() -> None:
    """Within a factor of a hundred of its budget."""
    assert not recovered_ticks(PLAN, with_alarm(PLAN, [1], 1.0 - RETURN_MARGIN_NATS), 1).any()
    assert recovered_ticks(PLAN, with_alarm(PLAN, [1], -1.0 - RETURN_MARGIN_NATS), 1).all()


def test_last_request_has_a_trace_only_if_it_was_traced() -> None:
    """The event of a crossing leads to it."""
    rows = Comparisons.from_columns(2, request_id=("a", "b"), trace_id=np.array(["t-1", ""], object))
    assert last_request(rows) == {"request_id": "b"}
    assert last_request(rows.take(slice(0, 1))) == {"request_id": "a", "trace_id": "t-1"}
