"""Breaches: the scopes that move to safe mode, those that stay, and the rows that still count."""

import numpy as np
import pytest
from numpy.typing import ArrayLike

from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan
from tightrope.monitors.budget import MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.plan import ADVISORY_NOTE, Plan, State, Transition
from tightrope.monitors.records import Bools, Comparisons
from tightrope.monitors.safemode import Input
from tightrope.monitors.watch import build_routes


def watched(*monitors: str, **changes: object) -> Plan:
    """Build a plan of disagreement, or of these monitors, in ticks of sixteen rows."""
    return make_plan(*(monitors or ("disagreement",)), **{"tick_rows": 16} | changes)


def membership(n: int) -> Bools:
    """Put every fourth row in a, the others in b; every second row is left, including all of a."""
    row = np.arange(n)
    return np.stack([row % 4 == 0, row % 4 != 0, row % 2 == 0], axis=1)


def next_rows(source: RowSource, n: int, **columns: ArrayLike) -> Comparisons:
    """Return the next n rows."""
    return source.rows(n, **{"member": membership(n)} | columns)


def harm_in_a(n: int) -> Bools:
    """Mark every second row of a as disagreeing, and no others."""
    return np.asarray(np.arange(n) % 8 == 0)


def breaches(transitions: list[Transition]) -> list[str]:
    """Return the scopes that breached, in order."""
    return [transition.scope for transition in transitions if transition.trigger is Input.BREACH]


def safe_scopes(plan: Plan, state: State) -> tuple[str, ...]:
    """Return the safe scopes of the routes."""
    return build_routes(plan, state).safe


def test_harmed_subgroup_alone_goes_to_safe_mode() -> None:
    """A minority disagrees in every second row for long: neither the model nor the half around it moves."""
    plan = watched()
    state, transitions = judge_rows(plan, next_rows(RowSource(), 8000, disagree=harm_in_a(8000)))
    assert breaches(transitions) == ["group=a"]
    assert safe_scopes(plan, state) == ("group=a",)
    assert transitions[0].time < 160
    assert state.cells[0].tripped.tolist() == [[False, True, False, False]]


def test_rows_of_a_safe_subgroup_leave_all_other_cells() -> None:
    """After the breach the other cells count their remaining rows; a goes on in reverse shadow."""
    plan, source = watched(), RowSource()
    before, _ = judge_rows(plan, next_rows(source, 160, disagree=harm_in_a(160)))
    assert safe_scopes(plan, before) == ("group=a",)
    after, _ = judge_rows(plan, next_rows(source, 1600, disagree=harm_in_a(1600)), state=before)
    assert (after.cells[0].count - before.cells[0].count).tolist() == [[1200, 400, 1200, 400]]
    assert (after.cells[0].total - before.cells[0].total).tolist() == [[0, 200, 0, 0]]
    assert after.compared.tolist() == [1760, 440, 1320, 880]
    assert after.disagreed.tolist() == [220, 220, 0, 220]


@pytest.mark.parametrize("tick_rows", [16, 64, 1024])
def test_harm_to_half_of_the_traffic_moves_that_half_only(tick_rows: int) -> None:
    """The model was near or over its limit too: it is judged anew on the rest, since the half has moved."""
    plan = watched(tick_rows=tick_rows, scopes=("half=left",))
    row = np.arange(8192)
    left = row % 2 == 0
    rows = RowSource().rows(8192, scopes=("half=left",), member=left[:, None], disagree=left & (row % 3 > 0))
    state, transitions = judge_rows(plan, rows)
    assert breaches(transitions) == ["half=left"]
    assert safe_scopes(plan, state) == ("half=left",)
    assert 3000 < state.cells[0].count[0, 0] < 4096


def test_harm_beyond_the_subgroup_is_still_found() -> None:
    """The model is judged anew, and moves when the rest disagrees as well."""
    plan = watched()
    row = np.arange(8000)
    disagree = harm_in_a(8000) | ((row % 12 == 1) & (row > 400))
    state, transitions = judge_rows(plan, next_rows(RowSource(), 8000, disagree=disagree))
    assert breaches(transitions)[0] == "group=a"
    assert "model" in safe_scopes(plan, state)


def test_model_and_subgroup_over_the_limit_in_one_tick_move_the_subgroup_only() -> None:
    """The model moves in a later tick, if the rest is harmed too."""
    plan, source = watched(tick_rows=1024, scopes=("group=a",)), RowSource()
    member = membership(1024)[:, :1]
    state, transitions = judge_rows(plan, source.rows(1024, scopes=("group=a",), member=member, disagree=member[:, 0]))
    assert breaches(transitions) == ["group=a"]
    assert state.cells[0].count.tolist() == [[0, 0]]
    for disagree, moved in ((False, []), (True, ["model"])):
        rows = source.rows(1024, scopes=("group=a",), member=member, disagree=disagree)
        assert breaches(judge_rows(plan, rows, state=state)[1]) == moved


def test_two_subgroups_breach_in_one_tick() -> None:
    """Both move, each on its own evidence."""
    plan = watched(scopes=("group=a", "group=b"), tick_rows=1024)
    row = np.arange(1024)
    member = np.stack([row % 8 == 0, row % 8 == 4], axis=1)
    rows = RowSource().rows(1024, scopes=("group=a", "group=b"), member=member, disagree=member.any(axis=1))
    state, transitions = judge_rows(plan, rows)
    assert [(t.scope, t.trigger, t.time) for t in transitions] == [
        ("group=a", Input.BREACH, 1023.0),
        ("group=b", Input.BREACH, 1023.0),
    ]
    assert safe_scopes(plan, state) == ("group=a", "group=b")
    assert state.epoch == 2


def test_harm_everywhere_moves_the_model_once() -> None:
    """Over the model's limit and below the subgroups': these pause meanwhile, in evidence and in counts."""
    plan, source = watched(), RowSource()
    state, transitions = judge_rows(plan, next_rows(source, 8000, disagree=np.arange(8000) % 25 == 0))
    assert breaches(transitions) == ["model"]
    assert safe_scopes(plan, state) == ("model",)
    after, _ = judge_rows(plan, next_rows(source, 1600, disagree=True), state=state)
    assert safe_scopes(plan, after) == ("model",)
    assert np.array_equal(after.cells[0].log_mass[:, 1:], state.cells[0].log_mass[:, 1:])
    assert after.cells[0].count.tolist() == [[state.cells[0].count[0, 0] + 1600, *state.cells[0].count[0, 1:]]]


def test_any_monitor_can_move_its_scope() -> None:
    """Confidence, refusals and persistence each detect their own harm, are named, and trip alone."""
    harms: dict[str, dict[str, ArrayLike]] = {
        "confidence": {"confidence_baseline": 0.9, "confidence_compressed": 0.6},
        "refusal_rate": {"refused_compressed": np.arange(4000) % 4 == 0},
        "refusal_persistence": {"refused_baseline": np.arange(4000) % 101 == 0},
    }
    for monitor, columns in harms.items():
        plan = watched("disagreement", *harms, policy=None)
        _, transitions = judge_rows(plan, next_rows(RowSource(), 4000, **columns))
        first = transitions[0]
        monitors = first.evidence["monitors"]
        assert isinstance(monitors, list)
        assert [one["monitor"] for one in monitors] == [monitor]
        assert first.reason.startswith(monitor)


def test_advisory_plan_records_and_moves_no_scope() -> None:
    """Modes and events equal those of an armed plan; the routes hold no safe scope."""
    rows = next_rows(RowSource(), 1600, disagree=harm_in_a(1600))
    armed, advisory = watched(), watched(armed=False)
    (acted, acted_transitions), (noted, noted_transitions) = judge_rows(armed, rows), judge_rows(advisory, rows)
    assert acted.modes == noted.modes
    assert [(t.scope, t.trigger) for t in acted_transitions] == [(t.scope, t.trigger) for t in noted_transitions]
    assert safe_scopes(armed, acted) == ("group=a",)
    assert safe_scopes(advisory, noted) == ()
    assert build_routes(advisory, noted).states["group=a"] == "safe"
    assert [t.evidence["armed"] for t in (acted_transitions[0], noted_transitions[0])] == [True, False]
    assert noted_transitions[0].reason == acted_transitions[0].reason + ADVISORY_NOTE


def test_oversampled_subgroup_does_not_harm_the_model() -> None:
    """A small group with a floor is a third of the rows, and a quarter of them disagree, within its limit."""
    row = np.arange(12_000)
    own = row % 3 == 0
    draw = np.where(own, (row // 3 % 100) / 100, (row % 50) / 1000)
    rows = RowSource().rows(12_000, scopes=("group=a",), member=own[:, None], draw=draw, disagree=row % 12 == 0)
    tolerant = build_rules([MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.02, 0.5]))], 0.75)
    for rates, moved in (([0.05, 1.0], []), ([1.0, 1.0], ["model"])):
        plan = watched(scopes=("group=a",), rules=tolerant, rates=np.array(rates))
        state, transitions = judge_rows(plan, rows)
        assert breaches(transitions) == moved
        assert state.compared.tolist() == [12_000, 4_000]
