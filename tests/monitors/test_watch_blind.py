"""Blindness: traffic without comparisons sends the model to safe mode once; comparisons bring it back."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, judge_rows, make_comparisons, make_plan
from tightrope.monitors import watch
from tightrope.monitors.decide import apply_order
from tightrope.monitors.plan import Plan, State, Transition, initial_state
from tightrope.monitors.records import Fault, Order, Outcome, Traffic
from tightrope.monitors.safemode import Input, ModeState, Policy
from tightrope.monitors.status.verdicts import verdicts
from tightrope.monitors.verdict import Verdict


def watched(**changes: object) -> Plan:
    """Build a plan of disagreement, in ticks of sixteen rows; blind after a minute."""
    return make_plan("disagreement", **{"tick_rows": 16, "policy": Policy(min_dwell=30.0)} | changes)


def after_notices(plan: Plan, state: State, *times: float, kept: int = 10) -> tuple[State, list[Transition]]:
    """Return the state after a gateway's notices at these times, and the transitions."""
    transitions: list[Transition] = []
    for time in times:
        state, caused = watch.note_traffic(plan, state, Traffic("m", time, kept, time))
        transitions += caused
    return state, transitions


def sight_verdict(plan: Plan, state: State) -> Verdict:
    """Return the verdict on whether comparisons follow the traffic."""
    return next(v for v in verdicts(plan, state) if v.monitor == "sight")


def test_traffic_without_comparisons_trips_the_model_once() -> None:
    """After a minute, counted from the first notice; later notices change nothing."""
    plan = watched()
    state, transitions = after_notices(plan, initial_state(plan), 100.0, 130.0, 159.0)
    assert (transitions, sight_verdict(plan, state).outcome) == ([], Outcome.INSUFFICIENT)
    state, transitions = after_notices(plan, state, 160.0, 165.0, 200.0)
    (tripped,) = transitions
    assert (tripped.scope, tripped.trigger, tripped.time, tripped.after.state) == (
        "model",
        Input.BLIND,
        160.0,
        ModeState.SAFE,
    )
    assert tripped.reason == "40 requests kept in 60 s, none compared"
    assert watch.build_routes(plan, state).safe == ("model",)
    shown = sight_verdict(plan, state)
    assert (shown.outcome, shown.recent, shown.limit) == (Outcome.BREACH, 100.0, 60.0)
    assert shown.note == "60 requests kept, none compared"


def test_comparisons_end_the_blindness_and_the_model_returns_after_the_dwell() -> None:
    """No monitor has tripped, so only the dwell is required."""
    plan = watched()
    blind, _ = after_notices(plan, initial_state(plan), 0.0, 60.0)
    source = RowSource(time=61.0)
    state, transitions = judge_rows(plan, source.rows(16), state=blind)
    assert (transitions, sight_verdict(plan, state).outcome, state.unanswered.kept) == ([], Outcome.PASS, 0)
    assert state.modes[0].safe
    state, transitions = judge_rows(plan, source.rows(32), state=state)
    assert [(t.trigger, t.time) for t in transitions] == [(Input.DWELL_ELAPSED, 92.0), (Input.RECOVERED, 92.0)]
    assert watch.build_routes(plan, state).safe == ()
    state, transitions = after_notices(plan, state, 110.0, 200.0)
    assert [t.trigger for t in transitions] == [Input.BLIND], "it may go blind again"


def test_rows_that_could_not_be_compared_are_no_sight() -> None:
    """A worker that fails on every row shows nothing of the model; one sound row among them does."""
    plan = watched()
    state, _ = after_notices(plan, initial_state(plan), 0.0, 50.0)
    failed = np.full(20, Fault.RUN_FAILED, np.int8)
    state, _ = judge_rows(plan, make_comparisons(20, fault=failed), state=state)
    assert [t.trigger for t in after_notices(plan, state, 60.0)[1]] == [Input.BLIND]
    failed[7] = Fault.NONE
    state, _ = judge_rows(plan, make_comparisons(20, fault=failed, offset=np.arange(20, 40)), state=state)
    assert (state.unanswered.kept, after_notices(plan, state, 61.0)[1]) == (0, [])


def test_every_comparison_starts_the_minute_anew() -> None:
    """It is the evidence that traffic is seen."""
    plan = watched()
    state, _ = after_notices(plan, initial_state(plan), 0.0, 50.0)
    state, _ = judge_rows(plan, make_comparisons(1), state=state)
    state, transitions = after_notices(plan, state, 70.0, 120.0)
    assert transitions == []
    assert after_notices(plan, state, 130.0)[1] != []


@pytest.mark.parametrize("change", [{"compressed_digest": "c0"}, {"scopes": (), "member": np.zeros((1, 0), bool)}])
def test_rows_that_the_plan_does_not_cover_are_no_sight(change: dict[str, Any]) -> None:
    """They are counted as stale, and no judge judges them: of another artefact, or of other subgroups."""
    plan = watched()
    state, _ = after_notices(plan, initial_state(plan), 0.0, 50.0)
    rows = replace(make_comparisons(1), **change)
    state, _ = judge_rows(plan, rows, state=state)
    assert state.stale == state.rows_received == 1
    assert plan.refusal(rows) == ("artefact" if "compressed_digest" in change else "subgroups")
    assert [t.trigger for t in after_notices(plan, state, 60.0)[1]] == [Input.BLIND]


def test_gateway_of_another_plan_does_not_make_the_judge_blind() -> None:
    """It knows by itself that this judge does not judge its rows; one of the same plan counts."""
    plan = watched()
    state = initial_state(plan)
    for time in (0.0, 60.0, 120.0):
        state, transitions = watch.note_traffic(plan, state, Traffic("m", time, 10, time, plan="another"))
        assert transitions == []
    assert state.unanswered == initial_state(plan).unanswered
    for time in (200.0, 260.0):
        state, transitions = watch.note_traffic(plan, state, Traffic("m", time, 10, time, plan=plan.coverage))
    assert [t.trigger for t in transitions] == [Input.BLIND]


def test_stale_rows_of_a_gateway_of_an_older_release_make_the_judge_blind() -> None:
    """That gateway does not know that its rows are not judged, while the rows of others are."""
    plan, source, reasons = watched(), RowSource(time=100.0), []
    state = initial_state(plan)
    for second in range(100, 180, 5):
        source.time = float(second)
        state, _ = judge_rows(plan, source.rows(1), state=state)
        state = watch.note_stale(plan, state, float(second))
        state, transitions = after_notices(plan, state, float(second))
        reasons += [(t.trigger, t.time, t.reason) for t in transitions]
    assert reasons == [(Input.BLIND, 160.0, "a gateway of an older release sends rows of another plan for 60 s")]


def test_stale_rows_after_a_pause_count_anew() -> None:
    """As those in flight at each deployment."""
    plan, source = watched(), RowSource(time=100.0)
    state = initial_state(plan)
    for second in (100, 200, 300, 400):
        source.time = float(second)
        state, _ = judge_rows(plan, source.rows(1), state=state)
        state = watch.note_stale(plan, state, float(second))
        state, transitions = after_notices(plan, state, float(second))
        assert transitions == []


def test_redelivered_comparisons_do_not_end_the_blindness() -> None:
    """A redelivered record says nothing about the current traffic."""
    plan = watched()
    state, _ = judge_rows(plan, make_comparisons(4))
    state, _ = after_notices(plan, state, 1000.0, 1050.0)
    state, _ = judge_rows(plan, make_comparisons(4), state=state)
    assert after_notices(plan, state, 1060.0)[1] != []


def test_notice_after_the_comparisons_of_its_samples_is_answered() -> None:
    """Gateways send notices some seconds later. Requests far apart cause no blindness in between."""
    plan, source = watched(), RowSource(time=0.0)
    state = initial_state(plan)
    for request in range(5):
        now = 600.0 * request
        source.time = now
        late, early = Traffic("m", now + 5, 1, now), Traffic("m", now, 1, now)
        if request % 2:  # the note of a request may also be there before its comparison
            state, transitions = watch.note_traffic(plan, state, early)
            assert transitions == []
        state, transitions = judge_rows(plan, source.rows(1), state=state)
        assert transitions == []
        state, transitions = watch.note_traffic(plan, state, late)
        assert (transitions, state.unanswered.kept) == ([], 0)
    state, transitions = after_notices(plan, state, 3000.0, 3059.0)
    assert transitions == []
    assert [t.trigger for t in after_notices(plan, state, 3060.0)[1]] == [Input.BLIND]


@pytest.mark.parametrize(("kept", "seconds"), [(0, 60.0), (10, 0.0)])
def test_no_traffic_is_no_blindness(kept: int, seconds: float) -> None:
    """A plan without a limit is never blind either."""
    plan = watched(blind_seconds=seconds)
    state, transitions = after_notices(plan, initial_state(plan), 0.0, 1e6, kept=kept)
    assert transitions == []
    assert sight_verdict(plan, state).outcome is Outcome.INSUFFICIENT


def test_notices_out_of_order_do_not_turn_time_back() -> None:
    """Clocks of two gateways may differ."""
    plan = watched()
    state, _ = after_notices(plan, initial_state(plan), 100.0, 90.0, 150.0, 140.0)
    assert (state.unanswered.since, state.unanswered.until, state.unanswered.kept) == (100.0, 150.0, 40)


def test_breach_during_blindness_must_be_disproved() -> None:
    """Harm found while the model is safe for blindness blocks its return."""
    plan = watched()
    blind, _ = after_notices(plan, initial_state(plan), 0.0, 60.0)
    source = RowSource(time=61.0)
    state, transitions = judge_rows(plan, source.rows(64, disagree=True), state=blind)
    assert [t.trigger for t in transitions] == [Input.BREACH, Input.DWELL_ELAPSED]
    assert state.cells[0].tripped[:, 0].all()
    state, transitions = judge_rows(plan, source.rows(64), state=state)
    assert transitions == []


def test_blindness_of_a_held_model_is_recorded_and_moves_nothing() -> None:
    """An operator's force outweighs it."""
    plan = watched()
    state, _ = apply_order(plan, initial_state(plan), Order("1", 0.0, "m", "model", "force-normal", "eve", "not blind"))
    state, transitions = after_notices(plan, state, 0.0, 60.0)
    assert [(t.trigger, t.moved) for t in transitions] == [(Input.BLIND, False)]
    assert watch.build_routes(plan, state).safe == ()
