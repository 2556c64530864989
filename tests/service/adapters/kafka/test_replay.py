"""A stretch of a partition, read again by time and offset."""

import time

import pytest
from kafka import KafkaConsumer
from kafka.errors import KafkaTimeoutError

from tests.support.cluster.bus_topics import SOON
from tests.support.cluster.kafka_buses import bus_on, every_topic, options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka import replay
from tightrope.service.adapters.kafka.replay import PORTION

LABELS = "tightrope.labels"


def test_stretch_begins_at_a_time_and_ends_before_an_offset(kafka: Broker) -> None:
    """Of one partition only; by the broker's clock, and nothing where all of it is older."""
    own = options(kafka.address)
    every_topic(own)
    with bus_on(own) as bus:
        place = bus.partition(LABELS, "k")
        other = next(f"k{n}" for n in range(100) if bus.partition(LABELS, f"k{n}") != place)
        for number in range(3):
            bus.publish(LABELS, b"early %d" % number, "k")
        bus.flush(SOON)
        time.sleep(0.5)
        since = bus.subscribe(LABELS).poll(10, SOON)[-1].time + 0.25
        bus.publish(LABELS, b"elsewhere", other)
        for number in range(100):
            bus.publish(LABELS, b"%d" % number, "k")
        bus.flush(SOON)
        portions = list(bus.span(LABELS, place, since, 53))
        found = [record for portion in portions for record in portion]
        assert [record.value for record in found] == [b"%d" % number for number in range(50)]
        assert {(record.topic, record.partition, record.key) for record in found} == {(LABELS, place, "k")}
        assert max(map(len, portions)) <= PORTION
        everything = [record for portion in bus.span(LABELS, place, 0.0, 103) for record in portion]
        assert [record.offset for record in everything] == list(range(103))
        assert list(bus.span(LABELS, place, time.time() + 100.0, 103)) == []


def test_log_that_is_away_stops_nobody(
    kafka: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Portions are empty until it is there again; then all of it comes, once."""
    monkeypatch.setattr(replay, "AGAIN", 0.2)
    own = options(kafka.address)
    every_topic(own)
    with bus_on(own) as bus:
        place = bus.partition(LABELS, "k")
        for number in range(40):
            bus.publish(LABELS, b"%d" % number, "k")
        bus.flush(SOON)
        portions = bus.span(LABELS, place, 0.0, 40)
        found = []
        while len(found) < PORTION:
            found += next(portions)
        monkeypatch.setattr(KafkaConsumer, "position", _away)
        assert next(portions) == []
        assert "cannot be read again now: KafkaTimeoutError" in caplog.text
        monkeypatch.undo()
        for portion in portions:
            found += portion
        assert [record.offset for record in found] == list(range(40))


def _away(*_: object, **__: object) -> None:
    raise KafkaTimeoutError
