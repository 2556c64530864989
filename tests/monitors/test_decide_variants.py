"""Variants trip and return one by one: a variant without rows owes no evidence."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan
from tightrope.monitors.migration import migrate_state
from tightrope.monitors.plan import Plan, State, Transition
from tightrope.monitors.records import Stream
from tightrope.monitors.safemode import Input, Policy

POLICY = Policy(min_dwell=0.0, recovery_samples=1e3)


def watched(**changes: object) -> Plan:
    """Build a plan of calibration, in ticks of sixteen labels."""
    return make_plan("calibration", **{"tick_rows": 16, "policy": POLICY, "samples": 1e6} | changes)


def judge_labels(
    plan: Plan, source: RowSource, n: int, wrong: int, state: State | None = None
) -> tuple[State, list[Transition]]:
    """Judge labels of a model that is always 85 % confident and wrong in every ``wrong``-th row."""
    right = np.arange(n) % wrong > 0
    rows = source.rows(n, confidence_compressed=0.85, correct_compressed=right, correct_baseline=right)
    return judge_rows(plan, rows, state=state, stream=Stream.LABELS)


def test_only_the_variant_that_tripped_owes_its_evidence() -> None:
    """The bin from 0.9 to 1 has no rows, and would keep the model in safe mode for ever if it had to be disproved."""
    source = RowSource()
    state, transitions = judge_labels(watched(), source, 640, 2)
    breach = transitions[0]
    (monitor,) = breach.evidence["monitors"]  # type: ignore[misc]
    assert (breach.trigger, monitor["variant"]) == (Input.BREACH, "0.8 to 0.9")
    assert np.flatnonzero(state.cells[0].tripped[:, 0]).tolist() == [8]
    state, transitions = judge_labels(watched(), source, 32_000, 7, state)
    assert [t.trigger for t in transitions] == [Input.RECOVERED]
    assert not state.cells[0].tripped.any()


def test_variant_that_tripped_returns_by_its_own_rows_only() -> None:
    """Good calibration in another bin is no evidence for the one that tripped."""
    source = RowSource()
    state, _ = judge_labels(watched(), source, 640, 2)
    right = np.arange(32_000) % 4 > 0
    rows = source.rows(32_000, confidence_compressed=0.75, correct_compressed=right, correct_baseline=right)
    state, transitions = judge_rows(watched(), rows, state=state, stream=Stream.LABELS)
    assert transitions == []
    assert state.modes[0].safe


def test_trip_marks_of_variants_survive_a_new_configuration() -> None:
    """Each variant keeps its own mark; with another number of lanes, all variants are marked."""
    state, _ = judge_labels(watched(), RowSource(), 640, 2)
    assert migrate_state(watched(digest="d2"), state).cells[0].tripped.tolist() == state.cells[0].tripped.tolist()
    assert migrate_state(watched(digest="d2", lanes=2), state).cells[0].tripped[:, 0].all()
    assert not migrate_state(watched(digest="d2", lanes=2), state).cells[0].tripped[:, 1:].any()


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_all_lanes_of_a_variant_trip_and_return_together(lanes: int) -> None:
    """Their rows answer one question and only take turns."""
    plan, source = make_plan("disagreement", tick_rows=16, policy=POLICY, samples=1e6, lanes=lanes), RowSource()
    state, transitions = judge_rows(plan, source.rows(640, disagree=True))
    assert transitions[0].trigger is Input.BREACH
    assert state.cells[0].tripped[:, 0].all()
    state, transitions = judge_rows(plan, source.rows(640 * lanes), state=state)
    assert [t.trigger for t in transitions] == [Input.RECOVERED]
    assert not state.cells[0].tripped.any()
