"""The standing of a model: the mode of each scope, and the pace of its rows."""

from dataclasses import replace

from tests.support.judgement.comparisons import SCOPES, judge_rows, make_comparisons, make_plan
from tightrope.monitors.plan import initial_state
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.monitors.status.standing import model_standing


def test_every_scope_has_its_mode() -> None:
    """By name, with the policy's ratio."""
    plan = make_plan("disagreement")
    state = initial_state(plan)
    state = replace(state, modes=(*state.modes[:-1], Mode(ModeState.SAFE)))
    standing = model_standing(plan, state)
    assert [*standing.modes] == ["model", *SCOPES]
    assert [mode.safe for mode in standing.modes.values()] == [False] * len(SCOPES) + [True]
    assert (standing.recovery_ratio, standing.rows_per_second) == (plan.policy.recovery_ratio, 0.0)


def test_pace_is_that_of_the_judged_rows() -> None:
    """Known once there are two ticks."""
    plan = make_plan("disagreement")
    state, _ = judge_rows(plan, make_comparisons(512))
    assert model_standing(plan, state).rows_per_second == state.estimates.checkpoints.rows_per_second
