"""Every bus there is, for the contract that all of them keep."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from service.adapters.kafka_topics import COMPACT, Spec
from service.adapters.memory import MemoryBus
from service.adapters.ports import Bus
from tests.kafka import bus_on, every_topic, options
from tests.service.adapters.buses import COMPACTED, OTHER, TOPIC


def memory_bus(capacity: int = 1 << 20) -> Bus:
    """The embedded bus."""
    return MemoryBus(capacity, {COMPACTED})


def kafka_buses(address: str, opened: ExitStack) -> Callable[[], Bus]:
    """Buses on a real broker, closed with the stack."""

    def make() -> Bus:
        own = options(address, instance="the-only-one")
        every_topic(own, [Spec(TOPIC, 1, {}), Spec(OTHER, 1, {}), Spec(COMPACTED, 1, COMPACT)])
        return opened.enter_context(bus_on(own))

    return make


@pytest.fixture(params=["memory", "kafka"])
def make_bus(request: pytest.FixtureRequest) -> Iterator[Callable[[], Bus]]:
    """How to make a bus of each kind."""
    if request.param == "memory":
        yield memory_bus
        return
    with ExitStack() as opened:
        yield kafka_buses(request.getfixturevalue("kafka").address, opened)


@pytest.fixture
def bus(make_bus: Callable[[], Bus]) -> Bus:
    """An empty bus of each kind."""
    return make_bus()
