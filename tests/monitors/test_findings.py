"""What is said of every scope: a pass is earned, a breach stays, and what cannot be believed says so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitors.catalogue import CATALOGUE
from monitors.findings import verdicts
from monitors.plan import Plan, start
from monitors.records import Fault, Outcome, Stream
from tests.comparisons import SCOPES, Traffic, comparisons, fold, plan, said, watching

OF_ROWS = [name for name, question in CATALOGUE.items() if question.stream is Stream.COMPARISONS]


def quiet(**changes: object) -> Plan:
    """One question, ticks of four rows."""
    return plan("disagreement", tick_rows=4, **changes)


def test_nothing_seen_passes_nowhere() -> None:
    """Every monitor of every scope starts as insufficient, the model first, with nothing to show."""
    whole = plan()
    found = verdicts(whole, start(whole))
    places = [(v.scope, v.monitor) for v in found]
    assert places[0] == ("model", "sight")
    assert len(places) == len(set(places))
    assert set(places[1:]) == watching(list(CATALOGUE))
    assert [scope for scope, _ in places] == sorted((scope for scope, _ in places), key=("model", *SCOPES).index)
    assert {(v.outcome, v.count, v.mean, v.recent, v.recovery) for v in found} == {
        (Outcome.INSUFFICIENT, 0, None, None, None),
        (Outcome.INSUFFICIENT, 0, None, 0.0, None),
    }
    assert all(v.evidence == -np.inf for v in found[1:])


def test_healthy_traffic_passes_only_where_harm_would_have_been_seen() -> None:
    """Four thousand rows are enough for a rate, but not where no row spoke, nor in a subgroup of a few rows."""
    whole = plan(*OF_ROWS)
    member = np.stack([np.arange(4096) % 200 == 0, np.arange(4096) % 2 == 0, np.zeros(4096)], axis=1)
    found = said(whole, fold(whole, comparisons(4096, member=member))[0])
    passed = {key for key, verdict in found.items() if verdict.outcome is Outcome.PASS}
    heard = {"disagreement", "confidence", "confidence_shape", "mix", "refusal_rate"}
    assert passed == {key for key in watching(heard) if key[0] in {"model", "group=b"}}
    assert {found[key].outcome for key in found.keys() - passed} == {Outcome.INSUFFICIENT}
    assert found["group=a", "disagreement"].count == 21
    assert found["model", "refusal_persistence"].count == 0


def test_verdict_shows_what_it_was_made_from() -> None:
    """Rows, their mean, the limit, evidence against threshold in powers of ten."""
    whole = quiet(samples=1e6)
    state, _ = fold(whole, comparisons(8, disagree=[1, 0, 0, 0, 0, 0, 0, 0], member=[True, False, False]))
    model, group = said(whole, state)["model", "disagreement"], said(whole, state)["group=a", "disagreement"]
    assert (model.count, model.mean, model.recent, model.limit, model.errors) == (8, 0.125, 0.125, 0.02, 0)
    assert (group.count, group.mean, group.limit) == (8, 0.125, 0.04)
    assert (model.threshold, model.recovery_threshold) == (pytest.approx(6), pytest.approx(5))
    assert model.evidence == pytest.approx(state.cells[0].path[0, 0, -1, 0] / np.log(10))
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


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_pass_is_never_given_to_what_was_not_measured(data: st.DataObject) -> None:
    """Enough rows, none faulty in the latest tick, no breach: only all three together pass."""
    whole, traffic = quiet(), Traffic()
    state = start(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        rows = 4 * data.draw(st.integers(1, 300))
        fault = np.where(np.arange(rows) % data.draw(st.integers(1, 40)), Fault.NONE, data.draw(st.sampled_from(Fault)))
        disagree = np.arange(rows) % data.draw(st.integers(1, 80)) == 0
        state, _ = fold(whole, traffic.rows(rows, fault=fault, disagree=disagree, member=[1, 0, 0]), state=state)
        for verdict, mode, faulty in zip(said(whole, state).values(), state.modes, state.faulty, strict=True):
            earned = verdict.count >= verdict.needed and not faulty and not mode.safe
            earned = earned and verdict.evidence < verdict.threshold
            assert (verdict.outcome is Outcome.PASS) == earned
