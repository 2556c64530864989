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
from tightrope.service.routing.router import Router

TOPIC = topic(CONTROL)
STATES = {"model": "normal", "region=north": "safe"}


class Replica:
    """A router with its control consumer."""

    def __init__(self, bus: MemoryBus) -> None:
        self.router = Router({"m": ("region=north",)})
        self.metrics = Metrics(CollectorRegistry())
        self.consumer = ControlConsumer(bus, self.router, self.metrics)
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
    consumer = ControlConsumer(bus, router, Metrics(CollectorRegistry()))
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
    consumer = ControlConsumer(bus, router, Metrics(CollectorRegistry()))
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
    consumer = ControlConsumer(bus, Router({"m": ()}), metrics, on_heartbeat=heard.append)
    consumer.start()
    sent = Heartbeat("m", "a judge", clock=5.0, judged=7)
    bus.publish(TOPIC, encode_heartbeat(sent).replace(b"judged", b"judgeD"), "m" + HEARTBEAT_KEY)
    bus.publish(TOPIC, encode_heartbeat(sent), "m" + HEARTBEAT_KEY)
    eventually(lambda: heard)
    consumer.stop(10.0)
    assert heard == [sent]
    assert metrics.registry.get_sample_value("tightrope_dead_records_total", {"topic": TOPIC}) == 1.0


def test_silence_of_the_judges_is_logged_once_and_its_end_too(bus: MemoryBus, caplog: pytest.LogCaptureFixture) -> None:
    """The modes stay; the metric shows the duration."""
    metrics = Metrics(CollectorRegistry())
    router = Router({"m": ("region=north",)})
    consumer = ControlConsumer(bus, router, metrics, silence=0.3)
    publish(bus, 0, "region=north")
    consumer.start()
    assert eventually(lambda: "the modes stay as they are" in caplog.text)
    assert router.routes("m").safe == ("region=north",)
    assert (metrics.registry.get_sample_value("tightrope_control_age_seconds") or 0.0) > 0.2
    publish(bus, 0, "region=north")
    assert eventually(lambda: "the judges send records again" in caplog.text)
    assert caplog.text.count("no record from the judges") == 1
    consumer.stop(10.0)
