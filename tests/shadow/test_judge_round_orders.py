from pathlib import Path
from typing import Any

import pytest

from tests.support.judgement.judge_harness import JudgeHarness
from tightrope.monitors.records import Event
from tightrope.monitors.safemode import ModeState
from tightrope.service.adapters.topics import CONTROL, topic


@pytest.fixture
def harness(tmp_path: Path) -> JudgeHarness:
    """Provide a bus, a state file, and the plan for one model ``m``."""
    return JudgeHarness(tmp_path)


def _detail(event: Event) -> dict[str, Any]:
    return dict(event.detail)


def test_order_is_carried_out_and_confirmed(harness: JudgeHarness) -> None:
    """The routes name the order; the audit trail names the actor and the reason."""
    harness.order("force-safe", "group=b", time=5.0)
    harness.drain(harness.judge())
    assert [(r.safe, r.order) for r in harness.routes] == [((), ""), (("group=b",), "o1")]
    assert harness.saved_state().modes[2].state is ModeState.SAFE
    assert harness.saved_state().modes[2].held
    (event,) = harness.events()
    assert (event.id, event.kind, event.scope, event.actor) == ("o1", "force-safe", "group=b", "ann")
    assert (event.reason, event.time, _detail(event)["after"]["held"]) == ("because of o1", 5.0, True)
    assert _detail(event)["plan_digest"] == "d1"


def test_each_order_of_one_round_is_confirmed(harness: JudgeHarness) -> None:
    """Each order has its own routes; the last ones are valid."""
    harness.order("force-safe", "group=b", id_="o1")
    harness.order("force-safe", "half=left", id_="o2")
    harness.order("force-normal", "group=b", id_="o3")
    harness.drain(harness.judge())
    assert [(r.order, r.safe) for r in harness.routes if r.order] == [
        ("o1", ("group=b",)),
        ("o2", ("group=b", "half=left")),
        ("o3", ("half=left",)),
    ]
    assert [r.epoch for r in harness.routes] == [0, 1, 2, 3]


def test_order_that_changes_nothing_is_confirmed_too(harness: JudgeHarness) -> None:
    """A release of a scope that is not held changes no mode, but its operator waits for the confirmation."""
    harness.order("release", "group=b")
    harness.drain(harness.judge())
    assert [(r.epoch, r.order) for r in harness.routes] == [(0, ""), (0, "o1")]
    assert [e.kind for e in harness.events()] == ["release"]


def test_copy_of_an_order_changes_nothing(harness: JudgeHarness) -> None:
    """A program without the secret can write a genuine record again: an earlier order must not undo a later one, also
    not after a restart of the judge.
    """
    harness.order("force-normal", "group=b", id_="o1")
    harness.order("force-safe", "group=b", id_="o2")
    harness.order("force-normal", "group=b", id_="o1")
    harness.drain(harness.judge())
    assert harness.saved_state().modes[2].state is ModeState.SAFE
    assert [event.kind for event in harness.events()] == ["force-normal", "force-safe", "records-refused"]
    harness.reopen()
    harness.order("force-normal", "group=b", id_="o1")
    harness.drain(harness.judge())
    assert harness.saved_state().modes[2].state is ModeState.SAFE
    assert harness.saved_state().retained.orders == ("o1", "o2")
    assert harness.metrics.total("dead_records", topic=topic(CONTROL)) == 2


@pytest.mark.parametrize(
    ("what", "scope", "why"),
    [
        ("force-safe", "group=z", "'group=z'"),
        ("make-coffee", "model", "'make-coffee'"),
        ("breach", "model", "'breach'"),
    ],
)
def test_refused_order_is_an_event_and_changes_nothing(harness: JudgeHarness, what: str, scope: str, why: str) -> None:
    """The audit trail has the reason; no routes are published."""
    harness.order(what, scope)
    harness.drain(harness.judge())
    (event,) = harness.events()
    assert (event.kind, event.scope, event.actor, event.id) == ("order-refused", scope, "ann", "o1")
    assert why in event.reason
    assert [r.order for r in harness.routes] == [""]
    assert harness.saved_state().epoch == 0


def test_order_for_another_model_is_counted(harness: JudgeHarness) -> None:
    """It counts as a dead record; there is no event."""
    harness.order("force-safe", model="nobody")
    harness.drain(harness.judge())
    assert harness.metrics.total("dead_records", topic=topic(CONTROL)) == 1
    assert harness.events() == []
