from pathlib import Path
from typing import Any

import pytest

from tests.support.judgement.judge_harness import Court
from tightrope.monitors.records import Event
from tightrope.monitors.safemode import State
from tightrope.service.adapters.topics import CONTROL, topic


@pytest.fixture
def court(tmp_path: Path) -> Court:
    """A bus, a state file, and the plan for one model ``m``."""
    return Court(tmp_path)


def _detail(event: Event) -> dict[str, Any]:
    return dict(event.detail)


def test_order_is_carried_out_and_confirmed(court: Court) -> None:
    """The routes name the order; the audit trail names who gave it, and why."""
    court.order("force-safe", "group=b", time=5.0)
    court.drain(court.judge())
    assert [(r.safe, r.order) for r in court.told] == [((), ""), (("group=b",), "o1")]
    assert court.saved().modes[2].state is State.SAFE
    assert court.saved().modes[2].held
    (event,) = court.events()
    assert (event.id, event.kind, event.scope, event.actor) == ("o1", "force-safe", "group=b", "ann")
    assert (event.reason, event.time, _detail(event)["after"]["held"]) == ("because of o1", 5.0, True)
    assert _detail(event)["plan_digest"] == "d1"


def test_every_order_of_one_round_is_confirmed(court: Court) -> None:
    """Two operators at once both learn that they were heard; what is told last is what holds."""
    court.order("force-safe", "group=b", id_="o1")
    court.order("force-safe", "half=left", id_="o2")
    court.order("force-normal", "group=b", id_="o3")
    court.drain(court.judge())
    assert [(r.order, r.safe) for r in court.told if r.order] == [
        ("o1", ("group=b",)),
        ("o2", ("group=b", "half=left")),
        ("o3", ("half=left",)),
    ]
    assert [r.epoch for r in court.told] == [0, 1, 2, 3]


def test_order_that_changes_nothing_is_confirmed_too(court: Court) -> None:
    """Releasing what is not held moves nobody, but its operator waits for an answer."""
    court.order("release", "group=b")
    court.drain(court.judge())
    assert [(r.epoch, r.order) for r in court.told] == [(0, ""), (0, "o1")]
    assert [e.kind for e in court.events()] == ["release"]


@pytest.mark.parametrize(
    ("what", "scope", "why"),
    [
        ("force-safe", "group=z", "'group=z'"),
        ("make-coffee", "model", "'make-coffee'"),
        ("breach", "model", "'breach'"),
    ],
)
def test_refused_order_is_an_event_and_changes_nothing(court: Court, what: str, scope: str, why: str) -> None:
    """Whoever gave it finds the reason in the audit trail; no route is told."""
    court.order(what, scope)
    court.drain(court.judge())
    (event,) = court.events()
    assert (event.kind, event.scope, event.actor, event.id) == ("order-refused", scope, "ann", "o1")
    assert why in event.reason
    assert [r.order for r in court.told] == [""]
    assert court.store.snapshot("m") is None


def test_order_for_another_model_is_counted(court: Court) -> None:
    """It concerns a judge elsewhere, or nobody."""
    court.order("force-safe", model="nobody")
    court.drain(court.judge())
    assert court.metrics.total("dead_records", topic=topic(CONTROL)) == 1
    assert court.events() == []
