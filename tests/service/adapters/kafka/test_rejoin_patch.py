"""How a member joins its group, on a real broker: what its client forgets on the way is remembered."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaConnectionError

from tests.support.cluster.bus_topics import SOON
from tests.support.cluster.kafka_buses import bus_on, every_topic, options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.admin import Spec
from tightrope.service.adapters.kafka.consumer import KafkaSubscription
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.ports import Record

SAMPLES, GROWS = "tightrope.samples", "tightrope.grows"
PATIENCE = 30.0
POLL = 0.2


def test_member_joins_though_every_answer_comes_between_two_polls(kafka: Broker) -> None:
    """Answers that nobody waits for stand until the next poll: asking again would make the group deal for ever."""
    own = options(kafka.address)
    every_topic(own)
    dealt: list[str] = []
    with bus_on(own) as bus:
        bus.publish(SAMPLES, b"a", "k")
        bus.flush(SOON)
        seldom = KafkaSubscription(own, (SAMPLES,), "g", None, dealt.append)
        found: list[Record] = []
        deadline = time.monotonic() + 60
        while not found:
            assert time.monotonic() < deadline
            found = seldom.poll(1, 0.001)
            time.sleep(0.2)
        seldom.close()
    assert [record.value for record in found] == [b"a"]
    assert dealt == ["g"]


def test_join_that_failed_is_asked_for_again(kafka: Broker) -> None:
    """What was answered to an earlier join, and taken, is no answer to this one."""
    own = options(kafka.address)
    every_topic(own)
    with bus_on(own) as bus:
        reader = bus.subscribe(SAMPLES, group="g")
        _until(reader, lambda: len(reader._consumer.assignment()) == 2)
        coordinator: Any = reader._consumer._coordinator
        send, asked = coordinator._manager.send, []

        def fails_once(request: object, *given: object, **named: object) -> object:
            """As where the connection is lost."""
            asked.append(type(request).__name__)
            if asked.count("JoinGroupRequest") == 1:
                raise KafkaConnectionError("lost")
            return send(request, *given, **named)

        coordinator._manager.send = fails_once
        coordinator.request_rejoin()
        _until(reader, lambda: asked.count("JoinGroupRequest") > 1 and reader._generation_now() is not None)
    assert "SyncGroupRequest" in asked


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
