"""Blindness: traffic that nobody compares sends the model to safe mode, once; comparisons bring it back."""

from dataclasses import replace

import pytest

from tests.support.judgement.comparisons import Traffic, comparisons, fold, plan
from tightrope.monitors import watch
from tightrope.monitors.decide import order
from tightrope.monitors.plan import Plan, State, Transition, start
from tightrope.monitors.records import Order, Outcome, Verdict
from tightrope.monitors.records import Traffic as Note
from tightrope.monitors.safemode import Input, Policy
from tightrope.monitors.safemode import State as Is
from tightrope.monitors.status import verdicts


def watched(**changes: object) -> Plan:
    """Disagreement, in ticks of sixteen rows; blind after a minute."""
    return plan("disagreement", **{"tick_rows": 16, "policy": Policy(min_dwell=30.0)} | changes)


def heard(of: Plan, state: State, *times: float, kept: int = 10) -> tuple[State, list[Transition]]:
    """The state after a gateway's notes at these times."""
    happened: list[Transition] = []
    for time in times:
        state, made = watch.hear(of, state, Note("m", time, kept, time))
        happened += made
    return state, happened


def sight(of: Plan, state: State) -> Verdict:
    """What is said of the judge's own eyes."""
    return next(v for v in verdicts(of, state) if v.monitor == "sight")


def test_traffic_without_comparisons_trips_the_model_once() -> None:
    """After the minute, counted from the first note; later notes say nothing new."""
    of = watched()
    state, happened = heard(of, start(of), 100.0, 130.0, 159.0)
    assert (happened, sight(of, state).outcome) == ([], Outcome.INSUFFICIENT)
    state, happened = heard(of, state, 160.0, 165.0, 200.0)
    (tripped,) = happened
    assert (tripped.scope, tripped.what, tripped.time, tripped.after.state) == ("model", Input.BLIND, 160.0, Is.SAFE)
    assert tripped.reason == "40 requests kept in 60 s, and no comparison of any"
    assert watch.routes(of, state).safe == ("model",)
    shown = sight(of, state)
    assert (shown.outcome, shown.recent, shown.limit) == (Outcome.BREACH, 100.0, 60.0)
    assert shown.note == "60 requests kept, and no comparison of any"


def test_comparisons_end_the_blindness_and_the_model_returns_after_the_dwell() -> None:
    """No monitor had tripped, so nothing is owed but the dwell."""
    of = watched()
    blind, _ = heard(of, start(of), 0.0, 60.0)
    source = Traffic(time=61.0)
    state, happened = fold(of, source.rows(16), state=blind)
    assert (happened, sight(of, state).outcome, state.unanswered.kept) == ([], Outcome.PASS, 0)
    assert state.modes[0].safe
    state, happened = fold(of, source.rows(32), state=state)
    assert [(t.what, t.time) for t in happened] == [(Input.DWELL_ELAPSED, 92.0), (Input.RECOVERED, 92.0)]
    assert watch.routes(of, state).safe == ()
    state, happened = heard(of, state, 110.0, 200.0)
    assert [t.what for t in happened] == [Input.BLIND], "it may go blind again"


def test_every_comparison_starts_the_minute_anew() -> None:
    """Also one of another artefact: the way from the gateway to the judge is open."""
    of = watched()
    for rows in (comparisons(1), replace(comparisons(1), compressed_digest="c0")):
        state, _ = heard(of, start(of), 0.0, 50.0)
        state, _ = fold(of, rows, state=state)
        state, happened = heard(of, state, 70.0, 120.0)
        assert happened == []
        assert heard(of, state, 130.0)[1] != []


def test_comparisons_that_were_counted_before_open_no_eyes() -> None:
    """A record that is delivered again says nothing of now."""
    of = watched()
    state, _ = fold(of, comparisons(4))
    state, _ = heard(of, state, 1000.0, 1050.0)
    state, _ = fold(of, comparisons(4), state=state)
    assert heard(of, state, 1060.0)[1] != []


def test_note_that_comes_after_the_comparisons_of_its_samples_waits_for_nothing() -> None:
    """A gateway speaks of what it kept some seconds later. With requests far apart nobody is blind between two."""
    of, source = watched(), Traffic(time=0.0)
    state = start(of)
    for request in range(5):
        now = 600.0 * request
        source.time = now
        late, early = Note("m", now + 5, 1, now), Note("m", now, 1, now)
        if request % 2:  # the note of a request may also be there before its comparison
            state, happened = watch.hear(of, state, early)
            assert happened == []
        state, happened = fold(of, source.rows(1), state=state)
        assert happened == []
        state, happened = watch.hear(of, state, late)
        assert (happened, state.unanswered.kept) == ([], 0)
    state, happened = heard(of, state, 3000.0, 3059.0)
    assert happened == []
    assert [t.what for t in heard(of, state, 3060.0)[1]] == [Input.BLIND]


@pytest.mark.parametrize(("kept", "seconds"), [(0, 60.0), (10, 0.0)])
def test_no_traffic_is_no_blindness(kept: int, seconds: float) -> None:
    """Nor is any where it is switched off."""
    of = watched(blind_seconds=seconds)
    state, happened = heard(of, start(of), 0.0, 1e6, kept=kept)
    assert happened == []
    assert sight(of, state).outcome is Outcome.INSUFFICIENT


def test_notes_out_of_order_do_not_turn_time_back() -> None:
    """Two gateways need not agree on the second."""
    of = watched()
    state, _ = heard(of, start(of), 100.0, 90.0, 150.0, 140.0)
    assert (state.unanswered.since, state.unanswered.until, state.unanswered.kept) == (100.0, 150.0, 40)


def test_breach_in_reverse_shadow_is_owed_after_blindness() -> None:
    """Harm that is found while the model is safe for blindness must be disproved before it returns."""
    of = watched()
    blind, _ = heard(of, start(of), 0.0, 60.0)
    source = Traffic(time=61.0)
    state, happened = fold(of, source.rows(64, disagree=True), state=blind)
    assert [t.what for t in happened] == [Input.BREACH, Input.DWELL_ELAPSED]
    assert state.cells[0].tripped[:, 0].all()
    state, happened = fold(of, source.rows(64), state=state)
    assert happened == []


def test_held_model_is_told_of_its_blindness_and_stays() -> None:
    """An operator's force outweighs it."""
    of = watched()
    state, _ = order(of, start(of), Order("1", 0.0, "m", "model", "force-normal", "eve", "I can see"))
    state, happened = heard(of, state, 0.0, 60.0)
    assert [(t.what, t.moved) for t in happened] == [(Input.BLIND, False)]
    assert watch.routes(of, state).safe == ()
