"""A stored state under the plan of today: evidence is kept or dropped whole, and modes are never forgotten."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import SCOPES, Traffic, bits, fold, plan, seen, waiting
from tightrope.monitors.plan import Plan, State, adopt, start
from tightrope.monitors.records import Outcome, Stream
from tightrope.monitors.safemode import Mode
from tightrope.monitors.safemode import State as Is
from tightrope.monitors.status import verdicts
from tightrope.monitors.watch import routes

A = [True, False, False]


def watched(*monitors: str, **changes: object) -> Plan:
    """Two questions, in ticks of sixteen rows."""
    return plan(*(monitors or ("disagreement", "confidence")), **{"tick_rows": 16} | changes)


def harmed(source: Traffic) -> State:
    """The state after a went to safe mode for its decisions, with rows of an open tick."""
    state, _ = fold(watched(), source.rows(72, member=A, disagree=True))
    return state


def test_same_plan_goes_on_as_if_nothing_had_been() -> None:
    """The stored state is taken as it is, the open tick's rows with it."""
    state = harmed(Traffic())
    assert bits(adopt(watched(), state)) == bits(state)
    assert len(waiting(state)) == 8


def test_other_plan_keeps_modes_and_places_and_drops_evidence() -> None:
    """Epoch grows, so that gateways listen; watermarks stay, so that nothing is counted twice."""
    state, today = harmed(Traffic()), watched(digest="d2")
    state = replace(state, stale=3)
    after = adopt(today, state)
    assert (after.digest, after.epoch, seen(after), after.stale) == ("d2", state.epoch + 1, 64, 3)
    assert (after.log, after.watermarks, after.pending) == (state.log, {0: 71}, {})
    assert after.modes == state.modes
    assert routes(today, after).safe == ("group=a",)
    for kept, cells in zip(state.cells, after.cells, strict=True):
        assert cells.tripped.tolist() == kept.tripped.tolist()
        assert np.isneginf(cells.log_mass).all()
        assert np.isneginf(cells.recovery).all()
        assert not cells.count.any()
    assert not any(
        column.any() for column in (after.compared, after.disagreed, after.errors, after.faulty, after.noise)
    )


def test_scope_still_owes_what_tripped_it_after_a_new_plan() -> None:
    """Its verdict is a breach, and it comes back by evidence only, counted from nothing."""
    source = Traffic()
    today = watched(digest="d2")
    state = adopt(today, harmed(source))
    a = {v.monitor: v.outcome for v in verdicts(today, state) if v.scope == "group=a"}
    assert a == {"disagreement": Outcome.BREACH, "confidence": Outcome.INSUFFICIENT}
    state, _ = fold(today, source.rows(320, member=A), state=state)
    assert (state.modes[1].safe, state.modes[1].dwelling) == (True, False)
    state, _ = fold(today, source.rows(320, member=A), state=state)
    assert not state.modes[1].safe


def test_scopes_are_matched_by_name() -> None:
    """In another order, with one gone and one new: each keeps its own mode, and the new one starts as normal."""
    held = Mode(Is.SAFE, held=True, since=5.0)
    state = harmed(Traffic())
    state = replace(state, modes=(*state.modes[:3], held))
    after = adopt(watched(scopes=("half=left", "group=new", "group=a"), digest="d2"), state)
    assert after.modes == (state.modes[0], held, Mode(), state.modes[1])
    assert after.cells[0].tripped.tolist() == [[False, False, False, True]]
    assert len(after.compared) == 4


def test_monitors_are_matched_by_name() -> None:
    """A note of what tripped follows its question, in whatever place it stands; a new question has none."""
    state = harmed(Traffic())
    after = adopt(watched("refusal_rate", "confidence", "disagreement", digest="d2"), state)
    assert [bool(cells.tripped[0, 1]) for cells in after.cells] == [False, False, True]
    assert [cells.tripped.sum() for cells in after.cells] == [0, 0, 1]


def test_start_has_a_cell_for_every_question_and_scope() -> None:
    """All normal, nothing seen, under the plan's names."""
    state = start(watched())
    assert (state.scopes, state.monitors) == (("model", *SCOPES), ("disagreement", "confidence"))
    assert state.modes == (Mode(),) * 4
    assert [cells.log_mass.shape for cells in state.cells] == [(1, 4, 6), (1, 4, 14)]
    assert (state.epoch, state.stale, state.watermarks, state.pending, state.labels) == (0, 0, {}, {}, {})
    assert state.seen == {Stream.COMPARISONS: 0, Stream.LABELS: 0}


@pytest.mark.parametrize(("state", "held"), [(Is.NORMAL, True), (Is.SAFE, False)])
def test_transition_moved_when_state_or_hold_changed(state: Is, *, held: bool) -> None:
    """The end of a dwell alone moves nobody."""
    made = fold(watched(), Traffic().rows(64, member=A, disagree=True))[1][0]
    here = Mode(Is.NORMAL, dwelling=True)
    assert not replace(made, before=here, after=replace(here, dwelling=False, flaps=2)).moved
    assert replace(made, before=here, after=replace(here, state=state, held=held)).moved
