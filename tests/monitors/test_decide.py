"""Orders of operators, and what an event holds."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import Traffic, bits, fold, plan
from tightrope.monitors.decide import UnknownOrderError, UnknownScopeError, order
from tightrope.monitors.plan import Plan, State, Transition, start
from tightrope.monitors.records import Order
from tightrope.monitors.safemode import ORDERS, Input
from tightrope.monitors.safemode import State as Is
from tightrope.monitors.watch import routes

A = [True, False, False]


def watched(**changes: object) -> Plan:
    """Disagreement, in ticks of sixteen rows."""
    return plan("disagreement", **{"tick_rows": 16} | changes)


def told(what: str, scope: str = "group=a", time: float = 1e6) -> Order:
    """An order of Eve's."""
    return Order("order-1", time, "m", scope, what, "eve", "I know why")


def obeyed(state: State, what: str, scope: str = "group=a") -> tuple[State, Transition]:
    """The state after the order, and its event."""
    return order(watched(), state, told(what, scope))


def ill(source: Traffic, state: State | None = None, n: int = 64) -> tuple[State, list[Transition]]:
    """The state after rows of a that all disagree, and what happened."""
    return fold(watched(), source.rows(n, member=A, disagree=True), state=state)


@pytest.mark.parametrize(
    ("what", "safe", "held"), [("force-safe", True, True), ("force-normal", False, True), ("release", False, False)]
)
@pytest.mark.parametrize("scope", ["model", "group=a", "half=left"])
def test_order_moves_its_scope_and_no_other(what: str, scope: str, *, safe: bool, held: bool) -> None:
    """By name, with who gave it, why and when."""
    state, event = obeyed(start(watched()), what, scope)
    assert [name for name, mode in zip(state.scopes, state.modes, strict=True) if mode.held] == [scope] * held
    assert routes(watched(), state).safe == (scope,) * safe
    assert (event.scope, event.what, event.actor, event.reason, event.time) == (scope, what, "eve", "I know why", 1e6)
    assert event.moved == (safe or held)


def test_forced_normal_scope_breaches_and_stays() -> None:
    """The breach is recorded and its detector starts anew; the model, which nobody holds, goes in its stead."""
    state, happened = ill(Traffic(), obeyed(start(watched()), "force-normal")[0])
    assert [(t.scope, t.what, t.moved) for t in happened] == [
        ("group=a", Input.BREACH, False),
        ("model", Input.BREACH, True),
    ]
    assert routes(watched(), state).safe == ("model",)
    assert state.cells[0].tripped.tolist() == [[True, False, False, False]]
    assert state.cells[0].count.tolist() == [[48, 0, 0, 0]]


def test_forced_safe_scope_stays_until_it_is_released() -> None:
    """However healthy it is; released, it returns when its dwell is over, for no monitor had tripped."""
    source = Traffic()
    state = obeyed(start(watched()), "force-safe")[0]
    source.time = 2e6
    state, happened = fold(watched(), source.rows(1600, member=A), state=state)
    assert [t.what for t in happened] == [Input.DWELL_ELAPSED]
    state, happened = fold(watched(), source.rows(16, member=A), state=obeyed(state, "release")[0])
    assert [t.what for t in happened] == [Input.RECOVERED]


def test_released_scope_owes_the_evidence_of_what_tripped_it() -> None:
    """An operator's hold does not forgive a breach."""
    source = Traffic()
    state = obeyed(ill(source)[0], "force-safe")[0]
    state = obeyed(state, "release")[0]
    source.time = 2e6
    state, happened = fold(watched(), source.rows(160, member=A), state=state)
    assert [t.what for t in happened] == [Input.DWELL_ELAPSED]
    _, happened = fold(watched(), source.rows(1600, member=A), state=state)
    assert [t.what for t in happened] == [Input.RECOVERED]


def test_forced_return_forgives_and_starts_anew() -> None:
    """Detectors and the note of what tripped are gone with the order."""
    state = obeyed(ill(Traffic())[0], "force-normal")[0]
    assert not state.cells[0].tripped.any()
    assert state.cells[0].count[0, 1] == 0
    assert np.isneginf(state.cells[0].log_mass[:, 1]).all()


def test_forced_subgroup_takes_its_rows_out_of_the_models_evidence() -> None:
    """As one that breached does; other subgroups keep theirs, and a model that is safe keeps its own."""
    source = Traffic()
    before, _ = fold(watched(), source.rows(160, member=[True, True, False]))
    after, _ = obeyed(before, "force-safe")
    assert after.cells[0].count.tolist() == [[0, 160, 160, 0]]
    assert np.isneginf(after.cells[0].log_mass[:, 0]).all()
    safe, _ = obeyed(before, "force-safe", "model")
    assert obeyed(safe, "force-safe")[0].cells[0].count.tolist() == [[160, 160, 160, 0]]


@pytest.mark.parametrize("scope", ["group=z", "", "MODEL", "group"])
def test_order_for_an_unknown_scope_is_refused(scope: str) -> None:
    """The error names those there are."""
    with pytest.raises(UnknownScopeError, match="it has model, group=a, group=b, half=left"):
        obeyed(start(watched()), "force-safe", scope)


@pytest.mark.parametrize("what", [*(what.value for what in Input if what not in ORDERS), "", "FORCE-SAFE", "reset"])
def test_what_is_no_order_is_refused(what: str) -> None:
    """Nobody can order a return without evidence, or a breach, in the judge's name."""
    state = ill(Traffic())[0]
    before = bits(state)
    with pytest.raises(UnknownOrderError, match="there are force-safe, force-normal, release"):
        obeyed(state, what)
    assert bits(state) == before


def test_epoch_grows_with_every_change_of_mode_and_no_other() -> None:
    """An order that changes nothing is recorded under the same epoch."""
    state = start(watched())
    epochs = []
    for what in ("release", "force-safe", "force-safe", "release", "force-normal"):
        state = obeyed(state, what)[0]
        epochs.append(state.epoch)
    assert epochs == [0, 1, 1, 2, 3]


def test_breach_tells_everything_it_was_made_from() -> None:
    """Monitor, path of evidence, limit, counts, the rows' places, both artefacts and the plan; all of it fits JSON."""
    whole = watched(samples=1e4)
    rows = Traffic().rows(48, member=A, disagree=np.arange(48) >= 32, partition=7)
    _, happened = fold(whole, rows)
    breach = happened[0]
    detail = json.loads(json.dumps(breach.evidence, allow_nan=False))
    (case,) = detail.pop("monitors")
    assert detail == {
        "baseline_digest": "b1",
        "compressed_digest": "c1",
        "plan_digest": "d1",
        "armed": True,
        "samples": 48,
        "labels": 0,
        "log": "log-1",
        "first": {"partition": 7, "offset": 32},
        "last": {"partition": 7, "offset": 47},
        "request_id": "7-47",
    }
    path = case.pop("path")
    assert len(path) == 3
    assert path[0] < 4 <= path[2] == round(case.pop("evidence"), 3)
    assert case == {
        "monitor": "disagreement",
        "variant": "",
        "threshold": pytest.approx(4),
        "recovery": None,
        "limit": 0.04,
        "count": 48,
        "recent_count": 48,
        "recent_mean": pytest.approx(1 / 3),
    }
    assert breach.reason == "disagreement 0.333 over the last 48 rows, limit 0.04"
    assert (breach.actor, breach.time) == ("judge", 47.0)


def test_order_tells_the_artefacts_but_no_rows() -> None:
    """It was not made from any."""
    event = obeyed(start(watched()), "force-safe")[1]
    assert event.evidence == {
        "monitors": [],
        "baseline_digest": "b1",
        "compressed_digest": "c1",
        "plan_digest": "d1",
        "armed": True,
        "samples": 0,
        "labels": 0,
        "log": "",
    }


def test_order_to_a_latch_frees_it() -> None:
    """Release leads to safe mode, from where evidence leads back."""
    state = ill(Traffic())[0]
    latched = replace(state.modes[1], state=Is.LATCHED, dwelling=False)
    state = replace(state, modes=(state.modes[0], latched, *state.modes[2:]))
    assert obeyed(state, "release")[0].modes[1].state is Is.SAFE
