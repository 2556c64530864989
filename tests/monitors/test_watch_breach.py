"""Who goes to safe mode when something is wrong, who does not, and what is still counted."""

import numpy as np
import pytest
from numpy.typing import ArrayLike

from tests.support.judgement.comparisons import Traffic, fold, plan
from tightrope.monitors.budget import Ask, Budget, rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.plan import Plan, State, Transition
from tightrope.monitors.records import Bools, Comparisons
from tightrope.monitors.safemode import Input
from tightrope.monitors.watch import routes


def watched(*monitors: str, **changes: object) -> Plan:
    """Disagreement, or these questions, in ticks of sixteen rows."""
    return plan(*(monitors or ("disagreement",)), **{"tick_rows": 16} | changes)


def membership(n: int) -> Bools:
    """Every fourth row is in a, the others are in b; every second row is left, all of a among them."""
    row = np.arange(n)
    return np.stack([row % 4 == 0, row % 4 != 0, row % 2 == 0], axis=1)


def traffic(source: Traffic, n: int, **columns: ArrayLike) -> Comparisons:
    """The next n rows."""
    return source.rows(n, **{"member": membership(n)} | columns)


def harm_in_a(n: int) -> Bools:
    """Every second row of a disagrees, and nobody else."""
    return np.asarray(np.arange(n) % 8 == 0)


def breaches(happened: list[Transition]) -> list[str]:
    """The scopes that breached, in order."""
    return [transition.scope for transition in happened if transition.what is Input.BREACH]


def safe(plan: Plan, state: State) -> tuple[str, ...]:
    """What the gateways are told."""
    return routes(plan, state).safe


def test_harmed_subgroup_alone_goes_to_safe_mode() -> None:
    """One minority disagrees in every second row, for long: neither the model nor the half around it goes along."""
    whole = watched()
    state, happened = fold(whole, traffic(Traffic(), 8000, disagree=harm_in_a(8000)))
    assert breaches(happened) == ["group=a"]
    assert safe(whole, state) == ("group=a",)
    assert happened[0].time < 160
    assert state.cells[0].tripped.tolist() == [[False, True, False, False]]


def test_saved_rows_leave_every_other_cell_and_stay_in_their_own() -> None:
    """After the breach the model counts the rest, the half its rest, b its own; a goes on in reverse shadow."""
    whole, source = watched(), Traffic()
    before, _ = fold(whole, traffic(source, 160, disagree=harm_in_a(160)))
    assert safe(whole, before) == ("group=a",)
    after, _ = fold(whole, traffic(source, 1600, disagree=harm_in_a(1600)), state=before)
    assert (after.cells[0].count - before.cells[0].count).tolist() == [[1200, 400, 1200, 400]]
    assert (after.cells[0].total - before.cells[0].total).tolist() == [[0, 200, 0, 0]]
    assert after.compared.tolist() == [1760, 440, 1320, 880]
    assert after.disagreed.tolist() == [220, 220, 0, 220]


@pytest.mark.parametrize("tick_rows", [16, 64, 1024])
def test_harm_to_half_of_all_traffic_stays_where_it_is(tick_rows: int) -> None:
    """The model was near its limit too, or over it: it is asked anew about the rest, since the half was saved."""
    whole = watched(tick_rows=tick_rows, scopes=("half=left",))
    row = np.arange(8192)
    left = row % 2 == 0
    rows = Traffic().rows(8192, scopes=("half=left",), member=left[:, None], disagree=left & (row % 3 > 0))
    state, happened = fold(whole, rows)
    assert breaches(happened) == ["half=left"]
    assert safe(whole, state) == ("half=left",)
    assert 3000 < state.cells[0].count[0, 0] < 4096


def test_harm_beyond_the_subgroup_is_still_found() -> None:
    """A model that was asked anew, and whose rest falls ill as well, follows."""
    whole = watched()
    row = np.arange(8000)
    harm = harm_in_a(8000) | ((row % 12 == 1) & (row > 400))
    state, happened = fold(whole, traffic(Traffic(), 8000, disagree=harm))
    assert breaches(happened)[0] == "group=a"
    assert "model" in safe(whole, state)


def test_model_and_subgroup_over_the_limit_in_one_tick_move_the_subgroup_only() -> None:
    """The model's turn comes with a later tick, if the rest deserves it."""
    whole, source = watched(tick_rows=1024, scopes=("group=a",)), Traffic()
    member = membership(1024)[:, :1]
    state, happened = fold(whole, source.rows(1024, scopes=("group=a",), member=member, disagree=member[:, 0]))
    assert breaches(happened) == ["group=a"]
    assert state.cells[0].count.tolist() == [[0, 0]]
    for ill, moved in ((False, []), (True, ["model"])):
        rows = source.rows(1024, scopes=("group=a",), member=member, disagree=ill)
        assert breaches(fold(whole, rows, state=state)[1]) == moved


def test_two_subgroups_breach_in_one_tick() -> None:
    """Both go, each with its own evidence."""
    whole = watched(scopes=("group=a", "group=b"), tick_rows=1024)
    row = np.arange(1024)
    member = np.stack([row % 8 == 0, row % 8 == 4], axis=1)
    rows = Traffic().rows(1024, scopes=("group=a", "group=b"), member=member, disagree=member.any(axis=1))
    state, happened = fold(whole, rows)
    assert [(t.scope, t.what, t.time) for t in happened] == [
        ("group=a", Input.BREACH, 1023.0),
        ("group=b", Input.BREACH, 1023.0),
    ]
    assert safe(whole, state) == ("group=a", "group=b")
    assert state.epoch == 2


def test_harm_everywhere_moves_the_model_and_nobody_twice() -> None:
    """Below the subgroups' limits, over the model's; the subgroups rest meanwhile, in evidence as in counts."""
    whole, source = watched(), Traffic()
    state, happened = fold(whole, traffic(source, 8000, disagree=np.arange(8000) % 25 == 0))
    assert breaches(happened) == ["model"]
    assert safe(whole, state) == ("model",)
    after, _ = fold(whole, traffic(source, 1600, disagree=True), state=state)
    assert safe(whole, after) == ("model",)
    assert np.array_equal(after.cells[0].log_mass[:, 1:], state.cells[0].log_mass[:, 1:])
    assert after.cells[0].count.tolist() == [[state.cells[0].count[0, 0] + 1600, *state.cells[0].count[0, 1:]]]


def test_any_monitor_can_move_its_scope() -> None:
    """Confidence, refusals and persistence each find their own harm, name themselves, and nobody else trips."""
    harms: dict[str, dict[str, ArrayLike]] = {
        "confidence": {"confidence_baseline": 0.9, "confidence_compressed": 0.6},
        "refusal_rate": {"refused_compressed": np.arange(4000) % 4 == 0},
        "refusal_persistence": {"refused_baseline": np.arange(4000) % 101 == 0},
    }
    for monitor, columns in harms.items():
        whole = watched("disagreement", *harms, policy=None)
        _, happened = fold(whole, traffic(Traffic(), 4000, **columns))
        first = happened[0]
        monitors = first.evidence["monitors"]
        assert isinstance(monitors, list)
        assert [one["monitor"] for one in monitors] == [monitor]
        assert first.reason.startswith(monitor)


def test_advisory_plan_records_and_moves_nobody() -> None:
    """Modes and events are those of an armed plan; the gateways are told of no safe scope."""
    rows = traffic(Traffic(), 1600, disagree=harm_in_a(1600))
    armed, advisory = watched(), watched(armed=False)
    (acted, done), (noted, wished) = fold(armed, rows), fold(advisory, rows)
    assert acted.modes == noted.modes
    assert [(t.scope, t.what) for t in done] == [(t.scope, t.what) for t in wished]
    assert safe(armed, acted) == ("group=a",)
    assert safe(advisory, noted) == ()
    assert routes(advisory, noted).states["group=a"] == "safe"
    assert [t.evidence["armed"] for t in (done[0], wished[0])] == [True, False]


def test_oversampled_subgroup_does_not_harm_the_model() -> None:
    """A small group, kept whole for its floor, is a third of the rows with a quarter of them unlike, as it may be."""
    row = np.arange(12_000)
    own = row % 3 == 0
    draw = np.where(own, (row // 3 % 100) / 100, (row % 50) / 1000)
    rows = Traffic().rows(12_000, scopes=("group=a",), member=own[:, None], draw=draw, disagree=row % 12 == 0)
    tolerant = rules([Ask(CATALOGUE["disagreement"], ("",), np.array([0.02, 0.5]))], Budget(), 0.75)
    for rates, moved in (([0.05, 1.0], []), ([1.0, 1.0], ["model"])):
        whole = watched(scopes=("group=a",), rules=tolerant, rates=np.array(rates))
        state, happened = fold(whole, rows)
        assert breaches(happened) == moved
        assert state.compared.tolist() == [12_000, 4_000]
