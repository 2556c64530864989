from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons
from tests.support.judgement.recorded import recorded_plan
from tightrope.monitors.decide import Cause
from tightrope.monitors.dependence.units import request_numbers
from tightrope.monitors.folding.fold import fold, fold_rows
from tightrope.monitors.folding.inputs import (
    ClockReading,
    ComparedRows,
    GivenOrder,
    KeptRequests,
    LabelCounts,
    NewPlan,
    PassedEpoch,
    UnreadableState,
)
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Order, Stream, Traffic
from tightrope.monitors.safemode import IllegalTransitionError, ModeState

PLAN = recorded_plan()
FRESH = initial_state(PLAN)


def test_each_input_changes_its_part_of_the_state() -> None:
    """Counts, epoch, times, notices and modes."""
    assert fold(PLAN, FRESH, LabelCounts({"joined": 2}))[0].labels == {"joined": 2}
    assert fold(PLAN, FRESH, PassedEpoch(7))[0].epoch == 7
    kept, _ = fold(PLAN, FRESH, KeptRequests(Traffic("m", 5.0, 3, 4.0)))
    assert kept.unanswered.kept == 3
    assert fold(PLAN, kept, ClockReading(2.0))[0].unanswered.until == 2.0
    state, transitions = fold(PLAN, FRESH, UnreadableState(Cause(1.0, reason="lost")))
    assert {mode.state for mode in state.modes} == {ModeState.SAFE}
    assert len(transitions) == len(PLAN.scopes)


def test_orders_are_carried_out_or_refused() -> None:
    """One that was carried out is remembered; an unknown scope raises."""
    given = Order("o", 1.0, "m", "group=a", "force-safe", "ann", "why")
    state, (transition,) = fold(PLAN, FRESH, GivenOrder(given))
    assert (transition.scope, "o" in state.retained.orders) == ("group=a", True)
    with pytest.raises(ValueError, match="no scope"):
        fold(PLAN, FRESH, GivenOrder(replace(given, scope="x=y")))
    assert issubclass(IllegalTransitionError, ValueError)


def test_another_plan_takes_the_place_of_the_first() -> None:
    """Its digest is that of the state from then on."""
    state, _ = fold(PLAN, FRESH, NewPlan(replace(PLAN, digest="e"), Cause(1.0)))
    assert (FRESH.digest, state.digest) == ("d", "e")


def test_rows_that_no_plan_covers_are_no_sight() -> None:
    """Stale rows are noted with the log's time; covered ones count as answered until then."""
    rows = make_comparisons(4)
    state, _, _ = fold_rows(PLAN, FRESH, ComparedRows(replace(rows, compressed_digest="other"), 9.0))
    assert (state.stale, state.unanswered.stale_until) == (4, 9.0)
    state, _, _ = fold_rows(PLAN, FRESH, ComparedRows(rows, 9.0))
    assert (state.stale, state.unanswered.answered) == (0, 9.0)


def test_the_text_of_an_id_has_no_part_in_the_numbers_of_requests() -> None:
    """Labels are numbered by first appearance, so that digests of ids give the same steps."""
    rows = replace(make_comparisons(4), request_id=("b#0", "a#0", "b#1", "c#0"))
    assert np.array_equal(request_numbers(rows, Stream.LABELS), [0, 1, 0, 2])
