"""Orders about found groups in a round of the judge: what is told, published, and refused; and what a restart keeps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.found_groups import ROWS, THREES, group_order, searched_plan, searched_rows
from tightrope.monitors.budget import build_rules
from tightrope.monitors.catalogue import ADDED_SHARE
from tightrope.monitors.decide import Cause
from tightrope.monitors.label_records import Label
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import Comparisons, Event, Order, Stream
from tightrope.monitors.watched_groups.orders import UNWATCH_GROUP, WATCH_GROUP
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.judge_round import JudgeRound
from tightrope.shadow.judgement_view import JudgementView
from tightrope.shadow.output.group_events import BEGINS_SAFE, GROUP_FOUND, GROUP_UNWATCHED, GROUP_WATCHED
from tightrope.shadow.restoring.restore import Restorer

Item = Comparisons | Order | list[Label]


def encoded(item: Item) -> bytes:
    """A record of any kind."""
    if isinstance(item, Comparisons):
        return record_codec.encode_comparisons(item)
    return record_codec.encode_order(item) if isinstance(item, Order) else record_codec.encode_labels(item)


def judged(store: SqliteStore, plan: Plan, state: State, *items: Item) -> JudgeRound:
    """A round that has applied these records, each of them, and saved them."""
    judging = JudgeRound({"m": plan}, {"m": state}, store, "host")
    records = [Record("topic", 0, number, None, encoded(item)) for number, item in enumerate(items)]
    assert list(judging.process(records)) == []
    store.save("log-1", {}, {"m": record_codec.encode_state(judging.states["m"])}, judging.events, judging.pending)
    return judging


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """An empty store."""
    return SqliteStore(tmp_path / "tightrope.db")


def of_kind(events: list[Event], *kinds: str) -> list[Event]:
    """The events of these kinds."""
    return [event for event in events if event.kind in kinds]


def test_order_is_told_confirmed_and_kept_over_a_restart(store: SqliteStore) -> None:
    """With who and why; the rows after it in the same round are in the scope."""
    plan = searched_plan()
    later = searched_rows(1, first=ROWS)
    judging = judged(store, plan, initial_state(plan), searched_rows(0), group_order(WATCH_GROUP), later)
    (event,) = of_kind(judging.events, GROUP_WATCHED)
    assert (event.id, event.actor, event.reason) == ("o-watch-group", "ann", "incident 7")
    assert (event.scope, event.detail["words"]) == (THREES.scope, THREES.words)
    assert event.detail["ranges"] == [{"input": "x", "column": 0, "low": 3.0, "high": 3.0}]
    (found,) = of_kind(judging.events, GROUP_FOUND)
    assert "`tightrope watch-group` watches it as a scope at once" in found.reason
    confirmed = next(routes for routes in judging.routes if routes.order == "o-watch-group")
    assert [added.scope for added in confirmed.added] == [THREES.scope]
    assert judging.routes[-1].safe == (THREES.scope,)
    restored = Restorer(store).restore(plan, now=0.0)
    assert (restored.added, restored.modes) == (judging.states["m"].added, judging.states["m"].modes)
    assert restored.compared[-1] > 0
    view = JudgementView({"m": plan})
    view.states = {"m": restored}
    assert {verdict.scope for verdict in view.verdicts("m")} == {*plan.scopes, THREES.scope}
    assert [(group.scope, group.watched) for group in view.groups("m")] == [(THREES.scope, True)]


def test_end_of_a_watched_group_is_told(store: SqliteStore) -> None:
    """And a second one is refused, in words."""
    plan, orders = searched_plan(), [group_order(WATCH_GROUP), group_order(UNWATCH_GROUP)]
    again = replace(orders[1], id="o-again")
    judging = judged(store, plan, initial_state(plan), searched_rows(0), *orders, again)
    assert [event.kind for event in of_kind(judging.events, GROUP_WATCHED, GROUP_UNWATCHED)] == [
        GROUP_WATCHED,
        GROUP_UNWATCHED,
    ]
    (refused,) = of_kind(judging.events, "order-refused")
    assert refused.reason == f"{THREES.scope!r} is no found group that is watched: there is none"
    assert judging.states["m"].scopes == plan.scopes


def test_declared_group_takes_the_place_of_a_watched_one(store: SqliteStore) -> None:
    """With its mode; nothing is orphaned."""
    plan = searched_plan()
    rows = searched_rows(0), group_order(WATCH_GROUP), searched_rows(1, first=ROWS)
    state = judged(store, plan, initial_state(plan), *rows).states["m"]
    declared = replace(
        plan,
        digest="d2",
        scopes=(*plan.scopes, THREES.scope),
        rates=np.ones(4),
        rules=build_rules([spec.with_added([ADDED_SHARE]) for spec in plan.specs], plan.policy.recovery_ratio),
    )
    restored = Restorer(store).restore(declared, now=0.0)
    judging = JudgeRound({"m": declared}, {"m": restored}, store, "host")
    judging.deploy(declared, restored, Cause(0.0, reason="another configuration"))
    after = judging.states["m"]
    assert (after.added, after.scopes, after.modes[-1]) == ((), declared.scopes, state.modes[-1])
    assert after.modes[-1].safe
    assert not after.retained.unmapped


def test_labels_of_earlier_rows_reach_the_scopes_that_these_had(store: SqliteStore) -> None:
    """A label of a row before the order is of no added scope; one of a row after it is."""
    plan = replace(searched_plan(), label_horizon=1e6)
    state = judged(store, plan, initial_state(plan), searched_rows(0), group_order(WATCH_GROUP)).states["m"]
    later = searched_rows(1, harm=0.0, first=ROWS, rows=320)
    threes = [i for rows in (searched_rows(0), later) for i in rows.offset[rows.features[:, 0] == 3][:40].tolist()]
    labels = [Label("m", f"0-{offset}", 0, 1, 9.0) for offset in threes]
    state = judged(store, plan, state, later, labels).states["m"]
    accuracy = state.cells[state.monitors.index("accuracy")]
    assert (state.seen[Stream.LABELS], state.labels["joined"]) == (64, 80)
    assert accuracy.count[0, 0] == 64
    assert accuracy.count[0, -1] == 64 - 40


def test_search_that_arms_tells_all_of_it(store: SqliteStore) -> None:
    """The group is found, watched by the judge, and in safe mode; routes follow."""
    plan = searched_plan(arms=True)
    judging = judged(store, plan, initial_state(plan), searched_rows(0))
    assert {event.kind for event in judging.events} >= {GROUP_FOUND, GROUP_WATCHED, "breach"}
    (found,) = of_kind(judging.events, GROUP_FOUND)
    assert found.reason.endswith(BEGINS_SAFE)
    (watched,) = of_kind(judging.events, GROUP_WATCHED)
    assert (watched.actor, watched.scope) == ("judge", THREES.scope)
    assert judging.routes[-1].safe == (THREES.scope,)
    assert judging.routes[-1].added == judging.states["m"].added
