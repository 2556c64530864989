"""The way back: by evidence, after the dwell, and harder after every flap."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import Traffic, fold, plan
from tightrope.monitors.decide import WARNING, order
from tightrope.monitors.plan import Plan, State, Transition
from tightrope.monitors.records import Comparisons, Order, Outcome, Verdict
from tightrope.monitors.safemode import Input, Policy
from tightrope.monitors.safemode import State as Is
from tightrope.monitors.status import verdicts
from tightrope.monitors.watch import routes

A, B = [True, False, False], [False, True, False]
HARM = 64
"""Rows of a, all unlike, after which a surely is in safe mode; sixteen are enough."""


def watched(*monitors: str, **changes: object) -> Plan:
    """Disagreement, or these questions, in ticks of sixteen rows."""
    return plan(*(monitors or ("disagreement",)), **{"tick_rows": 16} | changes)


def of_a(plan: Plan, state: State, monitor: str = "disagreement") -> Verdict:
    """What the monitor says of a."""
    return next(v for v in verdicts(plan, state) if (v.scope, v.monitor) == ("group=a", monitor))


def harmed(plan: Plan, source: Traffic, state: State | None = None) -> State:
    """The state after a went to safe mode (or was latched)."""
    state, _ = fold(plan, source.rows(HARM, member=A, disagree=True), state=state)
    assert state.modes[1].safe
    return state


def until_back(plan: Plan, source: Traffic, state: State, most: int = 3000) -> tuple[State, State]:
    """Healthy rows of a, tick by tick, until it is back: the states before and after that tick."""
    for _ in range(most // 16):
        after, _ = fold(plan, source.rows(16, member=A), state=state)
        if not after.modes[1].safe:
            return state, after
        state = after
    pytest.fail("a did not come back")


def test_harmed_scope_breaches_until_it_is_back() -> None:
    """The verdict stays a breach while the monitor owes its evidence, and starts anew after the return."""
    whole, source = watched(), Traffic()
    before, after = until_back(whole, source, harmed(whole, source))
    assert of_a(whole, before).outcome is Outcome.BREACH
    assert of_a(whole, after).outcome is Outcome.INSUFFICIENT
    assert of_a(whole, after).recovery is None
    assert after.cells[0].count[0, 1] == 0
    assert not after.cells[0].tripped.any()
    assert np.isneginf(after.cells[0].log_mass[:, 1]).all()
    assert np.isneginf(after.cells[0].recovery[:, 1]).all()
    assert routes(whole, after).safe == ()


def test_return_takes_the_evidence_even_after_the_dwell() -> None:
    """One row a second: the dwell is over after 300 rows, the evidence of 10^5 takes more."""
    whole, source = watched(), Traffic()
    before, after = until_back(whole, source, harmed(whole, source))
    assert not before.modes[1].dwelling
    recovery = of_a(whole, before).recovery
    assert recovery is not None
    assert 4.5 < recovery < 5 == of_a(whole, before).recovery_threshold
    assert 300 < after.modes[1].since - HARM < 500


def test_return_waits_for_the_dwell_even_with_the_evidence() -> None:
    """Ten rows a second: the evidence is there long before, and a comes back with the tick that ends the dwell."""
    whole, source = watched(), Traffic(seconds=0.1)
    start = harmed(whole, source)
    state, happened = fold(whole, source.rows(2400, member=A), state=start)
    recovery = of_a(whole, state).recovery
    assert recovery is not None
    assert recovery > 20
    assert happened == []
    state, happened = fold(whole, source.rows(1600, member=A), state=state)
    assert [t.what for t in happened] == [Input.DWELL_ELAPSED, Input.RECOVERED]
    assert happened[0].time == happened[1].time
    assert 300 <= happened[1].time - start.modes[1].since < 302


@pytest.mark.parametrize("every", [2, 10, 25, 33])
def test_scope_that_stays_ill_does_not_come_back(every: int) -> None:
    """Rates of 50, 10, 4 and 3 %: down to three quarters of the limit of 4 % there is nothing to return to."""
    whole, source = watched(), Traffic()
    state = harmed(whole, source)
    state, happened = fold(whole, source.rows(6400, member=A, disagree=np.arange(6400) % every == 0), state=state)
    assert [t.what for t in happened] == [Input.DWELL_ELAPSED]
    assert state.modes[1].state is Is.SAFE


def test_flap_asks_tenfold_evidence() -> None:
    """A second breach within the window: the next return needs 10^6, and takes it."""
    whole, source = watched(), Traffic()
    state = until_back(whole, source, harmed(whole, source))[1]
    again = harmed(whole, source, state)
    assert again.modes[1].flaps == 1
    before, after = until_back(whole, source, again)
    recovery = of_a(whole, before).recovery
    assert recovery is not None
    assert 5 < recovery < 6 == of_a(whole, before).recovery_threshold
    assert after.modes[1].flaps == 1


def test_breach_long_after_a_return_is_no_flap() -> None:
    """Outside the window the scope starts with a clean sheet."""
    whole, source = watched(policy=Policy(flap_window=1000.0)), Traffic()
    state = until_back(whole, source, harmed(whole, source))[1]
    source.time += 2000
    assert harmed(whole, source, state).modes[1].flaps == 0


def test_latched_scope_waits_for_a_person_however_healthy() -> None:
    """After one flap too many no evidence helps; released, it comes back by evidence after another dwell."""
    whole, source = watched(policy=Policy(max_flaps=1)), Traffic()
    latched = harmed(whole, source, until_back(whole, source, harmed(whole, source))[1])
    assert latched.modes[1].state is Is.LATCHED
    state, happened = fold(whole, source.rows(1600, member=A), state=latched)
    assert happened == []
    assert routes(whole, state).safe == ("group=a",)
    released, _ = order(whole, state, Order("1", source.time, "m", "group=a", "release", "eve", "mended"))
    state, happened = fold(whole, source.rows(320, member=A), state=released)
    assert [t.what for t in happened] == [Input.DWELL_ELAPSED, Input.RECOVERED]


@pytest.mark.parametrize(("above", "back"), [(0.5, False), (-0.5, True)])
def test_other_monitor_near_its_alarm_stands_in_the_way(above: float, back: bool) -> None:  # noqa: FBT001 - a case
    """Within a factor of a hundred of the budget, though it never tripped."""
    whole, source = watched("disagreement", "confidence"), Traffic(seconds=0.1)
    state = harmed(whole, source)
    state, _ = fold(whole, source.rows(1600, member=A), state=state)
    quiet, uneasy = state.cells
    log_mass = uneasy.log_mass.copy()
    log_mass[:, 1] = whole.budget.threshold - WARNING + above
    source.time += 300
    state = replace(state, cells=(quiet, replace(uneasy, log_mass=log_mass)))
    _, happened = fold(whole, source.rows(16, member=B), state=state)
    assert [t.what for t in happened] == [Input.DWELL_ELAPSED] + [Input.RECOVERED] * back


def also_unsure(plan: Plan, source: Traffic) -> tuple[State, list[Transition]]:
    """a is harmed in its decisions first, then in its confidence: the state, and what happened since."""
    state = harmed(plan, source)
    return fold(plan, source.rows(640, member=A, confidence_compressed=0.5), state=state)


def test_every_monitor_that_tripped_must_be_disproved() -> None:
    """Confidence joins in while a is safe already: disagreement alone cannot bring it back."""
    whole, source = watched("disagreement", "confidence"), Traffic()
    state, _ = also_unsure(whole, source)
    assert [cells.tripped[0, 1] for cells in state.cells] == [True, True]
    recovery = of_a(whole, state).recovery
    assert recovery is not None
    assert recovery > 5
    assert (state.modes[1].safe, state.modes[1].dwelling) == (True, False)
    _, after = until_back(whole, source, state)
    assert not any(cells.tripped.any() for cells in after.cells)


def test_breach_of_a_safe_scope_is_recorded_and_moves_nothing() -> None:
    """The event names the monitor; the mode, and so its dwell, stays."""
    breach = also_unsure(watched("disagreement", "confidence"), Traffic())[1][0]
    assert (breach.what, breach.moved, breach.before) == (Input.BREACH, False, breach.after)
    assert breach.reason == "confidence 0.250 over the last 128 rows, limit 0.04"


def test_rare_scope_comes_back_when_the_dwell_ends_without_rows_of_it() -> None:
    """Its evidence was there; that it has not been heard of lately is said, and harms nobody."""
    whole, source = watched(), Traffic(seconds=0.1)
    state = harmed(whole, source)
    state, _ = fold(whole, source.rows(1600, member=A), state=state)
    state, happened = fold(whole, source.rows(3200, member=B), state=state)
    assert [t.what for t in happened] == [Input.DWELL_ELAPSED, Input.RECOVERED]
    assert happened[1].reason == "disagreement not heard of lately, limit 0.04"
    assert routes(whole, state).safe == ()


def overlapping(n: int, source: Traffic, *, ill: bool) -> Comparisons:
    """Rows that are in a and left alike, or in left alone."""
    row = np.arange(n)
    member = np.stack([row % 2 == 0, row < 0, row >= 0], axis=1)
    return source.rows(n, member=member, disagree=ill)


def test_overlapping_scopes_both_safe_recover_on_all_their_rows() -> None:
    """A row that belongs to two safe scopes counts for both: neither's return would move it alone."""
    whole, source = watched(), Traffic()
    state, _ = fold(whole, overlapping(64, source, ill=True))
    state = order(whole, state, Order("1", source.time, "m", "group=a", "force-safe", "eve", "look"))[0]
    state = order(whole, state, Order("2", source.time, "m", "half=left", "force-safe", "eve", "look"))[0]
    after, _ = fold(whole, overlapping(160, source, ill=False), state=state)
    assert (after.cells[0].count - state.cells[0].count).tolist() == [[0, 80, 0, 160]]


def test_model_comes_back_as_a_subgroup_does() -> None:
    """Harm everywhere ends, the dwell passes, and the evidence brings the model back."""
    whole, source = watched(), Traffic()
    state, happened = fold(whole, source.rows(640, disagree=np.arange(640) % 3 == 0))
    assert [t.scope for t in happened] == ["model", "model"]
    state, happened = fold(whole, source.rows(1600), state=state)
    assert [(t.scope, t.what) for t in happened] == [("model", Input.RECOVERED)]
    assert routes(whole, state).safe == ()
