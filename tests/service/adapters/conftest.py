"""Fixtures with every kind of bus, for the tests of their common contract."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.cluster.bus_topics import COMPACTED_TOPIC, OTHER_TOPIC, TOPIC
from tests.support.cluster.kafka_buses import bus_on, create_all_topics, kafka_missing, unique_options
from tests.support.cluster.noida_broker import noida_broker
from tightrope.service.adapters.kafka.admin import COMPACTION_SETTINGS, TopicSpec
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import Bus

LACKS = {"test_incarnation_has_its_own_id": "noida-db gives topics no ids, and there is no Apache Kafka here"}
"""Features that the substitute for Kafka lacks, by the test that needs them."""


def memory_bus(capacity: int = 1 << 20) -> Bus:
    """The embedded bus."""
    return MemoryBus(capacity, {COMPACTED_TOPIC})


def kafka_buses(address: str, opened: ExitStack) -> Callable[[], Bus]:
    """Buses on a real broker, closed with the stack."""

    def make() -> Bus:
        own = unique_options(address, instance="the-only-one")
        create_all_topics(
            own,
            [
                TopicSpec(TOPIC, 1, {}),
                TopicSpec(OTHER_TOPIC, 1, {}),
                TopicSpec(COMPACTED_TOPIC, 1, COMPACTION_SETTINGS),
            ],
        )
        return opened.enter_context(bus_on(own))

    return make


@pytest.fixture(scope="session")
def log(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of Apache Kafka, or of its substitute where Kafka is missing."""
    if kafka_missing() is None:
        yield request.getfixturevalue("kafka").address
        return
    with noida_broker() as address:
        yield address


@pytest.fixture(params=["memory", "kafka"])
def make_bus(request: pytest.FixtureRequest) -> Iterator[Callable[[], Bus]]:
    """A factory of buses of each kind."""
    if request.param == "memory":
        yield memory_bus
        return
    if kafka_missing() and request.node.originalname in LACKS:
        pytest.skip(LACKS[request.node.originalname])
    with ExitStack() as opened:
        yield kafka_buses(request.getfixturevalue("log"), opened)


@pytest.fixture
def bus(make_bus: Callable[[], Bus]) -> Bus:
    """An empty bus of each kind."""
    return make_bus()
