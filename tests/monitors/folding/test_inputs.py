from tests.support.judgement.recorded import recorded_plan
from tightrope.monitors.folding.inputs import FoldStep, PassedEpoch
from tightrope.monitors.plan import Transition, initial_state
from tightrope.monitors.safemode import Input, Mode, ModeState


def test_a_step_has_the_transitions_that_moved() -> None:
    """Further evidence on a scope in safe mode is a transition, and no move."""
    safe = Mode(ModeState.SAFE)
    moved, further = (
        Transition("model", Input.BREACH, before, safe, 1.0, "judge", "harm", {}) for before in (Mode(), safe)
    )
    step = FoldStep("m", PassedEpoch(1), initial_state(recorded_plan()), (moved, further))
    assert step.moves == (moved,)
