"""A record cannot make a gateway deaf, nor end its consumer."""

import logging
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.support.serving.service_harness import eventually
from tightrope.monitors.records import Routes
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metric import Component
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire.envelope import pack
from tightrope.service.adapters.wire.heartbeat import HEARTBEAT_KEY, Heartbeat, encode_heartbeat
from tightrope.service.adapters.wire.record_codec import ROUTES_SCHEMA, encode_routes
from tightrope.service.routing import control_consumer
from tightrope.service.routing.control_consumer import ControlConsumer
from tightrope.service.routing.router import Router

TOPIC = topic(CONTROL)


class Gateway:
    """A router with its control consumer, which a test steps."""

    def __init__(self, on_heartbeat: Any = lambda _: None) -> None:  # noqa: ANN401 - a callback
        self.bus = MemoryBus()
        self.router = Router({"m": ("region=north",)})
        self.metrics = Metrics(CollectorRegistry())
        self.metrics.initialize(Component.GATEWAY, "m", ("model", "region=north"))
        self.consumer = ControlConsumer(
            self.bus, self.router, self.metrics, lambda model: "" if model == "m" else None, on_heartbeat=on_heartbeat
        )

    def hear(self, *routes: Routes) -> int:
        """Apply these routes; returns the epoch in force."""
        for each in routes:
            self.bus.publish(TOPIC, encode_routes(each), each.model)
        self.consumer.step(0)
        return self.router.routes("m").epoch

    @property
    def dead(self) -> int:
        """The counter of refused records."""
        return self.metrics.total("dead_records", topic=TOPIC)


@pytest.mark.parametrize("epoch", [2**40, 2**62])
def test_epoch_that_is_not_plausible_is_refused_and_told(epoch: int, caplog: pytest.LogCaptureFixture) -> None:
    """The gateway would ignore every later mode; also before the first one."""
    gateway = Gateway()
    with caplog.at_level(logging.WARNING):
        assert gateway.hear(Routes("m", epoch, (), {})) == -1
        assert gateway.hear(Routes("m", 7, ("model",), {}), Routes("m", epoch, (), {})) == 7
        assert gateway.hear(Routes("m", 8, (), {})) == 8
    assert gateway.dead == 2
    assert f"routes.epoch: is {epoch}, where 7 was the last one of m" in caplog.text


def test_epoch_beyond_64_bits_is_refused() -> None:
    """Where it is decoded."""
    gateway = Gateway()
    body = {"model": "m", "epoch": 2**64 - 1, "safe": [], "states": {}, "order": ""}
    gateway.bus.publish(TOPIC, pack(ROUTES_SCHEMA, body), "m")
    assert gateway.hear(Routes("m", 3, (), {})) == 3
    assert gateway.dead == 1


def test_record_on_which_a_step_fails_does_not_stop_the_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted, and the next one is applied."""

    def fail(_: Heartbeat) -> None:
        raise ZeroDivisionError("poison")

    gateway = Gateway(fail)
    monkeypatch.setattr(control_consumer, "CONTROL_POLL_SECONDS", 0.02)
    poll, broken = gateway.consumer._records.poll, [OSError("gone"), KeyError("odd")]

    def unreliable(limit: int, timeout: float) -> Any:  # noqa: ANN401 - as `poll`
        if broken:
            raise broken.pop()
        return poll(limit, timeout)

    monkeypatch.setattr(gateway.consumer._records, "poll", unreliable)
    gateway.consumer.start()
    try:
        gateway.bus.publish(TOPIC, encode_heartbeat(Heartbeat("m", "j", 1.0, 1)), "m" + HEARTBEAT_KEY)
        gateway.bus.publish(TOPIC, encode_routes(Routes("m", 3, (), {})), "m")
        assert eventually(lambda: gateway.router.routes("m").epoch == 3)
        assert gateway.dead == 1
    finally:
        gateway.consumer.stop(5.0)


def test_scopes_that_are_not_configured_make_no_series() -> None:
    """A record may name any number of them."""
    gateway = Gateway()
    states = {"model": "normal", "region=north": "safe"} | {f"region={n}": "safe" for n in range(1000)}
    gateway.hear(Routes("m", 3, ("region=north", "region=7"), states), Routes("strange", 3, (), {"model": "safe"}))
    body = gateway.metrics.exposition("")[0]
    assert b'scope="region=north"' in body
    assert b"region=7" not in body
    assert b"strange" not in body
