"""A new artefact puts scopes in safe mode on trial, resets the evidence of the others, and moves no scope."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, bit_exact, judge_rows, make_plan
from tightrope.monitors.decide import Cause, apply_order, deploy
from tightrope.monitors.detector import RECOVERY_RATIOS
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import Comparisons, Order
from tightrope.monitors.safemode import Input, ModeState, Policy
from tightrope.monitors.status.verdicts import verdicts

IN_A = [True, False, False]
CAUSE = Cause(1e4, reason="another artefact")
POLICY = Policy(min_dwell=0.0)


def watched(*monitors: str, **changes: object) -> Plan:
    """Build a plan of disagreement, or of these monitors, in ticks of sixteen rows."""
    return make_plan(*(monitors or ("disagreement",)), **{"tick_rows": 16, "policy": POLICY} | changes)


def second_plan(*monitors: str, **changes: object) -> Plan:
    """Build the plan for another compressed model."""
    return watched(*monitors, **{"compressed_digest": "c2", "digest": "d2"} | changes)


def with_second_artefact(rows: Comparisons) -> Comparisons:
    """Return the rows as compared with the new artefact."""
    return replace(rows, compressed_digest="c2")


def harmed(plan: Plan, source: RowSource, state: State | None = None) -> State:
    """Return the state after a went to safe mode for disagreement."""
    state, transitions = judge_rows(plan, source.rows(64, member=IN_A, disagree=True), state=state)
    assert "group=a" in {t.scope for t in transitions if t.trigger is Input.BREACH}
    return state


def recovery_of_a(plan: Plan, state: State) -> tuple[float | None, float]:
    """Return the evidence for a's return and the evidence required (log10)."""
    shown = next(v for v in verdicts(plan, state) if (v.scope, v.monitor) == ("group=a", "disagreement"))
    return shown.recovery, shown.recovery_threshold


def test_safe_scope_is_on_trial_from_a_wealth_of_one_to_a_hundred() -> None:
    """The other scopes start anew in normal mode; only the safe scope has a transition."""
    state, transitions = deploy(second_plan(), harmed(watched(), RowSource()), CAUSE)
    assert [(t.scope, t.trigger, t.moved, t.reason) for t in transitions] == [
        ("group=a", Input.NEW_ARTEFACT, False, "another artefact")
    ]
    assert [mode.trial for mode in state.modes] == [False, True, False, False]
    assert (state.modes[1].state, state.modes[0].state) == (ModeState.SAFE, ModeState.NORMAL)
    assert recovery_of_a(second_plan(), state) == (0.0, pytest.approx(2.0))
    assert np.isneginf(state.cells[0].log_mass).all()
    assert np.isneginf(state.cells[0].recovery[:, [0, 2, 3]]).all()
    assert not state.cells[0].count.any()


def test_trial_is_won_by_evidence_from_a_wealth_of_one() -> None:
    """The wealth is not seeded: after n sound rows it is the mean of the likelihood ratios; at a hundred a returns."""
    source = RowSource()
    state, _ = deploy(second_plan(), harmed(watched(), source), CAUSE)
    source.time = 2e4
    limit, rows = 0.75 * 0.04, 0
    wealth = [(1 - ratio * limit) / (1 - limit) for ratio in RECOVERY_RATIOS]
    while True:
        state, transitions = judge_rows(second_plan(), with_second_artefact(source.rows(16, member=IN_A)), state=state)
        rows += 16
        expected = np.mean([one**rows for one in wealth])
        assert (expected >= 100) == (not state.modes[1].safe)
        if expected >= 100:
            break
        assert recovery_of_a(second_plan(), state)[0] == pytest.approx(np.log10(expected))
    assert [t.trigger for t in transitions] == [Input.RECOVERED]
    assert not state.modes[1].trial
    assert 160 < rows < 260


def test_bad_artefact_does_not_win_its_trial() -> None:
    """Thousands of rows at the limit are not enough."""
    source = RowSource()
    state, _ = deploy(second_plan(), harmed(watched(), source), CAUSE)
    source.time = 2e4
    disagree = np.arange(3200) % 25 == 0
    state, transitions = judge_rows(
        second_plan(), with_second_artefact(source.rows(3200, member=IN_A, disagree=disagree)), state=state
    )
    assert transitions == []
    assert state.modes[1].safe


def test_trial_needs_tenfold_after_a_flap_and_the_third_flap_latches() -> None:
    """Several artefacts in a row win their trial and fail again."""
    source, artefact = RowSource(), 1
    plan = watched()
    state, required = harmed(plan, source), []
    while state.modes[1].state is ModeState.SAFE:
        artefact += 1
        plan = second_plan(compressed_digest=f"c{artefact}", digest=f"d{artefact}")
        state, _ = deploy(plan, state, Cause(source.time))
        required.append(recovery_of_a(plan, state)[1])
        state, _ = judge_rows(
            plan, replace(source.rows(800, member=IN_A), compressed_digest=f"c{artefact}"), state=state
        )
        assert not state.modes[1].safe
        bad_rows = replace(source.rows(64, member=IN_A, disagree=True), compressed_digest=f"c{artefact}")
        state, _ = judge_rows(plan, bad_rows, state=state)
    assert required == pytest.approx([2.0, 3.0, 4.0])
    assert (state.modes[1].state, state.modes[1].flaps) == (ModeState.LATCHED, 3)
    state, transitions = deploy(watched(digest="d9", compressed_digest="c9"), state, Cause(source.time))
    assert [(t.trigger, t.after.state) for t in transitions] == [(Input.NEW_ARTEFACT, ModeState.LATCHED)], (
        "a person ends it"
    )


def test_monitor_that_trips_during_the_trial_gets_a_trial_of_its_own() -> None:
    """A wealth on trial is not seeded: without a start of one it could never be won."""
    both = ("disagreement", "confidence")
    source = RowSource()
    state, _ = deploy(second_plan(*both), harmed(watched(*both), source), CAUSE)
    source.time = 2e4
    while not state.cells[1].tripped[:, 1].all():
        rows = with_second_artefact(source.rows(16, member=IN_A, confidence_compressed=0.5))
        state, transitions = judge_rows(second_plan(*both), rows, state=state)
    assert (transitions[0].trigger, transitions[0].scope) == (Input.BREACH, "group=a")
    state, transitions = judge_rows(
        second_plan(*both), with_second_artefact(source.rows(6400, member=IN_A)), state=state
    )
    assert transitions[-1].trigger is Input.RECOVERED
    assert not state.modes[1].safe


def test_trial_restarts_from_a_wealth_of_one_under_another_configuration() -> None:
    """The evidence is dropped with the configuration; the trial of the artefact begins again."""
    source = RowSource()
    state, _ = deploy(second_plan(), harmed(watched(), source), CAUSE)
    state, _ = judge_rows(second_plan(), with_second_artefact(source.rows(64, member=IN_A)), state=state)
    state, transitions = deploy(second_plan(digest="d3"), state, CAUSE)
    assert transitions == []
    assert recovery_of_a(second_plan(digest="d3"), state) == (0.0, pytest.approx(2.0))


def test_another_configuration_puts_no_scope_on_trial() -> None:
    """The artefact is unchanged, so a tripped monitor has to be disproved in full."""
    state, transitions = deploy(watched(digest="d2"), harmed(watched(), RowSource()), CAUSE)
    assert transitions == []
    assert recovery_of_a(watched(digest="d2"), state) == (pytest.approx(-np.inf), pytest.approx(5.0))


def test_same_plan_changes_nothing() -> None:
    """A judge restarts with its old plan."""
    state = harmed(watched(), RowSource())
    after, transitions = deploy(watched(), state, CAUSE)
    assert transitions == []
    assert bit_exact(after) == bit_exact(state)


def test_forced_scope_stays_forced() -> None:
    """A new artefact does not override an operator's decision."""
    given = Order("1", 0.0, "m", "group=a", "force-safe", "eve", "look")
    state, _ = apply_order(watched(), initial_state(watched()), given)
    state, _ = deploy(second_plan(), state, CAUSE)
    assert (state.modes[1].held, state.modes[1].trial, state.modes[1].safe) == (True, True, True)
    state, transitions = judge_rows(
        second_plan(), with_second_artefact(RowSource(time=2e4).rows(1600, member=IN_A)), state=state
    )
    assert [t.trigger for t in transitions] == [Input.DWELL_ELAPSED]
