"""Buses on a real broker: each has its own topics, and is closed at the end. The broker is the one of the environment
variable KAFKA_BOOTSTRAP (host:port, without a password), or a new one.
"""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from tightrope.demo.broker import Broker, broker, why_unavailable
from tightrope.service.adapters.kafka.admin import TopicSpec, create_topics, topic_specs
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.consumer import KafkaSubscription
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.ports import StartOffsets

HOURS = dict.fromkeys(("samples", "comparisons", "labels", "events", "dead", "payloads", "incidents"), 1.0)
PARTITIONS = 2


class ExternalBroker(NamedTuple):
    """A broker that the tests do not start or stop."""

    address: str


def kafka_missing() -> str | None:
    """The reason for which there is no Apache Kafka here; None if there is one."""
    return None if "KAFKA_BOOTSTRAP" in os.environ else why_unavailable()


@contextmanager
def real_kafka() -> Iterator[Broker | ExternalBroker]:
    """Apache Kafka; the test is skipped if it is missing."""
    if "KAFKA_BOOTSTRAP" in os.environ:
        yield ExternalBroker(os.environ["KAFKA_BOOTSTRAP"])
        return
    reason = kafka_missing()
    if reason:
        pytest.skip(reason)
    with broker() as running:
        yield running


def unique_options(address: str, **more: object) -> KafkaOptions:
    """Options with a unique prefix, so that several tests can share a broker."""
    return KafkaOptions((address,), prefix=f"{uuid.uuid4().hex[:8]}-", session=6.0, **more)  # type: ignore[arg-type]


def create_all_topics(options: KafkaOptions, extra: Sequence[TopicSpec] = ()) -> None:
    """Create all topics, and ``extra`` ones."""
    create_topics(options, [*topic_specs(PARTITIONS, options.record_bytes, HOURS), *extra], 1)


class ClosingBus(KafkaBus):
    """A bus that closes its readers too."""

    def __init__(self, options: KafkaOptions) -> None:
        super().__init__(options)
        self._readers: list[KafkaSubscription] = []

    def subscribe(
        self, *topics: str, group: str | None = None, start_offsets: StartOffsets | None = None
    ) -> KafkaSubscription:
        """A reader that `close` closes."""
        self._readers.append(super().subscribe(*topics, group=group, start_offsets=start_offsets))
        return self._readers[-1]

    def close(self, timeout: float) -> None:
        """Close the readers, then the bus."""
        for reader in self._readers:
            reader.close()
        super().close(timeout)


@contextmanager
def bus_on(options: KafkaOptions) -> Iterator[KafkaBus]:
    """A bus until the block ends."""
    bus = ClosingBus(options)
    try:
        yield bus
    finally:
        bus.close(5.0)
