"""Operators' orders, and the content of an event."""

import json
from dataclasses import replace
from unittest.mock import ANY

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, bit_exact, judge_rows, make_plan
from tightrope.monitors.decide import UnknownOrderError, UnknownScopeError, apply_order
from tightrope.monitors.plan import Plan, State, Transition, initial_state
from tightrope.monitors.records import Order, Outcome
from tightrope.monitors.safemode import ORDERS, Input, ModeState
from tightrope.monitors.status.verdicts import verdicts
from tightrope.monitors.watch import build_routes

IN_A = [True, False, False]


def watched(**changes: object) -> Plan:
    """Build a plan of disagreement, in ticks of sixteen rows."""
    return make_plan("disagreement", **{"tick_rows": 16} | changes)


def make_order(trigger: str, scope: str = "group=a", time: float = 1e6) -> Order:
    """Build an order."""
    return Order("order-1", time, "m", scope, trigger, "eve", "planned test")


def after_order(state: State, trigger: str, scope: str = "group=a") -> tuple[State, Transition]:
    """Return the state after the order, and its transition."""
    return apply_order(watched(), state, make_order(trigger, scope))


def harmed(source: RowSource, state: State | None = None, n: int = 64) -> tuple[State, list[Transition]]:
    """Return the state after rows of a that all disagree, and the transitions."""
    return judge_rows(watched(), source.rows(n, member=IN_A, disagree=True), state=state)


@pytest.mark.parametrize(
    ("trigger", "safe", "held"), [("force-safe", True, True), ("force-normal", False, True), ("release", False, False)]
)
@pytest.mark.parametrize("scope", ["model", "group=a", "half=left"])
def test_order_moves_its_scope_and_no_other(trigger: str, scope: str, *, safe: bool, held: bool) -> None:
    """The transition names scope, actor, reason and time."""
    state, event = after_order(initial_state(watched()), trigger, scope)
    assert [name for name, mode in zip(state.scopes, state.modes, strict=True) if mode.held] == [scope] * held
    assert build_routes(watched(), state).safe == (scope,) * safe
    assert (event.scope, event.trigger, event.actor, event.reason, event.time) == (
        scope,
        trigger,
        "eve",
        "planned test",
        1e6,
    )
    assert event.moved == (safe or held)


def test_forced_normal_scope_breaches_and_stays() -> None:
    """The breach is told, its verdict stays, and its detector starts anew; the model, whose cells counted the same
    rows, does not move: no evidence would move them.
    """
    state, transitions = harmed(RowSource(), after_order(initial_state(watched()), "force-normal")[0])
    assert [(t.scope, t.trigger, t.moved, t.after.breached) for t in transitions] == [
        ("group=a", Input.BREACH, False, True),
    ]
    assert build_routes(watched(), state).safe == ()
    assert state.cells[0].tripped.tolist() == [[False, True, False, False]]
    assert state.cells[0].count.tolist() == [[0, 0, 0, 0]]
    shown = {v.scope: v.outcome for v in verdicts(watched(), state) if v.monitor == "disagreement"}
    assert shown["group=a"] is Outcome.BREACH
    assert shown["model"] is Outcome.INSUFFICIENT


def test_forced_safe_scope_stays_until_it_is_released() -> None:
    """After the release it returns when its dwell is over, because no monitor had tripped."""
    source = RowSource()
    state = after_order(initial_state(watched()), "force-safe")[0]
    source.time = 2e6
    state, transitions = judge_rows(watched(), source.rows(1600, member=IN_A), state=state)
    assert [t.trigger for t in transitions] == [Input.DWELL_ELAPSED]
    state, transitions = judge_rows(watched(), source.rows(16, member=IN_A), state=after_order(state, "release")[0])
    assert [t.trigger for t in transitions] == [Input.RECOVERED]


def test_released_scope_still_has_to_disprove_what_tripped_it() -> None:
    """An operator's hold does not cancel a breach."""
    source = RowSource()
    state = after_order(harmed(source)[0], "force-safe")[0]
    state = after_order(state, "release")[0]
    source.time = 2e6
    state, transitions = judge_rows(watched(), source.rows(160, member=IN_A), state=state)
    assert [t.trigger for t in transitions] == [Input.DWELL_ELAPSED]
    _, transitions = judge_rows(watched(), source.rows(1600, member=IN_A), state=state)
    assert [t.trigger for t in transitions] == [Input.RECOVERED]


def test_forced_return_clears_the_breach() -> None:
    """Detectors and trip marks are reset by the order."""
    state = after_order(harmed(RowSource())[0], "force-normal")[0]
    assert not state.cells[0].tripped.any()
    assert state.cells[0].count[0, 1] == 0
    assert np.isneginf(state.cells[0].log_mass[:, 1]).all()


def test_forced_subgroup_takes_its_rows_out_of_the_models_evidence() -> None:
    """A forced subgroup is counted like one that breached; other subgroups, and a safe model, keep their rows."""
    source = RowSource()
    before, _ = judge_rows(watched(), source.rows(160, member=[True, True, False]))
    after, _ = after_order(before, "force-safe")
    assert after.cells[0].count.tolist() == [[0, 160, 160, 0]]
    assert np.isneginf(after.cells[0].log_mass[:, 0]).all()
    safe, _ = after_order(before, "force-safe", "model")
    assert after_order(safe, "force-safe")[0].cells[0].count.tolist() == [[160, 160, 160, 0]]


@pytest.mark.parametrize("scope", ["group=z", "", "MODEL", "group"])
def test_order_for_an_unknown_scope_is_refused(scope: str) -> None:
    """The error names the valid scopes."""
    with pytest.raises(UnknownScopeError, match="must be one of model, group=a, group=b, half=left"):
        after_order(initial_state(watched()), "force-safe", scope)


@pytest.mark.parametrize(
    "trigger", [*(trigger.value for trigger in Input if trigger not in ORDERS), "", "FORCE-SAFE", "reset"]
)
def test_unknown_order_is_refused(trigger: str) -> None:
    """No one can order a return without evidence, or a breach, in the judge's name."""
    state = harmed(RowSource())[0]
    before = bit_exact(state)
    with pytest.raises(UnknownOrderError, match="must be one of force-safe, force-normal, release"):
        after_order(state, trigger)
    assert bit_exact(state) == before


def test_epoch_grows_with_every_change_of_mode() -> None:
    """An order that changes nothing is recorded under the current epoch."""
    state = initial_state(watched())
    epochs = []
    for trigger in ("release", "force-safe", "force-safe", "release", "force-normal"):
        state = after_order(state, trigger)[0]
        epochs.append(state.epoch)
    assert epochs == [0, 1, 1, 2, 3]


def test_breach_event_holds_the_basis_of_the_decision() -> None:
    """Monitor, evidence path, limit, counts, row positions, both artefacts and the plan; all of it fits JSON."""
    plan = watched(samples=1e4)
    rows = RowSource().rows(48, member=IN_A, disagree=np.arange(48) >= 32, partition=7)
    _, transitions = judge_rows(plan, rows)
    breach = transitions[0]
    evidence = json.loads(json.dumps(breach.evidence, allow_nan=False))
    (monitor,) = evidence.pop("monitors")
    assert evidence == {
        "baseline_digest": "b1",
        "compressed_digest": "c1",
        "plan_digest": "d1",
        "armed": True,
        "samples": 48,
        "labels": 0,
        "log": "log-1",
        "host_classes": {"unknown": {"rows": 48, "disagreements": 16}},
        "first": {"partition": 7, "offset": 32},
        "last": {"partition": 7, "offset": 47},
        "request_id": "7-47",
    }
    path = monitor.pop("path")
    assert len(path) == 3
    assert monitor.pop("text") == breach.reason
    assert monitor.pop("now") == {"mean": pytest.approx(1 / 3), "lower": ANY, "upper": ANY, "rows": 48}
    assert monitor.pop("since") == {"number": 32, "earliest": 1, "latest": 48, "unit": "request", "time": 31.0}
    assert path[0] < 4 <= path[2] == round(monitor.pop("evidence"), 3)
    assert monitor == {
        "monitor": "disagreement",
        "variant": "",
        "threshold": pytest.approx(4),
        "recovery": None,
        "limit": 0.04,
        "count": 48,
        "recent_count": 48,
        "recent_mean": pytest.approx(1 / 3),
    }
    assert breach.reason.startswith("disagreement 33 in 100 (13 to 60, last 48 rows), limit 4, since about request ")
    assert (breach.actor, breach.time) == ("judge", 47.0)


def test_order_event_holds_the_artefacts_but_no_rows() -> None:
    """An order is not based on rows."""
    event = after_order(initial_state(watched()), "force-safe")[1]
    assert event.evidence == {
        "monitors": [],
        "baseline_digest": "b1",
        "compressed_digest": "c1",
        "plan_digest": "d1",
        "armed": True,
        "samples": 0,
        "labels": 0,
        "log": "",
        "host_classes": {},
    }


def test_release_of_a_latched_scope_leads_to_safe_mode() -> None:
    """From there evidence leads back to normal."""
    state = harmed(RowSource())[0]
    latched = replace(state.modes[1], state=ModeState.LATCHED, dwelling=False)
    state = replace(state, modes=(state.modes[0], latched, *state.modes[2:]))
    assert after_order(state, "release")[0].modes[1].state is ModeState.SAFE
