"""A gateway whose control topic was made anew is not deaf."""

import pytest

from tests.service.routing.test_control_consumer import Replica, publish
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.routing import control_consumer


def test_topic_made_anew_is_read_from_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The baseline answers until the first modes of the new topic, whose epochs begin anew."""
    monkeypatch.setattr(control_consumer, "CONTROL_POLL_SECONDS", 0.02)
    bus, made_anew = MemoryBus(), MemoryBus()
    replica = Replica(bus)
    publish(bus, 900)
    assert replica.reaches(900)
    monkeypatch.setattr(made_anew, "generation", lambda *_: 1)
    replica.consumer._bus = made_anew
    assert replica.reaches(-1)
    assert replica.router.routes("m").safe == ("model",)
    publish(made_anew, 0, "region=north")
    assert replica.reaches(0)
    assert replica.router.routes("m").safe == ("region=north",)
    replica.consumer.stop(10.0)
