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
    """It has the states and events of its own models, each event once, in order; unreadable records are counted."""
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
        for number in (1, 2, 2, 9, 3):
            bus.publish(topic(EVENTS), record_codec.encode_event(event(number, "n" if number == 9 else "m")))
        until(lambda: len(follower.events()) == 3)
        assert view.states["m"].stale == 7
        assert [(seq, e.id) for seq, e in follower.events()] == [(1, "e1"), (2, "e2"), (3, "e3")]
        assert [e.id for _, e in follower.events("m", after=1)] == ["e2", "e3"]
        assert [e.id for _, e in follower.events(limit=1)] == ["e1"]
        assert [e.id for _, e in follower.latest_events(limit=2)] == ["e3", "e2"]
        assert [e.id for _, e in follower.latest_events("m", before=3)] == ["e2", "e1"]
        assert metrics.total("dead_records", topic=topic(SNAPSHOTS)) == 1
    finally:
        follower.stop(5.0)


def test_topics_made_anew_are_read_from_their_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events before it stay in the list."""
    monkeypatch.setattr(snapshot_follower, "FOLLOWER_POLL_SECONDS", 0.02)
    bus, made_anew = MemoryBus(), MemoryBus()
    follower = SnapshotFollower(bus, JudgementView({"m": lenient("m")}), Metrics(process_registry()))
    follower.start()
    try:
        bus.publish(topic(EVENTS), record_codec.encode_event(event(1)), "m")
        until(lambda: len(follower.events()) == 1)
        made_anew.publish(topic(EVENTS), record_codec.encode_event(event(2)), "m")
        monkeypatch.setattr(made_anew, "generation", lambda *_: 1)
        follower._bus = made_anew
        until(lambda: [found.id for _, found in follower.events()] == ["e1", "e2"])
    finally:
        follower.stop(5.0)


def test_snapshot_that_cannot_be_shown_stops_nothing() -> None:
    """One that does not fit its plan, or on which a step fails, is counted; the next one is shown."""
    plan = lenient("m")
    bus, metrics, view = MemoryBus(), Metrics(process_registry()), JudgementView({"m": plan})
    follower = SnapshotFollower(bus, view, metrics)
    sound = initial_state(plan)
    misfit = replace(sound, cells=(replace(sound.cells[0], path=sound.cells[0].path[:, :, :3]),))
    for state in (misfit, replace(sound, stale=3)):
        bus.publish(topic(SNAPSHOTS), encode_snapshot(Snapshot("l", record_codec.encode_state(state), {})), "m")
        follower.step(0)
    assert view.states["m"].stale == 3
    assert metrics.total("dead_records", topic=topic(SNAPSHOTS)) == 1
