"""Scopes that are added while rows are judged change no bit of what others have."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact, judge_rows
from tests.support.judgement.found_groups import HALF, ROWS, SCOPES, THREES, searched_plan, searched_rows
from tightrope.monitors.dependence.units import EvidenceUnit, Independence
from tightrope.monitors.plan import State, initial_state
from tightrope.monitors.records import Stream
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.monitors.status.verdicts import verdicts
from tightrope.monitors.verdict import Outcome
from tightrope.monitors.watched_groups.plans import judged_plan, with_added
from tightrope.monitors.watched_groups.states import moved_state
from tightrope.service.adapters.wire.record_codec import decode_state, encode_state

UNITS = {"request": EvidenceUnit(Independence.REQUEST), "window": EvidenceUnit(Independence.WINDOW)}
WHOLE = "disagreement", "confidence_shape", "class_miss", "accuracy"
CUTS = st.lists(st.integers(0, ROWS), min_size=1, max_size=4).map(sorted)


@pytest.mark.parametrize("unit", UNITS)
@settings(max_examples=5, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(seed=st.integers(0, 99), cuts=CUTS, at=st.integers(0, 3))
def test_others_are_as_if_nothing_had_been_added(unit: str, seed: int, cuts: list[int], at: int) -> None:
    """Two scopes come, later go one by one, and all is written and read after every batch. Observations are whole
    numbers, whose sums are exact.
    """
    plan, rows = searched_plan(*WHOLE, unit=UNITS[unit]), searched_rows(seed, harm=0.01)
    state, after, never = initial_state(plan), plan, initial_state(plan)
    for number, (begin, end) in enumerate(zip([0, *cuts], [*cuts, ROWS], strict=True)):
        if number == min(at, len(cuts)):
            state, after = moved_state(after, with_added(plan, [THREES, HALF]), state), with_added(plan, [THREES, HALF])
        state, never = (
            judge_rows(plan, rows.take(slice(begin, end)), state=decode_state(encode_state(each)))[0]
            for each in (state, never)
        )
    for added in ([HALF], []):
        state, after = moved_state(after, with_added(plan, added), state), with_added(plan, added)
    assert bit_exact(replace(state, epoch=0)) == bit_exact(replace(never, epoch=0))


def test_evidence_of_an_added_scope_starts_with_the_next_row() -> None:
    """Those of the open tick, and all before, are not in it; it is in normal mode, seen, and has no verdict yet."""
    plan = searched_plan()
    before, _ = judge_rows(plan, searched_rows(0, harm=0.0, rows=1_000))
    state = moved_state(plan, after := with_added(plan, [THREES]), before)
    assert (state.modes[-1], state.compared[-1], state.added) == (Mode(), 0, (THREES,))
    assert not state.pending[Stream.COMPARISONS].member[:, -1].any()
    assert len(state.pending[Stream.COMPARISONS]) == 1_000 % 64
    assert {v.outcome for v in verdicts(after, state) if v.scope == THREES.scope} == {Outcome.INSUFFICIENT}
    more = searched_rows(1, first=1_000, rows=640)
    state, _ = judge_rows(plan, more, state=state)
    ended = (1_000 + 640) // 64 * 64 - 1_000
    assert state.compared[-1] == (more.features[:ended, 0] == 3).sum()


def harmed(seed: int = 1) -> tuple[State, list[str]]:
    """The state, and the scopes that moved, after the group of threes was added, and was harmed since."""
    plan = searched_plan()
    before, _ = judge_rows(plan, searched_rows(0, harm=0.0, rows=960))
    state = moved_state(plan, with_added(plan, [THREES]), before)
    state, moves = judge_rows(plan, searched_rows(seed, first=960), state=state)
    return state, [move.scope for move in moves if move.moved]


def test_harmed_group_goes_to_safe_mode_alone() -> None:
    """By its own cells."""
    state, moved = harmed()
    assert moved == [THREES.scope]
    assert [mode.state for mode in state.modes] == [ModeState.NORMAL] * 3 + [ModeState.SAFE]


def test_mode_stays_with_the_scope_when_others_come_and_go() -> None:
    """And when the configuration declares it."""
    state, _ = harmed()
    plan = searched_plan()
    both = moved_state(with_added(plan, [THREES]), with_added(plan, [HALF, THREES]), state)
    assert [mode.safe for mode in both.modes] == [False, False, False, False, True]
    assert both.scopes == ("model", *SCOPES, HALF.scope, THREES.scope)
    assert both.cells[0].tripped[:, -1].any()
    assert not both.cells[0].tripped[:, 3].any()
    assert np.array_equal(both.cells[0].log_mass[:, -1], state.cells[0].log_mass[:, -1])
    assert judged_plan(plan, both).scopes == both.scopes
