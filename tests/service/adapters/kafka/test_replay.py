"""Replay of a range of a partition by time and offset."""

import sys
import time
from collections.abc import Generator
from types import SimpleNamespace
from typing import cast
from unittest.mock import MagicMock

import pytest
from kafka import KafkaConsumer
from kafka.errors import KafkaTimeoutError

from tests.support.cluster.bus_topics import POLL_SECONDS
from tests.support.cluster.kafka_buses import bus_on, create_all_topics, unique_options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka import replay
from tightrope.service.adapters.kafka.record_filter import RecordFilter
from tightrope.service.adapters.kafka.replay import REPLAY_BATCH_RECORDS, RecordLookup
from tightrope.service.adapters.ports import BusUnavailableError

LABELS = "tightrope.labels"


def test_replay_begins_at_a_time_and_ends_before_an_offset(kafka: Broker) -> None:
    """One partition is read, by the broker's clock; older records are skipped, all of them if need be."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    with bus_on(own) as bus:
        partition = bus.partition(LABELS, "k")
        other = next(f"k{n}" for n in range(100) if bus.partition(LABELS, f"k{n}") != partition)
        for number in range(3):
            bus.publish(LABELS, b"early %d" % number, "k")
        bus.flush(POLL_SECONDS)
        time.sleep(0.5)
        since = bus.subscribe(LABELS).poll(10, POLL_SECONDS)[-1].time + 0.25
        bus.publish(LABELS, b"elsewhere", other)
        for number in range(100):
            bus.publish(LABELS, b"%d" % number, "k")
        bus.flush(POLL_SECONDS)
        batches = list(bus.replay(LABELS, partition, since, 53))
        found = [record for batch in batches for record in batch]
        assert [record.value for record in found] == [b"%d" % number for number in range(50)]
        assert {(record.topic, record.partition, record.key) for record in found} == {(LABELS, partition, "k")}
        assert max(map(len, batches)) <= REPLAY_BATCH_RECORDS
        everything = [record for batch in bus.replay(LABELS, partition, 0.0, 103) for record in batch]
        assert [record.offset for record in everything] == list(range(103))
        assert list(bus.replay(LABELS, partition, time.time() + 100.0, 103)) == []


def test_unreachable_log_gives_empty_batches(
    kafka: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Batches are empty until Kafka is back; then all records come once."""
    monkeypatch.setattr(replay, "REPLAY_RETRY_SECONDS", 0.2)
    own = unique_options(kafka.address)
    create_all_topics(own)
    with bus_on(own) as bus:
        partition = bus.partition(LABELS, "k")
        for number in range(40):
            bus.publish(LABELS, b"%d" % number, "k")
        bus.flush(POLL_SECONDS)
        batches = bus.replay(LABELS, partition, 0.0, 40)
        found = []
        while len(found) < REPLAY_BATCH_RECORDS:
            found += next(batches)
        monkeypatch.setattr(KafkaConsumer, "position", _unreachable)
        assert next(batches) == []
        assert "cannot be replayed now: KafkaTimeoutError" in caplog.text
        monkeypatch.undo()
        for batch in batches:
            found += batch
        assert [record.offset for record in found] == list(range(40))


def _unreachable(*_: object, **__: object) -> None:
    raise KafkaTimeoutError


def test_record_is_looked_up_by_its_offset(kafka: Broker) -> None:
    """In any order, with one connection; what is beyond the end of the log is not there."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    with bus_on(own) as bus:
        partition = bus.partition(LABELS, "k")
        for number in range(300):
            bus.publish(LABELS, b"%d" % number, "k")
        bus.flush(POLL_SECONDS)
    lookup = RecordLookup(own, LABELS)
    assert [lookup.read(partition, offset) for offset in (250, 3, 4, 299)] == [b"250", b"3", b"4", b"299"]
    assert lookup.read(partition, 5000) is None
    lookup.close()
    assert lookup.read(partition, 7) == b"7"
    lookup.close()


def test_look_up_without_a_broker_is_unavailable() -> None:
    """The next one tries again."""
    lookup = RecordLookup(unique_options("127.0.0.1:9"), LABELS)
    for _ in range(2):
        with pytest.raises(BusUnavailableError, match=LABELS):
            lookup.read(0, 0)


@pytest.mark.parametrize("is_finalizing", [False, True])
def test_replay_that_is_left_does_not_hold_the_end_of_the_process(
    monkeypatch: pytest.MonkeyPatch, *, is_finalizing: bool
) -> None:
    """The interpreter collects it when the client's thread has ended already, for which the client would wait."""
    client = MagicMock()
    client.offsets_for_times.side_effect = lambda times, **_: dict.fromkeys(times, SimpleNamespace(offset=0))
    client.position.return_value = 1
    client.poll.return_value = {}
    monkeypatch.setattr(replay, "connect_client", lambda *_: client)
    options = unique_options("127.0.0.1:9")
    batches = replay.replay(options, RecordFilter(options), LABELS, 0, 0.0, 5)
    next(batches)
    monkeypatch.setattr(sys, "is_finalizing", lambda: is_finalizing)
    cast(Generator[object, None, None], batches).close()
    assert client.close.called is not is_finalizing
