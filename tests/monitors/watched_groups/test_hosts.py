"""Scopes of classes of hosts: they come with the second class, trip alone, and end when a class is gone."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, bit_exact, judge_rows, make_plan, verdicts_by_cell
from tightrope.monitors.added_scopes.host_scopes import MAX_HOST_SCOPES
from tightrope.monitors.catalogue import HOST_SHARE
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Comparisons
from tightrope.monitors.safemode import Input
from tightrope.monitors.watch import build_routes
from tightrope.monitors.watched_groups import hosts
from tightrope.monitors.watched_groups.plans import judged_plan
from tightrope.service.adapters.wire.record_codec import decode_routes, decode_state, encode_routes, encode_state

PLAN = make_plan("disagreement", scopes=())
OLD, NEW = "x86_64/avx2", "aarch64/i8mm"
HOSTS = (f"host={OLD}", f"host={NEW}")


def fleet(n: int, *, share: float = 0.5, rates: tuple[float, float] = (0.0, 0.0), seed: int = 3) -> Comparisons:
    """A ``share`` of the rows ran on the new class of hosts; each class differs at its own rate."""
    rng = np.random.default_rng(seed)
    is_new = rng.random(n) < share
    differs = rng.random(n) < np.where(is_new, rates[1], rates[0])
    rows = RowSource().rows(n, scopes=(), disagree=differs)
    return replace(rows, host_class=np.where(is_new, NEW, OLD).astype(object))


def modes(plan: Plan, state: State) -> dict[str, str]:
    """The state of each scope."""
    return dict(zip(judged_plan(plan, state).scopes, (mode.state.value for mode in state.modes), strict=True))


def test_one_class_has_no_scope() -> None:
    """Nor have rows whose host is not known."""
    state, _ = judge_rows(PLAN, fleet(1_024, share=0.0))
    assert state.scopes == ("model",)
    state, _ = judge_rows(PLAN, RowSource().rows(512, scopes=()))
    assert state.scopes == ("model",)


def test_second_class_brings_the_scopes_of_both() -> None:
    """With verdicts of their own, out of a share that is theirs; the digest and the declared subgroups stay."""
    state, moved = judge_rows(PLAN, fleet(2_048))
    plan = judged_plan(PLAN, state)
    assert moved == []
    assert {*plan.scopes[1:]} == {*HOSTS}
    assert (plan.digest, plan.coverage, plan.declared) == (PLAN.digest, PLAN.coverage, ())
    assert plan.rules[0].shares[1:].tolist() == pytest.approx([HOST_SHARE / (MAX_HOST_SCOPES + 1)] * 2)
    assert {scope for scope, _ in verdicts_by_cell(plan, state)} == {"model", *HOSTS}
    assert sum(int(state.compared[plan.scopes.index(name)]) for name in HOSTS) <= int(state.compared[0])


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_harmful_class_trips_alone(share: float) -> None:
    """With a small and a large share of the traffic, though with the large one the model is over its limit first."""
    state, moved = judge_rows(PLAN, fleet(8_192, share=share, rates=(0.0, 0.3)))
    assert [each.scope for each in moved if each.trigger is Input.BREACH] == [f"host={NEW}"]
    assert modes(PLAN, state) == {"model": "normal", f"host={NEW}": "safe", f"host={OLD}": "normal"}


def test_new_harmful_class_trips_alone_though_it_has_most_of_the_traffic() -> None:
    """As after machines were replaced: what was seen of the old class before tells that it is not the model."""
    before, after = fleet(1_024, share=0.0), fleet(4_096, share=0.9, rates=(0.0, 0.3))
    after = replace(after, offset=after.offset + 1_024, time=after.time + 1_024)
    state, _ = judge_rows(PLAN, before, after)
    assert modes(PLAN, state) == {"model": "normal", f"host={NEW}": "safe", f"host={OLD}": "normal"}


def test_model_trips_where_both_classes_are_harmful() -> None:
    """Then it is no matter of the host."""
    state, _ = judge_rows(PLAN, fleet(8_192, rates=(0.3, 0.3)))
    assert modes(PLAN, state)["model"] == "safe"


def test_reason_names_both_rates() -> None:
    """Those of the class, and of all others, in the latest rows."""
    _, moved = judge_rows(PLAN, fleet(4_096, rates=(0.0, 0.3)))
    reason = next(each.reason for each in moved if each.trigger is Input.BREACH)
    assert "rows of this class of hosts takes the model over 0.02; 0 in" in reason


def test_harmful_class_returns_by_its_own_rows() -> None:
    """It has to disprove the monitor that tripped it."""
    state, _ = judge_rows(PLAN, fleet(2_048, rates=(0.0, 0.3)))
    assert modes(PLAN, state)[f"host={NEW}"] == "safe"
    later = fleet(16_384, seed=4)
    later = replace(later, offset=later.offset + 2_048, time=later.time + 2_048)
    state, moved = judge_rows(PLAN, later, state=state)
    assert [(each.scope, each.trigger) for each in moved if each.moved] == [(f"host={NEW}", Input.RECOVERED)]


@pytest.mark.parametrize("cuts", [(1, 65), (100, 130, 190, 1_000), (640, 1_700)])
def test_polling_and_restarts_change_no_bit(cuts: tuple[int, ...]) -> None:
    """Batches of any size, with the state written and read between them."""
    rows = fleet(3_000, share=0.1, rates=(0.0, 0.3))
    whole, moved = judge_rows(PLAN, rows)
    state, transitions = judge_rows(PLAN)
    for begin, end in pairwise([0, *cuts, len(rows)]):
        state, made = judge_rows(PLAN, rows.take(slice(begin, end)), state=decode_state(encode_state(state)))
        transitions += made
    assert bit_exact(state) == bit_exact(whole)
    assert bit_exact(transitions) == bit_exact(moved)


def test_scopes_end_when_a_class_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The class that is left has none of its own either; when the other comes back, both have one again."""
    monkeypatch.setattr(hosts, "GONE_ROWS", 1_024)
    source, state = RowSource(), judge_rows(PLAN)[0]
    for is_both, rows in ((True, 1_000), (False, 3_000), (True, 1_000)):
        classes = np.where(np.arange(rows) % 2, NEW if is_both else OLD, OLD).astype(object)
        state, _ = judge_rows(PLAN, replace(source.rows(rows, scopes=()), host_class=classes), state=state)
        assert {*state.scopes[1:]} == ({*HOSTS} if is_both else set())


def test_safe_class_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of that class may come back, and nothing has shown that it is harmless."""
    monkeypatch.setattr(hosts, "GONE_ROWS", 1_024)
    source, state = RowSource(), judge_rows(PLAN)[0]
    new = np.arange(2_000) % 2 == 1
    first = source.rows(2_000, scopes=(), disagree=new & (np.arange(2_000) % 3 == 0))
    state, _ = judge_rows(PLAN, replace(first, host_class=np.where(new, NEW, OLD).astype(object)), state=state)
    later = replace(source.rows(4_000, scopes=()), host_class=np.full(4_000, OLD, object))
    state, _ = judge_rows(PLAN, later, state=state)
    assert modes(PLAN, state)[f"host={NEW}"] == "safe"


def test_ninth_class_shares_a_scope_with_all_further_ones() -> None:
    """At most eight have one of their own."""
    names = np.array([f"class {number}" for number in range(11)], object)
    rows = RowSource().rows(2_048, scopes=())
    state, _ = judge_rows(PLAN, replace(rows, host_class=names[np.arange(2_048) % 11]))
    scopes = state.scopes[1:]
    assert (len(scopes), scopes[-1]) == (MAX_HOST_SCOPES + 1, "host=other")
    assert int(state.compared[-1]) > int(state.compared[1]) * 2


def test_routes_tell_host_scopes_by_their_names_alone() -> None:
    """A member of an older release knows no such scope, and passes them over."""
    state, _ = judge_rows(PLAN, fleet(2_048, rates=(0.0, 0.3)))
    routes = build_routes(judged_plan(PLAN, state), state)
    sent = decode_routes(encode_routes(routes))
    assert sent.safe == (f"host={NEW}",)
    assert {each.scope for each in sent.added if each.is_host} == {*HOSTS}
    assert b"ranges" not in encode_routes(routes)
