"""Scopes that a statement withholds begin in safe mode, once for each statement, and return by evidence on trial."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import SCOPES, RowSource, judge_rows, make_plan
from tightrope.monitors import watch
from tightrope.monitors.decide import Cause, apply_order, deploy
from tightrope.monitors.plan import Plan, State, initial_state, withholds_anew
from tightrope.monitors.records import Order
from tightrope.monitors.safemode import Input, Mode, ModeState, Policy, Withholding
from tightrope.service.adapters.wire import record_codec

CAUSE = Cause(1e4)
IN_A = [True, False, False]
REASON = "qualification q1 does not prove it"


def make(statement: str = "q1", scopes: tuple[str, ...] = ("group=a",), **changes: object) -> Plan:
    """Build a plan of one monitor with a statement, without a dwell."""
    withholding = Withholding(statement, scopes, REASON)
    options = {"tick_rows": 16, "policy": Policy(min_dwell=0.0), "withholding": withholding} | changes
    return make_plan("disagreement", **options)


def begun(plan: Plan, state: State | None = None) -> State:
    """Return the state of a model that is judged by this plan from now on."""
    return deploy(plan, state or initial_state(plan), CAUSE)[0]


@pytest.mark.parametrize("armed", [True, False])
def test_withheld_scope_is_safe_before_its_first_row(*, armed: bool) -> None:
    """It alone, with the reason; under an advisory plan, too: the statement says what the evidence has not."""
    plan = make(armed=armed)
    state, transitions = deploy(plan, initial_state(plan), CAUSE)
    assert [(t.scope, t.trigger, t.moved, t.reason) for t in transitions] == [("group=a", Input.WITHHELD, True, REASON)]
    assert watch.build_routes(plan, state).safe == ("group=a",)
    assert state.epoch > initial_state(plan).epoch


def test_scope_returns_by_a_hundredfold_evidence_from_a_wealth_of_one() -> None:
    """Rows of others say nothing about it; without the mark on its monitors the first quiet tick would release it."""
    plan, source = make(), RowSource(time=2e4)
    state, _ = judge_rows(plan, source.rows(640), state=begun(plan))
    assert state.modes[1].safe
    assert (state.cells[0].recovery[:, 1] == 0).all()
    state, transitions = judge_rows(plan, source.rows(640, member=IN_A), state=state)
    assert [(t.scope, t.trigger) for t in transitions] == [("group=a", Input.RECOVERED)]
    assert watch.build_routes(plan, state).safe == ()


def test_harm_keeps_the_scope_safe() -> None:
    """The evidence does not come."""
    plan = make()
    disagree = np.arange(3200) % 25 == 0
    rows = RowSource(time=2e4).rows(3200, member=IN_A, disagree=disagree)
    assert judge_rows(plan, rows, state=begun(plan))[0].modes[1].safe


def test_evidence_that_released_a_scope_outlives_a_restart() -> None:
    """Another statement withholds the scope again, the same one does not."""
    plan = make()
    released, _ = judge_rows(plan, RowSource(time=2e4).rows(640, member=IN_A), state=begun(plan))
    restored = record_codec.decode_state(record_codec.encode_state(released))
    assert not withholds_anew(plan, restored)
    assert deploy(plan, restored, CAUSE) == (restored, [])
    other = make("q2")
    assert withholds_anew(other, restored)
    assert deploy(other, restored, CAUSE)[0].modes[1].safe


def test_scope_that_evidence_has_not_released_stays_safe_after_a_restart() -> None:
    """A restart is no evidence."""
    plan = make()
    restored = record_codec.decode_state(record_codec.encode_state(begun(plan)))
    assert deploy(plan, restored, CAUSE)[0].modes == restored.modes
    assert restored.modes[1].withheld


def test_statement_that_withholds_nothing_is_remembered() -> None:
    """No scope moves."""
    plan = make(scopes=())
    state, transitions = deploy(plan, initial_state(plan), CAUSE)
    assert (transitions, state.retained.statement, watch.build_routes(plan, state).safe) == ([], "q1", ())


def test_hold_of_an_operator_stands_until_its_release() -> None:
    """The statement is told, and applies then."""
    plan = make()
    held = replace(initial_state(plan), modes=(Mode(), Mode(held=True), Mode(), Mode()))
    state, transitions = deploy(plan, held, CAUSE)
    assert [(t.trigger, t.moved) for t in transitions] == [(Input.WITHHELD, False)]
    assert watch.build_routes(plan, state).safe == ()
    state, _ = apply_order(plan, state, Order("o", 20.0, "m", "group=a", "release", "ann", "as the statement says"))
    assert state.modes[1].state is ModeState.SAFE


def test_scope_that_breached_before_keeps_the_evidence_that_it_owes() -> None:
    """A statement about the same pair makes its return no easier."""
    plan = make("")
    state, _ = judge_rows(plan, RowSource().rows(64, member=IN_A, disagree=True))
    assert state.modes[1].safe
    state = begun(make(), state)
    assert (state.modes[1].withheld, state.modes[1].trial) == (True, False)


def test_new_artefact_with_a_statement_starts_on_trial_and_withheld() -> None:
    """Both begin at a wealth of one."""
    plan = make("q2", SCOPES, compressed_digest="c2", digest="d2")
    state = begun(plan, begun(make()))
    assert [mode.safe for mode in state.modes] == [False, True, True, True]
    assert [mode.trial for mode in state.modes] == [False, True, True, True]
    assert (state.cells[0].recovery[:, 1:] == 0).all()


def test_gateways_and_judges_with_other_withheld_scopes_do_not_trust_each_other() -> None:
    """A judge without the statement would let the compressed model answer; another statement alone changes nothing."""
    assert make().coverage != make(scopes=()).coverage
    assert make().coverage == make("q2").coverage
    assert make(scopes=()).coverage == make_plan("disagreement").coverage
