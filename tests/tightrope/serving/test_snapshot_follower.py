import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.judgement.judge_harness import lenient
from tightrope.monitors.plan import start
from tightrope.monitors.records import Event
from tightrope.service.adapters.kafka.snapshot_store import Snapshot, encode
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics, process_registry
from tightrope.service.adapters.topics import EVENTS, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.serving import snapshot_follower as module
from tightrope.serving.snapshot_follower import Follower
from tightrope.shadow.judge import Bench


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def event(number: int, model: str = "m") -> Event:
    """One line of the trail."""
    return Event(f"e{number}", float(number), model, "breach", "model", "judge", "because")


def test_gateway_sees_what_the_judges_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    """States of the plans that it serves, and every event once, in order; what cannot be read is counted."""
    monkeypatch.setattr(module, "MOST_EVENTS", 3)
    plan = lenient("m")
    bus, metrics = MemoryBus(), Metrics(process_registry())
    bench = Bench({"m": plan})
    following = Follower(bus, bench, metrics)
    following.start()
    try:
        for state in (start(plan), replace(start(plan), stale=7), replace(start(plan), digest="another", stale=9)):
            bus.publish(topic(SNAPSHOTS), encode(Snapshot("l", record_codec.encode_state(state), {})), "m")
        bus.publish(topic(SNAPSHOTS), b"garbage", "m")
        bus.publish(topic(SNAPSHOTS), b"of no interest", "another")
        for number in (1, 2, 2, 3):
            bus.publish(topic(EVENTS), record_codec.encode_event(event(number, "n" if number == 3 else "m")))
        until(lambda: len(following.events()) == 3)
        assert bench.states["m"].stale == 7
        assert [(seq, e.id) for seq, e in following.events()] == [(1, "e1"), (2, "e2"), (3, "e3")]
        assert [e.id for _, e in following.events("m", after=1)] == ["e2"]
        assert [e.id for _, e in following.events(limit=1)] == ["e1"]
        assert metrics.total("dead_records", topic=topic(SNAPSHOTS)) == 1
    finally:
        following.stop(5.0)
