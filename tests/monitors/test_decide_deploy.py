"""Another artefact: whoever is safe is on trial, whoever is not starts anew, and nobody is moved by it."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import Traffic, bits, fold, plan
from tightrope.monitors.decide import Cause, deploy, order
from tightrope.monitors.detector import RECOVERY_RATIOS
from tightrope.monitors.plan import Plan, State, start
from tightrope.monitors.records import Comparisons, Order
from tightrope.monitors.safemode import Input, Policy
from tightrope.monitors.safemode import State as Is
from tightrope.monitors.status import verdicts

A = [True, False, False]
CAUSE = Cause(1e4, reason="another artefact")
POLICY = Policy(min_dwell=0.0)


def watched(*monitors: str, **changes: object) -> Plan:
    """Disagreement, or these questions, in ticks of sixteen rows."""
    return plan(*(monitors or ("disagreement",)), **{"tick_rows": 16, "policy": POLICY} | changes)


def second(*monitors: str, **changes: object) -> Plan:
    """The same watch of another compressed model."""
    return watched(*monitors, **{"compressed_digest": "c2", "digest": "d2"} | changes)


def of_second(rows: Comparisons) -> Comparisons:
    """These rows, compared with the new artefact."""
    return replace(rows, compressed_digest="c2")


def harmed(of: Plan, source: Traffic, state: State | None = None) -> State:
    """The state after a went to safe mode for its decisions."""
    state, happened = fold(of, source.rows(64, member=A, disagree=True), state=state)
    assert "group=a" in {t.scope for t in happened if t.what is Input.BREACH}
    return state


def recovery_of_a(of: Plan, state: State) -> tuple[float | None, float]:
    """Evidence for a's return, and how much of it is asked (log10)."""
    shown = next(v for v in verdicts(of, state) if (v.scope, v.monitor) == ("group=a", "disagreement"))
    return shown.recovery, shown.recovery_threshold


def test_safe_scope_is_on_trial_with_a_wealth_of_one_and_asked_for_a_hundred() -> None:
    """The others start anew in normal mode; what is told is told of those who are safe."""
    state, told = deploy(second(), harmed(watched(), Traffic()), CAUSE)
    assert [(t.scope, t.what, t.moved, t.reason) for t in told] == [
        ("group=a", Input.NEW_ARTEFACT, False, "another artefact")
    ]
    assert [mode.trial for mode in state.modes] == [False, True, False, False]
    assert (state.modes[1].state, state.modes[0].state) == (Is.SAFE, Is.NORMAL)
    assert recovery_of_a(second(), state) == (0.0, pytest.approx(2.0))
    assert np.isneginf(state.cells[0].log_mass).all()
    assert np.isneginf(state.cells[0].recovery[:, [0, 2, 3]]).all()
    assert not state.cells[0].count.any()


def test_trial_is_won_by_evidence_from_a_wealth_of_one() -> None:
    """Nothing is added to it: after n sound rows it is the mean of the likelihood ratios; at a hundred a returns."""
    source = Traffic()
    state, _ = deploy(second(), harmed(watched(), source), CAUSE)
    source.time = 2e4
    limit, rows = 0.75 * 0.04, 0
    wealth = [(1 - ratio * limit) / (1 - limit) for ratio in RECOVERY_RATIOS]
    while True:
        state, happened = fold(second(), of_second(source.rows(16, member=A)), state=state)
        rows += 16
        expected = np.mean([one**rows for one in wealth])
        assert (expected >= 100) == (not state.modes[1].safe)
        if expected >= 100:
            break
        assert recovery_of_a(second(), state)[0] == pytest.approx(np.log10(expected))
    assert [t.what for t in happened] == [Input.RECOVERED]
    assert not state.modes[1].trial
    assert 160 < rows < 260


def test_bad_artefact_does_not_win_its_trial() -> None:
    """Not in thousands of rows at the limit."""
    source = Traffic()
    state, _ = deploy(second(), harmed(watched(), source), CAUSE)
    source.time = 2e4
    sick = np.arange(3200) % 25 == 0
    state, happened = fold(second(), of_second(source.rows(3200, member=A, disagree=sick)), state=state)
    assert happened == []
    assert state.modes[1].safe


def test_trial_asks_tenfold_after_a_flap_and_the_third_flap_latches() -> None:
    """Artefact after artefact that wins its trial and fails again."""
    source, artefact = Traffic(), 1
    of = watched()
    state, asked = harmed(of, source), []
    while state.modes[1].state is Is.SAFE:
        artefact += 1
        of = second(compressed_digest=f"c{artefact}", digest=f"d{artefact}")
        state, _ = deploy(of, state, Cause(source.time))
        asked.append(recovery_of_a(of, state)[1])
        state, _ = fold(of, replace(source.rows(800, member=A), compressed_digest=f"c{artefact}"), state=state)
        assert not state.modes[1].safe
        ill = replace(source.rows(64, member=A, disagree=True), compressed_digest=f"c{artefact}")
        state, _ = fold(of, ill, state=state)
    assert asked == pytest.approx([2.0, 3.0, 4.0])
    assert (state.modes[1].state, state.modes[1].flaps) == (Is.LATCHED, 3)
    state, told = deploy(watched(digest="d9", compressed_digest="c9"), state, Cause(source.time))
    assert [(t.what, t.after.state) for t in told] == [(Input.NEW_ARTEFACT, Is.LATCHED)], "a person ends it"


def test_monitor_that_trips_during_the_trial_gets_a_trial_of_its_own() -> None:
    """Nobody adds to a wealth on trial: without a start of one it could never be won."""
    both = ("disagreement", "confidence")
    source = Traffic()
    state, _ = deploy(second(*both), harmed(watched(*both), source), CAUSE)
    source.time = 2e4
    while not state.cells[1].tripped[:, 1].all():
        rows = of_second(source.rows(16, member=A, confidence_compressed=0.5))
        state, happened = fold(second(*both), rows, state=state)
    assert (happened[0].what, happened[0].scope) == (Input.BREACH, "group=a")
    state, happened = fold(second(*both), of_second(source.rows(6400, member=A)), state=state)
    assert happened[-1].what is Input.RECOVERED
    assert not state.modes[1].safe


def test_trial_goes_on_from_a_wealth_of_one_under_another_configuration() -> None:
    """The evidence is dropped with the configuration; the trial of the same artefact begins again."""
    source = Traffic()
    state, _ = deploy(second(), harmed(watched(), source), CAUSE)
    state, _ = fold(second(), of_second(source.rows(64, member=A)), state=state)
    state, told = deploy(second(digest="d3"), state, CAUSE)
    assert told == []
    assert recovery_of_a(second(digest="d3"), state) == (0.0, pytest.approx(2.0))


def test_another_configuration_puts_nobody_on_trial() -> None:
    """The artefact is the same: what tripped is owed in full."""
    state, told = deploy(watched(digest="d2"), harmed(watched(), Traffic()), CAUSE)
    assert told == []
    assert recovery_of_a(watched(digest="d2"), state) == (pytest.approx(-np.inf), pytest.approx(5.0))


def test_same_plan_changes_nothing() -> None:
    """A judge that starts again with the plan that it had."""
    state = harmed(watched(), Traffic())
    after, told = deploy(watched(), state, CAUSE)
    assert told == []
    assert bits(after) == bits(state)


def test_forced_scope_stays_forced() -> None:
    """A new artefact gives no operator's decision away."""
    given = Order("1", 0.0, "m", "group=a", "force-safe", "eve", "look")
    state, _ = order(watched(), start(watched()), given)
    state, _ = deploy(second(), state, CAUSE)
    assert (state.modes[1].held, state.modes[1].trial, state.modes[1].safe) == (True, True, True)
    state, happened = fold(second(), of_second(Traffic(time=2e4).rows(1600, member=A)), state=state)
    assert [t.what for t in happened] == [Input.DWELL_ELAPSED]
