"""Buses on a real broker: each with topics of its own, and closed in the end. The broker is the one that
KAFKA_BOOTSTRAP names (host:port, without a password), or one that is started.
"""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from tightrope.demo.broker import Broker, broker, why_not
from tightrope.service.adapters.kafka.admin import Spec, create, specs
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.consumer import KafkaSubscription
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.ports import Begin

HOURS = dict.fromkeys(("samples", "comparisons", "labels", "events", "dead", "payloads"), 1.0)
PARTITIONS = 2


class Elsewhere(NamedTuple):
    """A broker that others look after."""

    address: str


def missing() -> str | None:
    """Why tests have no Apache Kafka here, if that is so."""
    return None if "KAFKA_BOOTSTRAP" in os.environ else why_not()


@contextmanager
def real() -> Iterator[Broker | Elsewhere]:
    """Apache Kafka; where there is none, the test is skipped."""
    if "KAFKA_BOOTSTRAP" in os.environ:
        yield Elsewhere(os.environ["KAFKA_BOOTSTRAP"])
        return
    reason = missing()
    if reason:
        pytest.skip(reason)
    with broker() as running:
        yield running


def options(address: str, **more: object) -> KafkaOptions:
    """A cluster of its own on a broker that others use too: nobody else has this prefix."""
    return KafkaOptions((address,), prefix=f"{uuid.uuid4().hex[:8]}-", session=6.0, **more)  # type: ignore[arg-type]


def every_topic(of: KafkaOptions, extra: Sequence[Spec] = ()) -> None:
    """Make them all."""
    create(of, [*specs(PARTITIONS, of.record_bytes, HOURS), *extra], 1)


class Tidy(KafkaBus):
    """Closes its readers too, once nobody uses them any more."""

    def __init__(self, of: KafkaOptions) -> None:
        super().__init__(of)
        self._readers: list[KafkaSubscription] = []

    def subscribe(self, *topics: str, group: str | None = None, begin: Begin | None = None) -> KafkaSubscription:
        """A reader that is not forgotten."""
        self._readers.append(super().subscribe(*topics, group=group, begin=begin))
        return self._readers[-1]

    def close(self, timeout: float) -> None:
        """Readers first."""
        for reader in self._readers:
            reader.close()
        super().close(timeout)


@contextmanager
def bus_on(of: KafkaOptions) -> Iterator[KafkaBus]:
    """A bus until the block ends."""
    bus = Tidy(of)
    try:
        yield bus
    finally:
        bus.close(5.0)
