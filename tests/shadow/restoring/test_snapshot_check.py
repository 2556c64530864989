"""A state from which no round could go on is not restored."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons
from tests.support.judgement.judge_harness import lenient
from tightrope.monitors import watch
from tightrope.monitors.plan import State, initial_state
from tightrope.monitors.records import Stream
from tightrope.monitors.reliability.curve_sums import CurveSums
from tightrope.shadow.restoring.snapshot_check import snapshot_fault

PLAN = lenient()
STATE, _ = watch.step(PLAN, initial_state(PLAN), make_comparisons(100))


def test_state_of_this_plan_and_of_another_are_sound() -> None:
    """One of another plan is migrated."""
    assert snapshot_fault(PLAN, STATE) == ""
    assert snapshot_fault(replace(PLAN, digest="another"), STATE) == ""


def with_cells(**changes: object) -> State:
    """The state with other arrays in its first cells."""
    return replace(STATE, cells=(replace(STATE.cells[0], **changes), *STATE.cells[1:]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (replace(STATE, scopes=("model",)), "its scopes or monitors"),
        (replace(STATE, monitors=("mix",)), "its scopes or monitors"),
        (with_cells(log_mass=np.zeros((1, 4, 2))), "the cells of disagreement"),
        (with_cells(path=np.zeros((1, 4, 2, 3))), "the cells of disagreement"),
        (
            replace(STATE, pending={Stream.COMPARISONS: make_comparisons(3, scopes=("x=y",))}),
            "its open tick of comparisons has rows of another pair",
        ),
        (replace(STATE, curves=CurveSums.fresh(7)), "the sums behind its reliability curves"),
        (replace(STATE, digest="another", modes=STATE.modes[:1]), "it does not fit the plan: "),
    ],
)
def test_state_that_does_not_fit_is_told(state: State, says: str) -> None:
    """The judge would fail at its first round, and at each one after it started again."""
    assert snapshot_fault(PLAN, state).startswith(says)
