"""The control consumer applies published routes, old and new, and skips all other records."""

import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from tests.support.serving.service_harness import eventually
from tightrope.monitors.records import Event, Order, Routes
from tightrope.service.adapters.memory_bus import COMPACTION_LAG_RECORDS, MemoryBus
from tightrope.service.adapters.ports import BusUnavailableError, Record
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import CONTROL, JUDGES_GROUP, topic
from tightrope.service.adapters.wire.heartbeat import HEARTBEAT_KEY, Heartbeat, encode_heartbeat
from tightrope.service.adapters.wire.record_codec import encode_event, encode_order, encode_routes
from tightrope.service.routing import control_consumer
from tightrope.service.routing.control_consumer import ControlConsumer
from tightrope.service.routing.judge_watch import JudgeWatch
from tightrope.service.routing.router import Router

TOPIC = topic(CONTROL)
STATES = {"model": "normal", "region=north": "safe"}
PLAN = "the coverage of the plan"


def plan_of(model: str) -> str | None:
    """The coverage of the plan of the one model that is served."""
    return PLAN if model == "m" else None


class Replica:
    """A router with its control consumer."""

    def __init__(self, bus: MemoryBus) -> None:
        self.router = Router({"m": ("region=north",)})
        self.metrics = Metrics(CollectorRegistry())
        self.consumer = ControlConsumer(bus, self.router, self.metrics, plan_of)
        self.consumer.start()

    def reaches(self, epoch: int) -> bool:
        """Wait until the routes of this epoch are applied."""
        return eventually(lambda: self.router.routes("m").epoch == epoch)

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of a metric."""
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture(autouse=True)
def poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the poll, so that the consumer stops soon."""
    monkeypatch.setattr(control_consumer, "CONTROL_POLL_SECONDS", 0.02)


@pytest.fixture
def bus() -> MemoryBus:
    """An empty bus."""
    return MemoryBus()


@pytest.fixture
def replica(bus: MemoryBus) -> Iterator[Replica]:
    """A running replica, stopped after the test."""
    started = Replica(bus)
    yield started
    started.consumer.stop(10.0)


def publish(bus: MemoryBus, epoch: int, *safe: str, model: str = "m") -> None:
    """Publish routes as a judge does."""
    bus.publish(TOPIC, encode_routes(Routes(model, epoch, safe, STATES)), key=model)


def test_published_routes_are_applied_and_shown(bus: MemoryBus, replica: Replica) -> None:
    """The router follows them, and the metrics show every scope's mode and state."""
    publish(bus, 0, "region=north")
    assert replica.reaches(0)
    assert replica.router.routes("m").safe == ("region=north",)
    eventually(lambda: replica.metric("tightrope_safe_mode_active", model="m", scope="region=north") == 1.0)
    assert replica.metric("tightrope_safe_mode_active", model="m", scope="model") == 0.0
    state = {"model": "m", "scope": "region=north"}
    assert replica.metric("tightrope_scope_state", **state, state="safe") == 1.0
    assert replica.metric("tightrope_scope_state", **state, state="normal") == 0.0


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xc1",
        b"\x80",
        encode_routes(Routes("m", 5, (), {})).replace(b"epoch", b"epocH"),
        encode_routes(Routes("m", "x", (), {})),  # type: ignore[arg-type]
        encode_routes(Routes("m", 5, (), {"model": 1})),  # type: ignore[dict-item]
    ],
    ids=["empty", "no msgpack", "no envelope", "no epoch", "epoch is a string", "state is a number"],
)
def test_unreadable_record_is_counted_and_skipped(bus: MemoryBus, replica: Replica, garbage: bytes) -> None:
    """The records after it are still applied."""
    bus.publish(TOPIC, garbage)
    publish(bus, 1)
    assert replica.reaches(1)
    assert replica.metric("tightrope_dead_records_total", topic=TOPIC) == 1.0


def test_records_for_others_are_not_counted_as_unreadable(bus: MemoryBus, replica: Replica) -> None:
    """The topic also has orders, events, and routes of other models."""
    bus.publish(TOPIC, encode_order(Order("o", 1.0, "m", "model", "release", "me", "why")))
    bus.publish(TOPIC, encode_event(Event("e", 1.0, "m", "kind", "model", "me", "why")))
    publish(bus, 9, "model", model="strange")
    publish(bus, 2)
    assert replica.reaches(2)
    assert replica.metric("tightrope_dead_records_total", topic=TOPIC) is None
    assert replica.metric("tightrope_safe_mode_active", model="strange", scope="model") is None


def test_older_epoch_is_not_applied(bus: MemoryBus, replica: Replica) -> None:
    """Records may arrive out of order."""
    publish(bus, 3, "region=north")
    publish(bus, 2)
    bus.publish(TOPIC, b"garbage")
    eventually(lambda: replica.metric("tightrope_dead_records_total", topic=TOPIC) == 1.0)
    assert replica.router.routes("m").safe == ("region=north",)


def test_late_replica_reads_the_current_modes(bus: MemoryBus) -> None:
    """The judges have committed the topic, and it has been compacted."""
    judges = bus.subscribe(TOPIC, group=JUDGES_GROUP)
    last = 2 * COMPACTION_LAG_RECORDS
    for epoch in range(last + 1):
        publish(bus, epoch, *["region=north"] * (epoch == last))
    while judges.poll(500, 0.0):
        judges.commit()
    late = Replica(bus)
    assert late.reaches(last)
    assert late.router.routes("m").safe == ("region=north",)
    late.consumer.stop(10.0)


def test_stopped_consumer_applies_no_routes(bus: MemoryBus) -> None:
    """Its thread ends."""
    replica = Replica(bus)
    publish(bus, 0)
    assert replica.reaches(0)
    replica.consumer.stop(10.0)
    assert not replica.consumer._thread.is_alive()
    publish(bus, 1)
    assert replica.router.routes("m").epoch == 0


def test_caught_up_is_set_at_the_end_of_the_topic(bus: MemoryBus) -> None:
    """A cautious replica goes on sending a model without routes to the baseline: no judge has spoken for it."""
    publish(bus, 3, "region=north")
    router = Router({"m": ("region=north",), "n": ()}, cautious=True)
    assert router.routes("n").safe == ("model",)
    consumer = ControlConsumer(bus, router, Metrics(CollectorRegistry()), plan_of)
    assert not consumer.caught_up.is_set()
    consumer.start()
    assert consumer.caught_up.wait(10.0)
    assert router.routes("m").safe == ("region=north",)
    assert router.routes("n").safe == ("model",)
    consumer.stop(10.0)


class UnavailableBus:
    """A subscription to a bus that is unavailable until ``is_up``."""

    def __init__(self) -> None:
        self.is_up = False

    def poll(self, _limit: int, timeout: float) -> list[Record]:
        """Return no records."""
        time.sleep(timeout)
        return []

    def lag(self) -> int:
        """Raise while the bus is unavailable."""
        if not self.is_up:
            raise BusUnavailableError("gone")
        return 0

    def close(self) -> None:
        """Nothing to close."""


def test_unavailable_bus_is_not_caught_up(bus: MemoryBus) -> None:
    """A cautious replica sends requests to the baseline until the bus answers."""
    router = Router({"m": ("region=north",)}, cautious=True)
    consumer = ControlConsumer(bus, router, Metrics(CollectorRegistry()), plan_of)
    away = UnavailableBus()
    consumer._records = away  # type: ignore[assignment]
    consumer.start()
    assert not consumer.caught_up.wait(0.2)
    assert router.routes("m").safe == ("model",)
    away.is_up = True
    assert consumer.caught_up.wait(10.0)
    assert router.routes("m").safe == ("model",)
    consumer.stop(10.0)


def test_heartbeats_are_passed_on(bus: MemoryBus) -> None:
    """A garbled one is counted, and the next one arrives."""
    heard: list[Heartbeat] = []
    metrics = Metrics(CollectorRegistry())
    consumer = ControlConsumer(bus, Router({"m": ()}), metrics, plan_of, heard.append)
    consumer.start()
    sent = Heartbeat("m", "a judge", clock=5.0, judged=7, plan=PLAN)
    bus.publish(TOPIC, encode_heartbeat(sent).replace(b"judged", b"judgeD"), "m" + HEARTBEAT_KEY)
    bus.publish(TOPIC, encode_heartbeat(sent), "m" + HEARTBEAT_KEY)
    eventually(lambda: heard)
    consumer.stop(10.0)
    assert heard == [sent]
    assert metrics.registry.get_sample_value("tightrope_dead_records_total", {"topic": TOPIC}) == 1.0


def test_heartbeat_of_another_plan_is_no_sight(bus: MemoryBus) -> None:
    """Its judge refuses the rows of this gateway; one of an older release may judge them or not."""
    heard: list[Heartbeat] = []
    consumer = ControlConsumer(bus, Router({"m": ()}), Metrics(CollectorRegistry()), plan_of, heard.append)
    consumer.start()
    for number, plan in enumerate(("another", "", PLAN)):
        bus.publish(TOPIC, encode_heartbeat(Heartbeat("m", "a judge", float(number), number, plan=plan)))
    eventually(lambda: heard)
    consumer.stop(10.0)
    assert [heartbeat.plan for heartbeat in heard] == [PLAN]


class Remote:
    """The gateway of a cluster: a consumer that judges in other processes speak to, and its watch."""

    def __init__(self, bus: MemoryBus) -> None:
        self.router = Router({"m": ("region=north",)}, cautious=True)
        self.metrics = Metrics(CollectorRegistry())
        self.watch = JudgeWatch(self.router, {"m": PLAN}, 60.0, lambda _: None, self.metrics)
        self.consumer = ControlConsumer(bus, self.router, self.metrics, plan_of, judge_watch=self.watch)
        self.beats = 0.0

    def beat(self, bus: MemoryBus, plan: str = PLAN) -> None:
        """Publish a heartbeat of the judge."""
        self.beats += 1.0
        bus.publish(TOPIC, encode_heartbeat(Heartbeat("m", "a judge", self.beats, 0, plan=plan)), "m" + HEARTBEAT_KEY)


def test_kept_modes_are_trusted_after_a_fresh_word_of_a_judge(bus: MemoryBus) -> None:
    """The topic may hold routes and heartbeats, also several of one judge, of a judge that ended long ago."""
    remote = Remote(bus)
    bus.publish(TOPIC, encode_routes(Routes("m", 3, (), STATES, plan=PLAN)), "m")
    for _ in range(3):
        remote.beat(bus)
    remote.consumer.start()
    assert remote.consumer.caught_up.wait(10.0)
    assert remote.router.routes("m").epoch == 3
    assert remote.router.blindness("m") == "no judge of this plan has been heard since the start"
    remote.beat(bus)
    assert eventually(lambda: not remote.router.blindness("m"))
    remote.consumer.stop(10.0)


def test_routes_of_another_plan_are_not_applied(bus: MemoryBus) -> None:
    """They say which role answers the rows of other gateways; their epoch must not hide those of this plan either."""
    remote = Remote(bus)
    for plan, safe in (("another", ()), ("", ()), (PLAN, ("region=north",))):
        bus.publish(TOPIC, encode_routes(Routes("m", 3, safe, STATES, plan=plan)), "m")
    remote.consumer.start()
    eventually(lambda: remote.router.routes("m").epoch == 3)
    remote.consumer.stop(10.0)
    assert remote.router.routes("m").safe == ("region=north",)


def test_age_of_the_control_topic_is_shown(bus: MemoryBus) -> None:
    """Where the judges are in other processes: those of this process publish changes only."""
    remote = Remote(bus)
    remote.consumer.start()
    eventually(lambda: (remote.metrics.registry.get_sample_value("tightrope_control_age_seconds") or 0.0) > 0.05)
    remote.consumer.stop(10.0)
