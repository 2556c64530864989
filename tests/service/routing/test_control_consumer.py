"""The control loop brings a replica to the modes that were published, early or late, past whatever is no mode."""

import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from tests.support.serving.service_harness import eventually
from tightrope.monitors.records import Event, Order, Routes
from tightrope.service.adapters.memory_bus import KEPT_WHOLE, MemoryBus
from tightrope.service.adapters.ports import BusAwayError, Record
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import CONTROL, JUDGES, topic
from tightrope.service.adapters.wire.record_codec import encode_event, encode_order, encode_routes
from tightrope.service.routing import control_consumer
from tightrope.service.routing.control_consumer import ControlLoop
from tightrope.service.routing.router import Router

TOPIC = topic(CONTROL)
STATES = {"model": "normal", "region=north": "safe"}


class Replica:
    """A router that a control loop keeps up to date."""

    def __init__(self, bus: MemoryBus) -> None:
        self.router = Router({"m": ("region=north",)})
        self.metrics = Metrics(CollectorRegistry())
        self.loop = ControlLoop(bus, self.router, self.metrics)
        self.loop.start()

    def reaches(self, epoch: int) -> bool:
        """Wait until the routes of this epoch are applied."""
        return eventually(lambda: self.router.routes("m").epoch == epoch)

    def metric(self, name: str, **labels: str) -> float | None:
        """A sample of the metrics."""
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop looks often whether to stop: these tests are many."""
    monkeypatch.setattr(control_consumer, "PATIENCE", 0.02)


@pytest.fixture
def bus() -> MemoryBus:
    """An empty bus."""
    return MemoryBus()


@pytest.fixture
def replica(bus: MemoryBus) -> Iterator[Replica]:
    """A replica that listens, stopped at the end."""
    started = Replica(bus)
    yield started
    started.loop.stop(10.0)


def tell(bus: MemoryBus, epoch: int, *safe: str, model: str = "m") -> None:
    """Publish routes as a judge does."""
    bus.publish(TOPIC, encode_routes(Routes(model, epoch, safe, STATES)), key=model)


def test_published_routes_are_applied_and_shown(bus: MemoryBus, replica: Replica) -> None:
    """The router goes by them, and the metrics tell every scope's mode and state."""
    tell(bus, 0, "region=north")
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
    ids=["empty", "no msgpack", "no envelope", "no epoch", "epoch in words", "state in numbers"],
)
def test_garbage_is_counted_and_passed_over(bus: MemoryBus, replica: Replica, garbage: bytes) -> None:
    """What cannot be read changes nothing, and what comes after it is still read."""
    bus.publish(TOPIC, garbage)
    tell(bus, 1)
    assert replica.reaches(1)
    assert replica.metric("tightrope_dead_records_total", topic=TOPIC) == 1.0


def test_what_is_not_for_gateways_is_no_garbage(bus: MemoryBus, replica: Replica) -> None:
    """Orders travel on the same topic, and other gateways' models may: neither is an error, nor the end."""
    bus.publish(TOPIC, encode_order(Order("o", 1.0, "m", "model", "release", "me", "why")))
    bus.publish(TOPIC, encode_event(Event("e", 1.0, "m", "kind", "model", "me", "why")))
    tell(bus, 9, "model", model="strange")
    tell(bus, 2)
    assert replica.reaches(2)
    assert replica.metric("tightrope_dead_records_total", topic=TOPIC) is None
    assert replica.metric("tightrope_safe_mode_active", model="strange", scope="model") is None


def test_older_epoch_is_not_applied(bus: MemoryBus, replica: Replica) -> None:
    """A record that was overtaken arrives too late."""
    tell(bus, 3, "region=north")
    tell(bus, 2)
    bus.publish(TOPIC, b"garbage")
    eventually(lambda: replica.metric("tightrope_dead_records_total", topic=TOPIC) == 1.0)
    assert replica.router.routes("m").safe == ("region=north",)


def test_late_replica_learns_the_present_modes(bus: MemoryBus) -> None:
    """Though the judges have long committed what they read, and the topic has forgotten the history."""
    judges = bus.subscribe(TOPIC, group=JUDGES)
    last = 2 * KEPT_WHOLE
    for epoch in range(last + 1):
        tell(bus, epoch, *["region=north"] * (epoch == last))
    while judges.poll(500, 0.0):
        judges.commit()
    late = Replica(bus)
    assert late.reaches(last)
    assert late.router.routes("m").safe == ("region=north",)
    late.loop.stop(10.0)


def test_stopped_loop_listens_no_more(bus: MemoryBus) -> None:
    """And stops soon."""
    replica = Replica(bus)
    tell(bus, 0)
    assert replica.reaches(0)
    replica.loop.stop(10.0)
    assert not replica.loop._thread.is_alive()
    tell(bus, 1)
    assert replica.router.routes("m").epoch == 0


def test_replica_knows_when_it_has_read_all_that_there_was(bus: MemoryBus) -> None:
    """Then a model without modes is in its normal state, and a cautious replica may trust that."""
    tell(bus, 3, "region=north")
    router = Router({"m": ("region=north",), "n": ()}, cautious=True)
    assert router.routes("n").safe == ("model",)
    loop = ControlLoop(bus, router, Metrics(CollectorRegistry()))
    assert not loop.caught_up.is_set()
    loop.start()
    assert loop.caught_up.wait(10.0)
    assert router.routes("m").safe == ("region=north",)
    assert router.routes("n").safe == ()
    loop.stop(10.0)


class Away:
    """A reader of a log that cannot be asked, until it can."""

    def __init__(self) -> None:
        self.there = False

    def poll(self, _limit: int, timeout: float) -> list[Record]:
        """Nothing to read."""
        time.sleep(timeout)
        return []

    def lag(self) -> int:
        """Who knows."""
        if not self.there:
            raise BusAwayError("gone")
        return 0

    def close(self) -> None:
        """Nothing is held."""


def test_log_that_is_away_is_not_read_to_its_end(bus: MemoryBus) -> None:
    """A cautious replica stays on the safe side until it can be asked."""
    router = Router({"m": ("region=north",)}, cautious=True)
    loop = ControlLoop(bus, router, Metrics(CollectorRegistry()))
    away = Away()
    loop._control = away  # type: ignore[assignment]
    loop.start()
    assert not loop.caught_up.wait(0.2)
    assert router.routes("m").safe == ("model",)
    away.there = True
    assert loop.caught_up.wait(10.0)
    assert router.routes("m").safe == ()
    loop.stop(10.0)


def test_silence_of_the_judges_is_said_once_and_its_end_too(bus: MemoryBus, caplog: pytest.LogCaptureFixture) -> None:
    """The modes stay as they are known; the metric tells for how long."""
    metrics = Metrics(CollectorRegistry())
    router = Router({"m": ("region=north",)})
    loop = ControlLoop(bus, router, metrics, silence=0.3)
    tell(bus, 0, "region=north")
    loop.start()
    assert eventually(lambda: "the judges have not been heard for long: the modes stay as they are" in caplog.text)
    assert router.routes("m").safe == ("region=north",)
    assert (metrics.registry.get_sample_value("tightrope_control_age_seconds") or 0.0) > 0.2
    tell(bus, 0, "region=north")
    assert eventually(lambda: "the judges are heard again" in caplog.text)
    assert caplog.text.count("have not been heard") == 1
    loop.stop(10.0)
