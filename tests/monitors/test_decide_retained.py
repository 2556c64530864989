"""Decisions outlive a configuration: lost scopes, switched-off monitors, earlier artefacts, holds against evidence."""

from dataclasses import replace

import pytest

from tests.support.judgement.comparisons import SCOPES, RowSource, judge_rows, make_plan
from tightrope.monitors.decide import Cause, apply_order, deploy
from tightrope.monitors.history.retained import ScopeRecord
from tightrope.monitors.migration import held_breaches
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import Comparisons, Order, Outcome
from tightrope.monitors.safemode import Input, Mode, ModeState, Policy
from tightrope.monitors.status.verdicts import verdicts
from tightrope.monitors.watch import build_routes

IN_A = [True, False, False]
CAUSE = Cause(1e4, reason="another plan")
POLICY = Policy(min_dwell=0.0, recovery_samples=10.0)
BEFORE = {"subgroups.group.values.a": [1, 2]}


def watched(*monitors: str, **changes: object) -> Plan:
    """Build a plan of disagreement, or of these monitors, in ticks of sixteen rows."""
    return make_plan(*(monitors or ("disagreement",)), **{"tick_rows": 16, "policy": POLICY} | changes)


def harmed(source: RowSource, plan: Plan | None = None, state: State | None = None) -> State:
    """Return the state after a went to safe mode for disagreement."""
    return judge_rows(plan or watched(), source.rows(64, member=IN_A, disagree=True), state=state)[0]


def ordered(plan: Plan, state: State, order: str, scope: str = "group=a") -> State:
    """Return the state after an operator's order."""
    return apply_order(plan, state, Order("1", 0.0, "m", scope, order, "eve", "a reason"))[0]


def with_artefact(rows: Comparisons, digest: str) -> Comparisons:
    """Return the rows as compared with another artefact."""
    return replace(rows, compressed_digest=digest)


def sound(plan: Plan, state: State, source: RowSource, n: int = 3200) -> tuple[State, list[Input]]:
    """Return the state after sound rows of a, and the inputs that followed."""
    rows = with_artefact(source.rows(n, member=IN_A), plan.compressed_digest)
    state, transitions = judge_rows(plan, rows, state=state)
    return state, [t.trigger for t in transitions]


@pytest.mark.parametrize("scopes", [("group=x", *SCOPES[1:]), SCOPES[1:], ()])
@pytest.mark.parametrize("mode", [Mode(ModeState.LATCHED, flaps=3), Mode(ModeState.SAFE, held=True)])
def test_mode_of_a_lost_scope_keeps_the_whole_model_safe(scopes: tuple[str, ...], mode: Mode) -> None:
    """Renamed, removed, or without the attribute: its rows may be any, until the scope is back, with its mode."""
    state = harmed(RowSource())
    state = replace(state, modes=(state.modes[0], mode, *state.modes[2:]))
    today = watched(scopes=scopes, digest="d2")
    after, _ = deploy(today, state, CAUSE)
    assert after.retained.unmapped == {"group=a": ScopeRecord(mode, ("disagreement",))}
    assert build_routes(today, after).safe == ("model",)
    assert build_routes(today, after).epoch > state.epoch
    back, _ = deploy(watched(digest="d3"), after, CAUSE)
    assert back.modes[1] == mode
    assert back.cells[0].tripped.tolist() == [[False, True, False, False]]
    assert (back.retained.orphans, build_routes(watched(digest="d3"), back).safe) == ({}, ("group=a",))


def test_advisory_plan_answers_lost_scopes_as_the_others() -> None:
    """Only an operator's hold moves anything there."""
    today = watched(scopes=(), digest="d2", armed=False)
    assert build_routes(today, deploy(today, harmed(RowSource()), CAUSE)[0]).safe == ()
    held = ordered(watched(), initial_state(watched()), "force-safe")
    assert build_routes(today, deploy(today, held, CAUSE)[0]).safe == ("model",)


def test_mode_without_a_history_is_no_orphan() -> None:
    """A hold in normal mode waits for its scope, and keeps nothing safe."""
    state = ordered(watched(), initial_state(watched()), "force-normal", "group=b")
    today = watched(scopes=(), digest="d2")
    after, _ = deploy(today, state, CAUSE)
    assert set(after.retained.orphans) == {"group=b"}
    assert build_routes(today, after).safe == ()


def test_rows_that_left_a_safe_scope_are_not_given_up() -> None:
    """The name is the same, the codes are fewer: the whole model is safe until the definition is back."""
    before, narrow, wide = (
        watched(digest=f"d{len(codes)}", settings={"subgroups.group.values.a": codes})
        for codes in ([1, 2], [1], [1, 2, 3])
    )
    state = harmed(RowSource(), before)
    after, _ = deploy(narrow, state, CAUSE)
    assert list(after.retained.unmapped) == ["group=a@before"]
    assert build_routes(narrow, after).safe == ("group=a", "model")
    back, _ = deploy(wide, after, CAUSE)
    assert build_routes(wide, back).safe == ("group=a",)
    assert build_routes(wide, deploy(wide, state, CAUSE)[0]).safe == ("group=a",)


def test_scope_does_not_return_while_its_monitor_is_off() -> None:
    """It is shown as a breach without evidence; switched on again, the monitor still has to be disproved."""
    source, off = RowSource(), watched("confidence", digest="d2")
    state, _ = deploy(off, harmed(source, watched("disagreement", "confidence")), CAUSE)
    assert state.retained.disabled == {"group=a": ("disagreement",)}
    state, inputs = sound(off, state, source)
    assert Input.RECOVERED not in inputs
    shown = {v.monitor: v for v in verdicts(off, state) if v.scope == "group=a"}
    assert shown["disagreement"].outcome is Outcome.BREACH
    assert "switched off" in shown["disagreement"].note
    on = watched("disagreement", "confidence", digest="d3")
    state, _ = deploy(on, state, CAUSE)
    assert state.retained.disabled == {}
    assert state.cells[0].tripped.tolist() == [[False, True, False, False]]
    bad = judge_rows(on, source.rows(320, member=IN_A, disagree=True), state=state)[0]
    assert bad.modes[1].safe
    assert not sound(on, state, source)[0].modes[1].safe


@pytest.mark.parametrize("order", ["release", "force-normal"])
def test_operator_ends_what_a_switched_off_monitor_began(order: str) -> None:
    """After a release the other monitors decide."""
    source, off = RowSource(), watched("confidence", digest="d2")
    state, _ = deploy(off, harmed(source, watched("disagreement", "confidence")), CAUSE)
    state = ordered(off, state, order)
    assert state.retained.disabled == {}
    assert not sound(off, state, source)[0].modes[1].safe


def rolled_back(source: RowSource) -> tuple[Plan, State, list[Input]]:
    """Harm a, deploy an artefact that wins its trial, and roll back; returns the first plan, the state, the inputs."""
    first, second = watched(), watched(compressed_digest="c2", digest="d2")
    state, _ = deploy(second, harmed(source, first), CAUSE)
    state, inputs = sound(second, state, source)
    assert inputs[-1] is Input.RECOVERED
    state, transitions = deploy(first, state, replace(CAUSE, time=source.time))
    assert all("disagreement" in t.reason for t in transitions)
    return first, state, [t.trigger for t in transitions if t.moved]


def test_rollback_to_a_bad_pair_does_not_serve_it_again() -> None:
    """Its harmed scopes are safe at once, with full evidence to disprove; that is no flap."""
    source = RowSource()
    plan, state, inputs = rolled_back(source)
    assert inputs == [Input.KNOWN_HARM]
    assert build_routes(plan, state).safe == ("group=a",)
    assert (state.modes[1].flaps, state.modes[1].trial) == (0, False)
    assert state.cells[0].tripped.tolist() == [[False, True, False, False]]
    assert judge_rows(plan, source.rows(320, member=IN_A, disagree=True), state=state)[0].modes[1].safe
    state, inputs = sound(plan, state, source)
    assert inputs[-1] is Input.RECOVERED
    assert not state.modes[1].safe


def test_pair_that_recovered_is_not_held_against_it() -> None:
    """The latest knowledge of a pair counts; a good pair starts as it left."""
    source = RowSource()
    plan, state, _ = rolled_back(source)
    state, _ = sound(plan, state, source)
    second = watched(compressed_digest="c2", digest="d2")
    state, _ = deploy(second, state, CAUSE)
    state, transitions = deploy(plan, state, CAUSE)
    assert (transitions, build_routes(plan, state).safe) == ([], ())
    assert [pair.compressed_digest for pair in state.retained.pairs] == ["c1", "c2"]


def test_scope_of_a_bad_pair_may_be_gone_or_off() -> None:
    """Its rows may be any then; a monitor that is off cannot clear it."""
    source, second = RowSource(), watched(compressed_digest="c2", digest="d2")
    state, _ = sound(second, deploy(second, harmed(source), CAUSE)[0], source)
    gone = watched(scopes=SCOPES[1:], digest="d3")
    assert build_routes(gone, deploy(gone, state, CAUSE)[0]).safe == ("model",)
    off = watched("confidence", digest="d4")
    after, _ = deploy(off, state, CAUSE)
    assert after.retained.disabled == {"group=a": ("disagreement",)}
    assert build_routes(off, after).safe == ("group=a",)


def test_hold_outlasts_a_rollback_and_is_told() -> None:
    """A person's word stands; the breach is shown until the next order."""
    source, second = RowSource(), watched(compressed_digest="c2", digest="d2")
    state, _ = sound(second, deploy(second, harmed(source), CAUSE)[0], source)
    state, transitions = deploy(watched(), ordered(second, state, "force-normal"), CAUSE)
    assert [(t.trigger, t.moved) for t in transitions] == [(Input.KNOWN_HARM, False)]
    assert build_routes(watched(), state).safe == ()
    assert held_breaches(state)["group=a"]


def test_held_scope_that_breaches_is_told_and_drags_no_other() -> None:
    """Neither the model nor an overlapping scope counts its rows: no evidence would move them."""
    source, both = RowSource(), [True, False, True]
    state = ordered(watched(), initial_state(watched()), "force-normal")
    state, transitions = judge_rows(watched(), source.rows(640, member=both, disagree=True), state=state)
    assert [(t.scope, t.trigger, t.moved) for t in transitions] == [("group=a", Input.BREACH, False)]
    assert held_breaches(state) == {"model": False, "group=a": True, "group=b": False, "half=left": False}
    assert build_routes(watched(), state).safe == ()
    assert not state.cells[0].count[0, [0, 2, 3]].any()
    state, transitions = judge_rows(
        watched(), source.rows(640, member=[False, False, True], disagree=True), state=state
    )
    assert (transitions[0].scope, transitions[0].trigger, transitions[0].moved) == ("half=left", Input.BREACH, True), (
        "its own rows do"
    )


def test_release_of_a_held_scope_that_breached_makes_it_safe() -> None:
    """The evidence decides again, and it has decided; force-normal starts it anew."""
    source = RowSource()
    held = harmed(source, state=ordered(watched(), initial_state(watched()), "force-normal"))
    released = ordered(watched(), held, "release")
    assert build_routes(watched(), released).safe == ("group=a",)
    assert judge_rows(watched(), source.rows(320, member=IN_A, disagree=True), state=released)[0].modes[1].safe
    assert not sound(watched(), released, source)[0].modes[1].safe
    again = ordered(watched(), held, "force-normal")
    assert not held_breaches(again)["group=a"]
    assert not again.cells[0].tripped.any()
