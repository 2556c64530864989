"""Variants trip and return one by one: what a variant never hears of, nobody owes."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import Traffic, fold, plan
from tightrope.monitors.plan import Plan, State, Transition, adopt
from tightrope.monitors.records import Stream
from tightrope.monitors.safemode import Input, Policy

POLICY = Policy(min_dwell=0.0, recovery_samples=1e3)


def watched(**changes: object) -> Plan:
    """Calibration, in ticks of sixteen labels."""
    return plan("calibration", **{"tick_rows": 16, "policy": POLICY, "samples": 1e6} | changes)


def labelled(
    of: Plan, source: Traffic, n: int, wrong: int, state: State | None = None
) -> tuple[State, list[Transition]]:
    """Labels of a model that is always 85 % sure, and wrong in every so many rows."""
    right = np.arange(n) % wrong > 0
    rows = source.rows(n, confidence_compressed=0.85, correct_compressed=right, correct_baseline=right)
    return fold(of, rows, state=state, stream=Stream.LABELS)


def test_only_the_variant_that_tripped_owes_its_evidence() -> None:
    """Nine tenths of confidence never had a row, and would have kept the model in safe mode for ever."""
    source = Traffic()
    state, happened = labelled(watched(), source, 640, 2)
    breach = happened[0]
    (case,) = breach.evidence["monitors"]  # type: ignore[misc]
    assert (breach.what, case["variant"]) == (Input.BREACH, "0.8 to 0.9")
    assert np.flatnonzero(state.cells[0].tripped[:, 0]).tolist() == [8]
    state, happened = labelled(watched(), source, 32_000, 7, state)
    assert [t.what for t in happened] == [Input.RECOVERED]
    assert not state.cells[0].tripped.any()


def test_variant_that_tripped_returns_by_its_own_rows_only() -> None:
    """That another tenth is well calibrated says nothing of the one that was not."""
    source = Traffic()
    state, _ = labelled(watched(), source, 640, 2)
    right = np.arange(32_000) % 4 > 0
    rows = source.rows(32_000, confidence_compressed=0.75, correct_compressed=right, correct_baseline=right)
    state, happened = fold(watched(), rows, state=state, stream=Stream.LABELS)
    assert happened == []
    assert state.modes[0].safe


def test_variants_owe_what_they_owed_after_a_new_configuration() -> None:
    """Each its own, where there are as many as before; with other lanes, all of them."""
    state, _ = labelled(watched(), Traffic(), 640, 2)
    assert adopt(watched(digest="d2"), state).cells[0].tripped.tolist() == state.cells[0].tripped.tolist()
    assert adopt(watched(digest="d2", lanes=2), state).cells[0].tripped[:, 0].all()
    assert not adopt(watched(digest="d2", lanes=2), state).cells[0].tripped[:, 1:].any()


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_all_lanes_of_a_variant_trip_and_return_together(lanes: int) -> None:
    """Their rows are those of one question, only taken in turn."""
    of, source = plan("disagreement", tick_rows=16, policy=POLICY, samples=1e6, lanes=lanes), Traffic()
    state, happened = fold(of, source.rows(640, disagree=True))
    assert happened[0].what is Input.BREACH
    assert state.cells[0].tripped[:, 0].all()
    state, happened = fold(of, source.rows(640 * lanes), state=state)
    assert [t.what for t in happened] == [Input.RECOVERED]
    assert not state.cells[0].tripped.any()
