"""The state of a model before its first row, and its transitions."""

from dataclasses import replace

import pytest

from tests.support.judgement.comparisons import (
    SCOPES,
    RowSource,
    judge_rows,
    make_plan,
)
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import Stream
from tightrope.monitors.safemode import Mode, ModeState

IN_A = [True, False, False]


def watched(*monitors: str, **changes: object) -> Plan:
    """Build a plan of two monitors, in ticks of sixteen rows."""
    return make_plan(*(monitors or ("disagreement", "confidence")), **{"tick_rows": 16} | changes)


def test_initial_state_has_a_cell_for_every_monitor_and_scope() -> None:
    """All scopes are normal and no rows are counted, under the plan's names."""
    state = initial_state(watched())
    assert (state.scopes, state.monitors) == (("model", *SCOPES), ("disagreement", "confidence"))
    assert state.modes == (Mode(),) * 4
    assert [cells.log_mass.shape for cells in state.cells] == [(1, 4, 6), (1, 4, 14)]
    assert (state.epoch, state.stale, state.watermarks, state.pending, state.labels) == (0, 0, {}, {}, {})
    assert state.seen == {Stream.COMPARISONS: 0, Stream.LABELS: 0}


@pytest.mark.parametrize(("state", "held"), [(ModeState.NORMAL, True), (ModeState.SAFE, False)])
def test_transition_moved_when_state_or_hold_changed(state: ModeState, *, held: bool) -> None:
    """The end of a dwell alone is no move."""
    transition = judge_rows(watched(), RowSource().rows(64, member=IN_A, disagree=True))[1][0]
    before = Mode(ModeState.NORMAL, dwelling=True)
    assert not replace(transition, before=before, after=replace(before, dwelling=False, flaps=2)).moved
    assert replace(transition, before=before, after=replace(before, state=state, held=held)).moved
