"""The return from safe mode: on evidence, after the dwell, and harder after every flap."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan
from tightrope.monitors.boundaries.crossings import RETURN_MARGIN_NATS
from tightrope.monitors.decide import apply_order
from tightrope.monitors.plan import Plan, State, Transition
from tightrope.monitors.records import Comparisons, Order, Outcome
from tightrope.monitors.safemode import Input, ModeState, Policy
from tightrope.monitors.status.verdicts import verdicts
from tightrope.monitors.verdict import Verdict
from tightrope.monitors.watch import build_routes

IN_A, IN_B = [True, False, False], [False, True, False]
HARMED_ROWS = 64
"""Disagreeing rows of a that certainly move it to safe mode; sixteen are enough."""


def watched(*monitors: str, **changes: object) -> Plan:
    """Build a plan of disagreement, or of these monitors, in ticks of sixteen rows."""
    return make_plan(*(monitors or ("disagreement",)), **{"tick_rows": 16} | changes)


def verdict_of_a(plan: Plan, state: State, monitor: str = "disagreement") -> Verdict:
    """Return the monitor's verdict of a."""
    return next(v for v in verdicts(plan, state) if (v.scope, v.monitor) == ("group=a", monitor))


def harmed(plan: Plan, source: RowSource, state: State | None = None) -> State:
    """Return the state after a went to safe mode (or latched)."""
    state, _ = judge_rows(plan, source.rows(HARMED_ROWS, member=IN_A, disagree=True), state=state)
    assert state.modes[1].safe
    return state


def until_back(plan: Plan, source: RowSource, state: State, max_rows: int = 3000) -> tuple[State, State]:
    """Judge healthy rows of a, tick by tick, until it returns: the states before and after that tick."""
    for _ in range(max_rows // 16):
        after, _ = judge_rows(plan, source.rows(16, member=IN_A), state=state)
        if not after.modes[1].safe:
            return state, after
        state = after
    pytest.fail("a did not come back")


def test_harmed_scope_breaches_until_it_is_back() -> None:
    """The verdict stays a breach until the harm is disproved, and starts anew after the return."""
    plan, source = watched(), RowSource()
    before, after = until_back(plan, source, harmed(plan, source))
    assert verdict_of_a(plan, before).outcome is Outcome.BREACH
    assert verdict_of_a(plan, after).outcome is Outcome.INSUFFICIENT
    assert verdict_of_a(plan, after).recovery is None
    assert after.cells[0].count[0, 1] == 0
    assert not after.cells[0].tripped.any()
    assert np.isneginf(after.cells[0].log_mass[:, 1]).all()
    assert np.isneginf(after.cells[0].recovery[:, 1]).all()
    assert build_routes(plan, after).safe == ()


def test_return_takes_the_evidence_even_after_the_dwell() -> None:
    """One row per second: the dwell is over after 300 rows, the evidence of 10^5 takes more."""
    plan, source = watched(), RowSource()
    before, after = until_back(plan, source, harmed(plan, source))
    assert not before.modes[1].dwelling
    recovery = verdict_of_a(plan, before).recovery
    assert recovery is not None
    assert 4.5 < recovery < 5 == verdict_of_a(plan, before).recovery_threshold
    assert 300 < after.modes[1].since - HARMED_ROWS < 500


def test_return_waits_for_the_dwell_even_with_the_evidence() -> None:
    """Ten rows per second: the evidence comes long before, and a returns with the tick that ends the dwell."""
    plan, source = watched(), RowSource(seconds=0.1)
    start = harmed(plan, source)
    state, transitions = judge_rows(plan, source.rows(2400, member=IN_A), state=start)
    recovery = verdict_of_a(plan, state).recovery
    assert recovery is not None
    assert recovery > 20
    assert transitions == []
    state, transitions = judge_rows(plan, source.rows(1600, member=IN_A), state=state)
    assert [t.trigger for t in transitions] == [Input.DWELL_ELAPSED, Input.RECOVERED]
    assert transitions[0].time == transitions[1].time
    assert 300 <= transitions[1].time - start.modes[1].since < 302


@pytest.mark.parametrize("every", [2, 10, 25, 33])
def test_scope_that_stays_harmed_does_not_return(every: int) -> None:
    """Rates of 50, 10, 4 and 3 %: a return takes a rate below three quarters of the limit of 4 %."""
    plan, source = watched(), RowSource()
    state = harmed(plan, source)
    state, transitions = judge_rows(
        plan, source.rows(6400, member=IN_A, disagree=np.arange(6400) % every == 0), state=state
    )
    assert [t.trigger for t in transitions] == [Input.DWELL_ELAPSED]
    assert state.modes[1].state is ModeState.SAFE


def test_flap_needs_tenfold_evidence() -> None:
    """After a second breach within the window the next return needs and takes 10^6."""
    plan, source = watched(), RowSource()
    state = until_back(plan, source, harmed(plan, source))[1]
    second_time = harmed(plan, source, state)
    assert second_time.modes[1].flaps == 1
    before, after = until_back(plan, source, second_time)
    recovery = verdict_of_a(plan, before).recovery
    assert recovery is not None
    assert 5 < recovery < 6 == verdict_of_a(plan, before).recovery_threshold
    assert after.modes[1].flaps == 1


def test_breach_long_after_a_return_is_no_flap() -> None:
    """Outside the window the count of flaps starts anew."""
    plan, source = watched(policy=Policy(flap_window=1000.0)), RowSource()
    state = until_back(plan, source, harmed(plan, source))[1]
    source.time += 2000
    assert harmed(plan, source, state).modes[1].flaps == 0


def test_latched_scope_waits_for_an_operator() -> None:
    """Evidence does not end a latch; once released, the scope returns on evidence after another dwell."""
    plan, source = watched(policy=Policy(max_flaps=1)), RowSource()
    latched = harmed(plan, source, until_back(plan, source, harmed(plan, source))[1])
    assert latched.modes[1].state is ModeState.LATCHED
    state, transitions = judge_rows(plan, source.rows(1600, member=IN_A), state=latched)
    assert transitions == []
    assert build_routes(plan, state).safe == ("group=a",)
    released, _ = apply_order(plan, state, Order("1", source.time, "m", "group=a", "release", "eve", "repaired"))
    state, transitions = judge_rows(plan, source.rows(320, member=IN_A), state=released)
    assert [t.trigger for t in transitions] == [Input.DWELL_ELAPSED, Input.RECOVERED]


@pytest.mark.parametrize(("above", "back"), [(0.5, False), (-0.5, True)])
def test_other_monitor_near_its_alarm_blocks_the_return(above: float, back: bool) -> None:  # noqa: FBT001 - a case
    """Within a factor of a hundred of the budget, though it never tripped."""
    plan, source = watched("disagreement", "confidence"), RowSource(seconds=0.1)
    state = harmed(plan, source)
    state, _ = judge_rows(plan, source.rows(1600, member=IN_A), state=state)
    quiet, uneasy = state.cells
    log_mass = uneasy.log_mass.copy()
    log_mass[:, 1] = plan.budget.threshold - RETURN_MARGIN_NATS + above
    source.time += 300
    state = replace(state, cells=(quiet, replace(uneasy, log_mass=log_mass)))
    _, transitions = judge_rows(plan, source.rows(16, member=IN_B), state=state)
    assert [t.trigger for t in transitions] == [Input.DWELL_ELAPSED] + [Input.RECOVERED] * back


def harmed_in_confidence_too(plan: Plan, source: RowSource) -> tuple[State, list[Transition]]:
    """Harm a in its decisions, then in its confidence: the state, and the transitions since."""
    state = harmed(plan, source)
    return judge_rows(plan, source.rows(640, member=IN_A, confidence_compressed=0.5), state=state)


def test_every_monitor_that_tripped_must_be_disproved() -> None:
    """Confidence trips while a is safe already: evidence on disagreement alone cannot bring it back."""
    plan, source = watched("disagreement", "confidence"), RowSource()
    state, _ = harmed_in_confidence_too(plan, source)
    assert [cells.tripped[0, 1] for cells in state.cells] == [True, True]
    recovery = verdict_of_a(plan, state).recovery
    assert recovery is not None
    assert recovery > 5
    assert (state.modes[1].safe, state.modes[1].dwelling) == (True, False)
    _, after = until_back(plan, source, state)
    assert not any(cells.tripped.any() for cells in after.cells)


def test_breach_of_a_safe_scope_is_recorded_and_moves_nothing() -> None:
    """The event names the monitor; mode and dwell stay."""
    breach = harmed_in_confidence_too(watched("disagreement", "confidence"), RowSource())[1][0]
    assert (breach.trigger, breach.moved, breach.before) == (Input.BREACH, False, breach.after)
    assert breach.reason.startswith(
        "confidence 0.29 (0.072 to 0.5, last 112 rows), limit 0.04; evidence 105 % of what "
    )


def test_rare_scope_returns_when_the_dwell_ends_without_rows_of_it() -> None:
    """Its evidence is complete; the reason gives the interval of its own rows."""
    plan, source = watched(), RowSource(seconds=0.1)
    state = harmed(plan, source)
    state, _ = judge_rows(plan, source.rows(1600, member=IN_A), state=state)
    state, transitions = judge_rows(plan, source.rows(3200, member=IN_B), state=state)
    assert [t.trigger for t in transitions] == [Input.DWELL_ELAPSED, Input.RECOVERED]
    assert transitions[1].reason == "disagreement 2.9 in 100 (1.6 to 4.7, last 1,648 rows), limit 4"
    assert build_routes(plan, state).safe == ()


def overlapping_rows(n: int, source: RowSource, *, disagree: bool) -> Comparisons:
    """Build rows that are in both a and left, or in left alone."""
    row = np.arange(n)
    member = np.stack([row % 2 == 0, row < 0, row >= 0], axis=1)
    return source.rows(n, member=member, disagree=disagree)


def test_overlapping_scopes_both_safe_recover_on_all_their_rows() -> None:
    """A row in two safe scopes counts for both: neither scope's return would move it alone."""
    plan, source = watched(), RowSource()
    state, _ = judge_rows(plan, overlapping_rows(64, source, disagree=True))
    state = apply_order(plan, state, Order("1", source.time, "m", "group=a", "force-safe", "eve", "look"))[0]
    state = apply_order(plan, state, Order("2", source.time, "m", "half=left", "force-safe", "eve", "look"))[0]
    after, _ = judge_rows(plan, overlapping_rows(160, source, disagree=False), state=state)
    assert (after.cells[0].count - state.cells[0].count).tolist() == [[0, 80, 0, 160]]


def test_model_returns_as_a_subgroup_does() -> None:
    """Harm everywhere ends, the dwell passes, and the evidence brings the model back."""
    plan, source = watched(), RowSource()
    state, transitions = judge_rows(plan, source.rows(640, disagree=np.arange(640) % 3 == 0))
    assert [t.scope for t in transitions] == ["model", "model"]
    state, transitions = judge_rows(plan, source.rows(1600), state=state)
    assert [(t.scope, t.trigger) for t in transitions] == [("model", Input.RECOVERED)]
    assert build_routes(plan, state).safe == ()
