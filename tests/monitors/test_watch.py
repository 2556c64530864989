"""What a tick counts and what is said of it: sampled rows, faults, verdicts, routes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitors.catalogue import CATALOGUE
from monitors.plan import Plan, State, start
from monitors.records import Fault, Outcome, Verdict
from monitors.safemode import Mode
from monitors.safemode import State as Is
from monitors.watch import counted, routes, verdicts
from tests.comparisons import SCOPES, Traffic, comparisons, fold, plan

QUESTIONS = tuple(CATALOGUE)


def said(plan: Plan, state: State) -> dict[tuple[str, str], Verdict]:
    """Verdicts by scope and monitor."""
    return {(verdict.scope, verdict.monitor): verdict for verdict in verdicts(plan, state)}


def quiet(**changes: object) -> Plan:
    """One question, ticks of four rows."""
    return plan("disagreement", tick_rows=4, **changes)


def test_nothing_seen_passes_nowhere() -> None:
    """Every monitor of every scope starts as insufficient, the model first, with nothing to show."""
    whole = plan()
    found = verdicts(whole, start(whole))
    assert [(v.scope, v.monitor) for v in found] == [(s, m) for s in ("model", *SCOPES) for m in QUESTIONS]
    assert {(v.outcome, v.count, v.mean, v.recent, v.recovery) for v in found} == {
        (Outcome.INSUFFICIENT, 0, None, None, None)
    }
    assert all(v.evidence == -np.inf for v in found)


def test_healthy_traffic_passes_only_where_harm_would_have_been_seen() -> None:
    """Two thousand rows are enough for a rate, but not where no row spoke, nor in a subgroup of a few rows."""
    whole = plan()
    member = np.stack([np.arange(2048) % 200 == 0, np.arange(2048) % 2 == 0, np.zeros(2048)], axis=1)
    found = said(whole, fold(whole, comparisons(2048, member=member))[0])
    passed = {key for key, verdict in found.items() if verdict.outcome is Outcome.PASS}
    heard = {"disagreement", "confidence", "refusal_rate"}
    assert passed == {(scope, monitor) for scope in ("model", "group=b") for monitor in heard}
    assert {found[key].outcome for key in found.keys() - passed} == {Outcome.INSUFFICIENT}
    assert found["group=a", "disagreement"].count == 11
    assert found["model", "refusal_persistence"].count == 0


def test_verdict_shows_what_it_was_made_from() -> None:
    """Rows, their mean, the limit, evidence against threshold in powers of ten."""
    whole = quiet(samples=1e6)
    state, _ = fold(whole, comparisons(8, disagree=[1, 0, 0, 0, 0, 0, 0, 0], member=[True, False, False]))
    model, group = said(whole, state)["model", "disagreement"], said(whole, state)["group=a", "disagreement"]
    assert (model.count, model.mean, model.recent, model.limit, model.errors) == (8, 0.125, 0.125, 0.02, 0)
    assert (group.count, group.mean, group.limit) == (8, 0.125, 0.04)
    assert (model.threshold, model.recovery_threshold) == (pytest.approx(6), pytest.approx(5))
    assert model.evidence == pytest.approx(state.cells[0].path[0, -1, 0] / np.log(10))
    assert model.needed == whole.rules[0].needed[0]
    assert said(whole, fold(whole, comparisons(8))[0])["group=a", "disagreement"].mean is None


def test_fault_makes_an_error_where_its_row_belongs() -> None:
    """With a count; other subgroups are not touched, and the faulty row is in no monitor's figures."""
    whole = quiet()
    rows = comparisons(
        4, fault=[0, 0, Fault.NOT_FINITE, 0], member=[[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]], disagree=[0, 0, 1, 0]
    )
    found = said(whole, fold(whole, rows)[0])
    assert {scope: (v.outcome, v.errors, v.count) for (scope, _), v in found.items()} == {
        "model": (Outcome.ERROR, 1, 3),
        "group=a": (Outcome.ERROR, 1, 1),
        "group=b": (Outcome.INSUFFICIENT, 0, 2),
        "half=left": (Outcome.INSUFFICIENT, 0, 0),
    }
    assert found["model", "disagreement"].mean == 0.0


def test_error_stays_until_a_tick_of_the_scope_is_sound() -> None:
    """Ticks without its rows say nothing; the count of errors only grows."""
    whole, traffic = quiet(), Traffic()
    a, b = [True, False, False], [False, True, False]
    state, _ = fold(whole, traffic.rows(4, fault=[0, 0, 0, Fault.RUN_FAILED], member=a))
    seen = []
    for member in (b, a):
        state, _ = fold(whole, traffic.rows(4, member=member), state=state)
        found = said(whole, state)
        seen.append([(found[s, "disagreement"].outcome, found[s, "disagreement"].errors) for s in ("model", "group=a")])
    insufficient, error = Outcome.INSUFFICIENT, Outcome.ERROR
    assert seen == [[(insufficient, 1), (error, 1)], [(insufficient, 1), (insufficient, 1)]]


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_pass_is_never_given_to_what_was_not_measured(data: st.DataObject) -> None:
    """Enough rows, none faulty in the latest tick, no breach: only all three together pass."""
    whole, traffic = plan("disagreement", tick_rows=32), Traffic()
    state = start(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        rows = 32 * data.draw(st.integers(1, 40))
        fault = np.where(np.arange(rows) % data.draw(st.integers(1, 40)), Fault.NONE, data.draw(st.sampled_from(Fault)))
        disagree = np.arange(rows) % data.draw(st.integers(1, 80)) == 0
        state, _ = fold(whole, traffic.rows(rows, fault=fault, disagree=disagree, member=[1, 0, 0]), state=state)
        for verdict, mode, faulty in zip(verdicts(whole, state), state.modes, state.faulty, strict=True):
            earned = verdict.count >= verdict.needed and not faulty and not mode.safe
            earned = earned and verdict.evidence < verdict.threshold
            assert (verdict.outcome is Outcome.PASS) == earned


def test_rows_count_for_a_scope_below_its_rate_only() -> None:
    """Rows kept for a floor are the subgroup's alone; all rows seed the clock, and are compared."""
    whole = quiet(rates=np.array([0.25, 0.75, 0.25, 0.5]))
    draws = [0.0, 0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.75]
    state, _ = fold(whole, comparisons(8, draw=draws, member=True, disagree=True))
    assert state.cells[0].count.tolist() == [3, 7, 3, 5]
    assert (state.seen, state.compared.tolist(), state.disagreed.tolist()) == (8, [8] * 4, [8] * 4)


def modes(*safe: int) -> tuple[Mode, ...]:
    """Modes of four scopes, some of them safe."""
    return tuple(Mode(Is.SAFE if scope in safe else Is.NORMAL) for scope in range(4))


MEMBER = np.array([[1, 1, 0, 1], [1, 0, 1, 1], [1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]], dtype=bool)


@pytest.mark.parametrize(
    ("safe", "rows"),
    [
        ((), [[0, 1, 2, 3, 4], [0, 3], [1, 2], [0, 1]]),
        ((1,), [[1, 2, 4], [0, 3], [1, 2], [1]]),
        ((3,), [[2, 3, 4], [3], [2], [0, 1]]),
        ((1, 3), [[2, 4], [0, 3], [2], [0, 1]]),
        ((0,), [[0, 1, 2, 3, 4], [0, 3], [1, 2], [0, 1]]),
        ((0, 1), [[1, 2, 4], [0, 3], [1, 2], [1]]),
    ],
)
def test_cell_counts_the_requests_that_its_decision_would_move(safe: tuple[int, ...], rows: list[list[int]]) -> None:
    """Rows that a safe subgroup already moved leave every cell that is not safe, and the model's in any case."""
    found = counted(plan(), modes(*safe), MEMBER, np.zeros(5))
    assert [np.flatnonzero(column).tolist() for column in found.T] == rows


def test_latched_scope_keeps_its_rows_as_a_safe_one_does() -> None:
    """The baseline answers them all the same."""
    latched = (Mode(), Mode(Is.LATCHED), Mode(), Mode())
    whole = plan()
    assert np.array_equal(counted(whole, latched, MEMBER, np.zeros(5)), counted(whole, modes(1), MEMBER, np.zeros(5)))


def test_routes_tell_the_gateway_who_is_safe() -> None:
    """Safe and latched scopes go to the baseline; every scope's state is told, under the state's epoch."""
    whole = plan()
    moved = replace(start(whole), modes=(Mode(), Mode(Is.SAFE), Mode(Is.LATCHED), Mode()), epoch=7)
    told = routes(whole, moved)
    assert (told.model, told.epoch, told.safe, told.order) == ("m", 7, ("group=a", "group=b"), "")
    assert told.states == {"model": "normal", "group=a": "safe", "group=b": "latched", "half=left": "normal"}
