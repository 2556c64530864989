"""A stored state under a new plan: evidence is kept or dropped as a whole, and modes are always kept."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import (
    RowSource,
    bit_exact,
    judge_rows,
    judged_count,
    make_plan,
    open_tick_rows,
)
from tightrope.monitors.dependence.units import EvidenceUnit
from tightrope.monitors.dependence.warning import Dependence
from tightrope.monitors.migration import begin_again, migrate_state
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Outcome
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.monitors.status.verdicts import verdicts
from tightrope.monitors.watch import build_routes

IN_A = [True, False, False]


def watched(*monitors: str, **changes: object) -> Plan:
    """Build a plan of two monitors, in ticks of sixteen rows."""
    return make_plan(*(monitors or ("disagreement", "confidence")), **{"tick_rows": 16} | changes)


def harmed(source: RowSource) -> State:
    """Return the state after a went to safe mode for disagreement, with rows in the open tick."""
    state, _ = judge_rows(watched(), source.rows(72, member=IN_A, disagree=True))
    return state


def test_state_is_unchanged_under_the_same_plan() -> None:
    """The rows of the open tick are kept too."""
    state = harmed(RowSource())
    assert bit_exact(migrate_state(watched(), state)) == bit_exact(state)
    assert len(open_tick_rows(state)) == 8


def test_other_plan_keeps_modes_and_watermarks_and_drops_evidence() -> None:
    """The epoch grows, so that gateways apply the routes; watermarks stay, so that no row counts twice, and the eight
    rows of the open tick count as stale, so that none is lost.
    """
    state, today = harmed(RowSource()), watched(digest="d2")
    state = replace(state, stale=3)
    after = migrate_state(today, state)
    assert (after.digest, after.epoch, judged_count(after), after.stale) == ("d2", state.epoch + 1, 64, 3 + 8)
    assert (after.log, after.watermarks, after.pending) == (state.log, {0: 71}, {})
    assert after.modes == state.modes
    assert build_routes(today, after).safe == ("group=a",)
    for kept, cells in zip(state.cells, after.cells, strict=True):
        assert cells.tripped.tolist() == kept.tripped.tolist()
        assert np.isneginf(cells.log_mass).all()
        assert np.isneginf(cells.recovery).all()
        assert not cells.count.any()
    assert not any(
        column.any() for column in (after.compared, after.disagreed, after.errors, after.faulty, after.noise)
    )


def test_scope_still_has_to_disprove_what_tripped_it_after_a_new_plan() -> None:
    """Its verdict is a breach, and it returns on evidence only, counted from zero."""
    source = RowSource()
    today = watched(digest="d2")
    state = migrate_state(today, harmed(source))
    a = {v.monitor: v.outcome for v in verdicts(today, state) if v.scope == "group=a" and v.monitor != "sight"}
    assert a == {"disagreement": Outcome.BREACH, "confidence": Outcome.INSUFFICIENT}
    state, _ = judge_rows(today, source.rows(320, member=IN_A), state=state)
    assert (state.modes[1].safe, state.modes[1].dwelling) == (True, False)
    state, _ = judge_rows(today, source.rows(320, member=IN_A), state=state)
    assert not state.modes[1].safe


def test_scopes_are_matched_by_name() -> None:
    """In another order, with one scope gone and one new: each keeps its mode, and the new one starts as normal."""
    held = Mode(ModeState.SAFE, held=True, since=5.0)
    state = harmed(RowSource())
    state = replace(state, modes=(*state.modes[:3], held))
    after = migrate_state(watched(scopes=("half=left", "group=new", "group=a"), digest="d2"), state)
    assert after.modes == (state.modes[0], held, Mode(), state.modes[1])
    assert after.cells[0].tripped.tolist() == [[False, False, False, True]]
    assert len(after.compared) == 4


def test_monitors_are_matched_by_name() -> None:
    """A trip mark follows its monitor to any position; a new monitor has none."""
    state = harmed(RowSource())
    after = migrate_state(watched("refusal_rate", "confidence", "disagreement", digest="d2"), state)
    assert [bool(cells.tripped[0, 1]) for cells in after.cells] == [False, False, True]
    assert [cells.tripped.sum() for cells in after.cells] == [0, 0, 1]


def test_state_begins_again_with_its_modes() -> None:
    """As for a log that was made anew: modes and orders stay, every row of the log counts, and the harm is disproved
    anew.
    """
    state = harmed(RowSource())
    again = begin_again(watched(), state)
    assert [mode.state for mode in again.modes] == [mode.state for mode in state.modes]
    assert (again.digest, again.epoch) == (state.digest, state.epoch + 1)
    assert (judged_count(again), again.watermarks, again.log, again.pending) == (0, {}, "", {})
    assert again.cells[0].tripped.any()
    assert not any(cells.count.any() for cells in again.cells)


@pytest.mark.parametrize("pair", ["c1", "c2"])
def test_what_is_known_of_dependence_outlives_a_plan(pair: str) -> None:
    """Only the very first start has to learn it: another plan, another pair or another log begins in the wide unit."""
    dependence = Dependence(warned=True, quiet=1024, block=256, effect=3.0)
    state = replace(harmed(RowSource()), dependence=dependence)
    today = watched(digest="d2", compressed_digest=pair, unit=EvidenceUnit())
    for after in (migrate_state(today, state), begin_again(today, state)):
        assert (after.dependence.warned, after.dependence.block, after.dependence.effect) == (True, 256, 3.0)
        assert after.cells[0].window.shape[2] == 1
