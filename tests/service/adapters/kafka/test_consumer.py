import gc
import time
from contextlib import closing
from threading import Event

import pytest
from kafka import KafkaAdminClient
from kafka.errors import CorruptRecordError, KafkaTimeoutError

from tests.support.cluster.bus_topics import POLL_SECONDS
from tests.support.cluster.kafka_buses import bus_on, create_all_topics, unique_options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka import consumer_calls
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.consumer import KafkaSubscription
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.ports import BusUnavailableError, LogPartition, Record

SAMPLES = "tightrope.samples"


def poll_both(one: KafkaSubscription, two: KafkaSubscription, number: int) -> tuple[list[Record], list[Record]]:
    """Poll two readers in turn until they have ``number`` records together."""
    polled: tuple[list[Record], list[Record]] = ([], [])
    deadline = time.monotonic() + 30
    while sum(map(len, polled)) < number:
        assert time.monotonic() < deadline
        polled[0].extend(one.poll(100, 0.1))
        polled[1].extend(two.poll(100, 0.1))
    return polled


def test_members_of_a_group_share_the_partitions(kafka: Broker) -> None:
    """Each record reaches one of them, and both report the rebalance."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    rebalances: list[str] = []
    with bus_on(own) as bus:
        one, two = (KafkaSubscription(own, (SAMPLES,), "g", None, rebalances.append) for _ in range(2))
        deadline = time.monotonic() + 120
        while len(_partitions(one)) != 1 or len(_partitions(two)) != 1:
            assert time.monotonic() < deadline
            one.poll(1, 0.1)
            two.poll(1, 0.1)
        for number in range(40):
            bus.publish(SAMPLES, b"%d" % number, f"k{number}")
        bus.flush(POLL_SECONDS)
        polled = poll_both(one, two, 40)
        one.close()
        two.close()
    partitions = [{record.partition for record in records} for records in polled]
    assert [len(each) for each in partitions] == [1, 1]
    assert partitions[0] != partitions[1]
    assert sorted(int(record.value) for records in polled for record in records) == list(range(40))
    assert len(rebalances) >= 2


def _partitions(reader: KafkaSubscription) -> set[object]:
    return reader._consumer.assignment() if reader._consumer is not None else set()


def test_removed_member_does_not_own_its_partitions(kafka: Broker) -> None:
    """After a second member of the same name took over, the first does not own its polled records any more."""
    own = unique_options(kafka.address, instance="one")
    create_all_topics(own)
    with bus_on(own) as bus:
        bus.publish(SAMPLES, b"a", "k")
        bus.flush(POLL_SECONDS)
        first, second = bus.subscribe(SAMPLES, group="g"), bus.subscribe(SAMPLES, group="g")
        assert [record.value for record in first.poll(10, POLL_SECONDS)] == [b"a"]
        assert first.owns_partitions()
        assert [record.value for record in second.poll(10, POLL_SECONDS)] == [b"a"]
        assert second.owns_partitions()
        assert not first.owns_partitions()


def test_partitions_of_a_leaving_member_move_at_once(kafka: Broker) -> None:
    """The group does not wait for the session timeout."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    assignments: list[list[LogPartition]] = []
    with bus_on(own) as bus:
        first = bus.subscribe(SAMPLES, group="g")
        first.poll(1, 2.0)
        second = bus.subscribe(
            SAMPLES, group="g", start_offsets=lambda assigned: assignments.append(list(assigned)) or {}
        )
        began = time.monotonic()
        first.close()
        while not assignments or len(assignments[-1]) < 2:
            assert time.monotonic() - began < own.session
            second.poll(1, 0.2)
    assert assignments[-1] == [(SAMPLES, 0), (SAMPLES, 1)]


def test_unreachable_kafka_returns_no_records() -> None:
    """Unreachable Kafka is no error, and neither are missing topics: the next poll tries again."""
    reader = KafkaBus(KafkaOptions(("127.0.0.1:1",))).subscribe(SAMPLES, group="g")
    began = time.monotonic()
    assert reader.poll(10, 0.2) == []
    assert reader.owns_partitions()
    reader.commit()
    reader.close()
    assert time.monotonic() - began < 5.0


def test_reader_finds_topics_that_are_created_later(kafka: Broker) -> None:
    """The reader logs the missing topic, and keeps trying."""
    own = unique_options(kafka.address)
    with bus_on(own) as bus:
        reader = bus.subscribe(SAMPLES)
        assert reader.poll(10, 0.2) == []
        create_all_topics(own)
        bus.publish(SAMPLES, b"a")
        bus.flush(POLL_SECONDS)
        deadline = time.monotonic() + 20
        while not (found := reader.poll(10, 0.5)):
            assert time.monotonic() < deadline
    assert found[0].value == b"a"
    assert abs(found[0].time - time.time()) < 60


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_reader_without_a_group_replaces_a_client_that_does_not_find_the_leader(
    kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is logged once; the new client continues at the read and the sought offsets."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    with bus_on(own) as bus:
        for number in range(20):
            bus.publish(SAMPLES, b"%d" % number, f"k{number}")
        bus.flush(POLL_SECONDS)
        reader = bus.subscribe(SAMPLES)
        (first,) = reader.poll(1, POLL_SECONDS)
        left = reader.lag()
        reader.seek(SAMPLES, 1 - first.partition, 3)
        for _ in range(2):
            monkeypatch.setattr(reader._consumer, "end_offsets", _timed_out)
            with pytest.raises(BusUnavailableError, match="Kafka does not return its end offsets: KafkaTimeoutError"):
                reader.lag()
            assert reader.lag() == left - 3
        polled = poll_both(reader, reader, left - 3)
        assert first.offset == 0
        offsets = [(r.partition, r.offset) for records in polled for r in records]
        assert min(offset for partition, offset in offsets if partition == first.partition) == 1
        assert min(offset for partition, offset in offsets if partition != first.partition) == 3
    gc.collect()  # a client that is closed while it connects leaves the socket to it


def _timed_out(*_: object, **__: object) -> None:
    raise KafkaTimeoutError


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_reader_replaces_a_client_that_never_returns(kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a request nor close() returns, as seen while leaders changed: both threads are abandoned."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    with bus_on(own) as bus:
        bus.publish(SAMPLES, b"a", "k")
        bus.flush(POLL_SECONDS)
        reader = bus.subscribe(SAMPLES)
        assert reader.lag() == 1
        hung, real = Event(), reader._consumer
        close = real.close
        for name in ("end_offsets", "close"):
            monkeypatch.setattr(real, name, lambda *_, **__: hung.wait(60.0))
        with monkeypatch.context() as sooner:
            sooner.setattr(consumer_calls, "REQUEST_TIMEOUT_MS", 100)
            with pytest.raises(BusUnavailableError, match=r"no answer within 0\.2 s"):
                reader.lag()
        assert reader._consumer is not real
        assert reader.lag() == 1
        hung.set()
        close()


def test_partitions_that_are_added_are_read(kafka: Broker) -> None:
    """A reader without a group reads them from their beginning, and loses no place in the others; a group assigns them
    to its members.
    """
    own = unique_options(kafka.address, client={"metadata_max_age_ms": 300})
    create_all_topics(own)
    keys = [f"k{number}" for number in range(40)]
    with bus_on(own) as before:
        alone, member = before.subscribe(SAMPLES), before.subscribe(SAMPLES, group="g")
        before.publish(SAMPLES, b"before", "k0")
        before.flush(POLL_SECONDS)
        for reader in (alone, member):
            assert _read(reader, 1) == {b"before"}
            reader.commit()
        with closing(KafkaAdminClient(bootstrap_servers=[kafka.address])) as admin:
            admin.create_partitions({own.prefix + SAMPLES: 5})
        with bus_on(own) as after:
            for key in keys:
                after.publish(SAMPLES, key.encode(), key)
            after.flush(POLL_SECONDS)
            assert {after.partition(SAMPLES, key) for key in keys} == set(range(5))
        for reader in (alone, member):
            assert _read(reader, len(keys)) == {key.encode() for key in keys}
            assert len(_partitions(reader)) == 5


def _read(reader: KafkaSubscription, number: int) -> set[bytes]:
    """Poll until there are ``number`` records, each once."""
    values: list[bytes] = []
    deadline = time.monotonic() + 60
    while len(values) < number:
        assert time.monotonic() < deadline
        values += [record.value for record in reader.poll(100, 0.2)]
    assert len(values) == len(set(values))
    return set(values)


def test_reader_of_a_damaged_batch_gets_another_client(kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next poll of the same client would spin without end; the new one goes on where the reader was."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    with bus_on(own) as bus:
        reader = bus.subscribe(SAMPLES)
        bus.publish(SAMPLES, b"one", "k")
        bus.flush(POLL_SECONDS)
        assert [r.value for r in reader.poll(10, POLL_SECONDS)] == [b"one"]
        client = reader._consumer
        monkeypatch.setattr(client, "poll", _raise_damaged)
        assert reader.poll(10, 0.1) == []
        assert reader._consumer is not client
        bus.publish(SAMPLES, b"two", "k")
        bus.flush(POLL_SECONDS)
        assert [r.value for r in reader.poll(10, POLL_SECONDS)] == [b"two"]


def _raise_damaged(**_: object) -> None:
    raise CorruptRecordError
