"""Joins of a consumer group on a real broker, with the corrections of `RejoinPatch`."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaConnectionError

from tests.support.cluster.bus_topics import POLL_SECONDS
from tests.support.cluster.kafka_buses import bus_on, create_all_topics, unique_options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.admin import TopicSpec
from tightrope.service.adapters.kafka.consumer import KafkaSubscription
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.ports import Record

SAMPLES, GROWING = "tightrope.samples", "tightrope.growing"
JOIN = "JoinGroupRequest"
TIMEOUT_SECONDS = 30.0
POLL_INTERVAL_SECONDS = 0.2


def test_member_joins_although_every_answer_arrives_between_two_polls(kafka: Broker) -> None:
    """An answer that arrives between two polls is kept: joining again would rebalance the group for ever."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    rebalances: list[str] = []
    with bus_on(own) as bus:
        bus.publish(SAMPLES, b"a", "k")
        bus.flush(POLL_SECONDS)
        seldom = KafkaSubscription(own, (SAMPLES,), "g", None, rebalances.append)
        found: list[Record] = []
        deadline = time.monotonic() + 60
        while not found:
            assert time.monotonic() < deadline
            found = seldom.poll(1, 0.001)
            time.sleep(0.2)
        seldom.close()
    assert [record.value for record in found] == [b"a"]
    assert rebalances == ["g"]


def test_failed_join_is_repeated(kafka: Broker) -> None:
    """The answer to an earlier join is not used for a later one. A join that is under way, as the group's first one may
    still be, fulfils a request to join again without a join of its own; so it is requested until one begins.
    """
    own = unique_options(kafka.address)
    create_all_topics(own)
    with bus_on(own) as bus:
        reader = bus.subscribe(SAMPLES, group="g")
        _until(reader, lambda: len(reader._consumer.assignment()) == 2)
        coordinator: Any = reader._consumer._coordinator
        send, requests = coordinator._manager.send, []

        def fails_once(request: object, *args: object, **kwargs: object) -> object:
            """Fail the first join as with a lost connection."""
            requests.append(type(request).__name__)
            if requests[-1] == JOIN and requests.count(JOIN) == 1:
                raise KafkaConnectionError("lost")
            return send(request, *args, **kwargs)

        def has_begun() -> bool:
            if JOIN not in requests:
                coordinator.request_rejoin()
            return JOIN in requests

        coordinator._manager.send = fails_once
        _until(reader, has_begun)
        _until(reader, lambda: requests.count(JOIN) > 1 and reader._current_generation() is not None)
    assert "SyncGroupRequest" in requests


def test_join_interrupted_by_the_end_of_a_poll_is_restarted(kafka: Broker) -> None:
    """Without the correction the client would never read the new partition."""
    with _interrupted_join(kafka) as (own, reader):
        assert _read(own, reader, TIMEOUT_SECONDS) == b"new"


@contextmanager
def _interrupted_join(kafka: Broker) -> Iterator[tuple[KafkaOptions, KafkaSubscription]]:
    """A reader of a topic with a new partition, whose poll ended between the two requests of its join."""
    own = unique_options(kafka.address, client={"metadata_max_age_ms": 500})
    create_all_topics(own, [TopicSpec(GROWING, 1, {})])
    with bus_on(own) as bus:
        reader = bus.subscribe(GROWING, group="g")
        _until(reader, lambda: len(reader._consumer.assignment()) == 1)
        coordinator: Any = reader._consumer._coordinator
        assign, assignments = coordinator._perform_assignment, []

        def assign_slowly(*args: object) -> object:
            """Block the client's thread."""
            assignment = assign(*args)
            if not assignments:
                time.sleep(3 * POLL_INTERVAL_SECONDS)
            assignments.append(assignment)
            return assignment

        coordinator._perform_assignment = assign_slowly
        with closing(KafkaAdminClient(bootstrap_servers=kafka.address)) as admin:
            admin.create_partitions({own.prefix + GROWING: 2})
        _until(reader, lambda: bool(assignments))
        yield own, reader


def _until(reader: KafkaSubscription, condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + TIMEOUT_SECONDS
    reader.poll(1, POLL_INTERVAL_SECONDS)
    while not condition():
        assert time.monotonic() < ends
        reader.poll(1, POLL_INTERVAL_SECONDS)


def _read(own: KafkaOptions, reader: KafkaSubscription, timeout: float) -> bytes | None:
    """Publish to the new partition, and return the records that arrive."""
    with closing(KafkaProducer(**own.producer)) as producer:
        producer.send(own.prefix + GROWING, b"new", partition=1).get(10)
    ends = time.monotonic() + timeout
    while time.monotonic() < ends:
        for record in reader.poll(1, POLL_INTERVAL_SECONDS):
            return record.value
    return None
