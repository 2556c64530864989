"""A scope that a statement of qualification does not prove enters safe mode on trial."""

from dataclasses import replace

import pytest

from tightrope.monitors.safemode import Input, Mode, ModeState, Policy, next_mode

NORMAL, SAFE = ModeState.NORMAL, ModeState.SAFE
POLICY = Policy(max_flaps=3)
NOW = 50_000.0


@pytest.mark.parametrize("state", ModeState)
def test_withheld_scope_enters_safe_mode_on_trial(state: ModeState) -> None:
    """A scope that was safe before keeps the evidence that it owes; no flap is counted, and no breach."""
    mode = Mode(state, flaps=POLICY.max_flaps - 1, returned=NOW - 1)
    after = next_mode(mode, Input.WITHHELD, NOW, POLICY)
    assert after.state is (SAFE if state is NORMAL else state)
    assert (after.withheld, after.trial, after.held) == (True, state is NORMAL, False)
    assert (after.flaps, after.breached) == (mode.flaps, False)


@pytest.mark.parametrize("trigger", [Input.RECOVERED, Input.FORCE_NORMAL])
def test_withholding_ends_by_evidence_or_by_an_operators_word(trigger: Input) -> None:
    """A release of a safe scope ends nothing."""
    mode = next_mode(Mode(), Input.WITHHELD, NOW, POLICY)
    assert next_mode(mode, Input.RELEASE, NOW, POLICY).withheld
    assert not next_mode(replace(mode, dwelling=False), trigger, NOW, POLICY).withheld


def test_scope_that_is_withheld_while_held_is_safe_with_its_release() -> None:
    """The hold stands until then, and the scope is on no trial; an operator who forces it again decides anew."""
    mode = next_mode(Mode(held=True), Input.WITHHELD, NOW, POLICY)
    assert (mode.state, mode.trial, mode.ordered) == (NORMAL, False, False)
    assert next_mode(mode, Input.RELEASE, NOW, POLICY).state is SAFE
    forced = next_mode(mode, Input.FORCE_NORMAL, NOW, POLICY)
    assert next_mode(forced, Input.RELEASE, NOW, POLICY).state is NORMAL
