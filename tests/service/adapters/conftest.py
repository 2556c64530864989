"""Every bus there is, for the contract that all of them keep."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.cluster.bus_topics import COMPACTED, OTHER, TOPIC
from tests.support.cluster.kafka_buses import bus_on, every_topic, missing, options
from tests.support.cluster.noida_broker import noida
from tightrope.service.adapters.kafka.admin import COMPACT, Spec
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import Bus

LACKS = {"test_incarnation_has_a_name_of_its_own": "noida-db gives topics no ids, and there is no Apache Kafka here"}
"""What the stand-in cannot do, by the test that would see it."""


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


@pytest.fixture(scope="session")
def log(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of Apache Kafka, or of what stands in for it where there is none."""
    if missing() is None:
        yield request.getfixturevalue("kafka").address
        return
    with noida() as address:
        yield address


@pytest.fixture(params=["memory", "kafka"])
def make_bus(request: pytest.FixtureRequest) -> Iterator[Callable[[], Bus]]:
    """How to make a bus of each kind."""
    if request.param == "memory":
        yield memory_bus
        return
    if missing() and request.node.originalname in LACKS:
        pytest.skip(LACKS[request.node.originalname])
    with ExitStack() as opened:
        yield kafka_buses(request.getfixturevalue("log"), opened)


@pytest.fixture
def bus(make_bus: Callable[[], Bus]) -> Bus:
    """An empty bus of each kind."""
    return make_bus()
