"""The client forgets a join that changed metadata began, if a poll ends between its two requests; ours insists."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer

from demo.broker import Broker
from service.adapters.kafka_options import KafkaOptions
from service.adapters.kafka_reader import KafkaSubscription
from service.adapters.kafka_topics import Spec
from tests.kafka import bus_on, every_topic, options

GROWS = "tightrope.grows"
PATIENCE = 30.0
POLL = 0.2


def test_join_that_a_poll_left_in_the_middle_is_not_forgotten(kafka: Broker) -> None:
    """Left to itself, the client would read nothing of the new partition for good."""
    with _left_in_the_middle(kafka) as (own, reader):
        assert _read(own, reader, PATIENCE) == b"new"


@contextmanager
def _left_in_the_middle(kafka: Broker) -> Iterator[tuple[KafkaOptions, KafkaSubscription]]:
    """A reader of a topic that has grown, whose join took longer, between its two requests, than the poll lasted."""
    own = options(kafka.address, client={"metadata_max_age_ms": 500})
    every_topic(own, [Spec(GROWS, 1, {})])
    with bus_on(own) as bus:
        reader = bus.subscribe(GROWS, group="g")
        _until(reader, lambda: len(reader._consumer.assignment()) == 1)
        coordinator: Any = reader._consumer._coordinator
        deal, dealt = coordinator._perform_assignment, []

        def slowly(*given: object) -> object:
            """In the client's thread: nothing else happens meanwhile."""
            found = deal(*given)
            if not dealt:
                time.sleep(3 * POLL)
            dealt.append(found)
            return found

        coordinator._perform_assignment = slowly
        with closing(KafkaAdminClient(bootstrap_servers=kafka.address)) as admin:
            admin.create_partitions({own.prefix + GROWS: 2})
        _until(reader, lambda: bool(dealt))
        yield own, reader


def _until(reader: KafkaSubscription, condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    reader.poll(1, POLL)
    while not condition():
        assert time.monotonic() < ends
        reader.poll(1, POLL)


def _read(own: KafkaOptions, reader: KafkaSubscription, patience: float) -> bytes | None:
    """What is published to the new partition, if it comes."""
    with closing(KafkaProducer(**own.producer)) as producer:
        producer.send(own.prefix + GROWS, b"new", partition=1).get(10)
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        for record in reader.poll(1, POLL):
            return record.value
    return None
