import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.judgement.judge_harness import lenient
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Event
from tightrope.service.adapters.kafka.snapshot_store import Snapshot, encode_snapshot
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metric_set import process_registry
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import EVENTS, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.serving import snapshot_follower
from tightrope.serving.snapshot_follower import SnapshotFollower
from tightrope.shadow.judgement_view import JudgementView


def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def event(number: int, model: str = "m") -> Event:
    """Return one event."""
    return Event(f"e{number}", float(number), model, "breach", "model", "judge", "because")


def test_gateway_follows_the_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the states of its own plans and every event once, in order; unreadable records are counted."""
    monkeypatch.setattr(snapshot_follower, "MAX_EVENTS", 3)
    plan = lenient("m")
    bus, metrics = MemoryBus(), Metrics(process_registry())
    view = JudgementView({"m": plan})
    follower = SnapshotFollower(bus, view, metrics)
    follower.start()
    try:
        for state in (
            initial_state(plan),
            replace(initial_state(plan), stale=7),
            replace(initial_state(plan), digest="another", stale=9),
        ):
            bus.publish(topic(SNAPSHOTS), encode_snapshot(Snapshot("l", record_codec.encode_state(state), {})), "m")
        bus.publish(topic(SNAPSHOTS), b"garbage", "m")
        bus.publish(topic(SNAPSHOTS), b"of no interest", "another")
        for number in (1, 2, 2, 3):
            bus.publish(topic(EVENTS), record_codec.encode_event(event(number, "n" if number == 3 else "m")))
        until(lambda: len(follower.events()) == 3)
        assert view.states["m"].stale == 7
        assert [(seq, e.id) for seq, e in follower.events()] == [(1, "e1"), (2, "e2"), (3, "e3")]
        assert [e.id for _, e in follower.events("m", after=1)] == ["e2"]
        assert [e.id for _, e in follower.events(limit=1)] == ["e1"]
        assert metrics.total("dead_records", topic=topic(SNAPSHOTS)) == 1
    finally:
        follower.stop(5.0)
