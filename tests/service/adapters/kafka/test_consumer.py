import gc
import time
from threading import Event

import pytest
from kafka.errors import KafkaTimeoutError

from tests.support.cluster.bus_topics import SOON
from tests.support.cluster.kafka_buses import bus_on, every_topic, options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka import consumer
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.consumer import KafkaSubscription
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.ports import BusAwayError, Place, Record

SAMPLES = "tightrope.samples"


def both(one: KafkaSubscription, two: KafkaSubscription, number: int) -> tuple[list[Record], list[Record]]:
    """Poll two readers in turn until they have so many records together."""
    had: tuple[list[Record], list[Record]] = ([], [])
    deadline = time.monotonic() + 30
    while sum(map(len, had)) < number:
        assert time.monotonic() < deadline
        had[0].extend(one.poll(100, 0.1))
        had[1].extend(two.poll(100, 0.1))
    return had


def test_members_of_a_group_share_the_partitions(kafka: Broker) -> None:
    """Each record comes to one of them; both know that the places were dealt out."""
    own = options(kafka.address)
    every_topic(own)
    dealt: list[str] = []
    with bus_on(own) as bus:
        one, two = (KafkaSubscription(own, (SAMPLES,), "g", None, dealt.append) for _ in range(2))
        deadline = time.monotonic() + 120
        while len(_partitions(one)) != 1 or len(_partitions(two)) != 1:
            assert time.monotonic() < deadline
            one.poll(1, 0.1)
            two.poll(1, 0.1)
        for number in range(40):
            bus.publish(SAMPLES, b"%d" % number, f"k{number}")
        bus.flush(SOON)
        had = both(one, two, 40)
        one.close()
        two.close()
    places = [{record.partition for record in records} for records in had]
    assert [len(each) for each in places] == [1, 1]
    assert places[0] != places[1]
    assert sorted(int(record.value) for records in had for record in records) == list(range(40))
    assert len(dealt) >= 2


def _partitions(reader: KafkaSubscription) -> set[object]:
    return reader._consumer.assignment() if reader._consumer is not None else set()


def test_member_that_was_given_up_knows_it(kafka: Broker) -> None:
    """A second one of the same name has taken over: what the first had polled is not its to deal with any more."""
    own = options(kafka.address, instance="one")
    every_topic(own)
    with bus_on(own) as bus:
        bus.publish(SAMPLES, b"a", "k")
        bus.flush(SOON)
        first, second = bus.subscribe(SAMPLES, group="g"), bus.subscribe(SAMPLES, group="g")
        assert [record.value for record in first.poll(10, SOON)] == [b"a"]
        assert first.mine()
        assert [record.value for record in second.poll(10, SOON)] == [b"a"]
        assert second.mine()
        assert not first.mine()


def test_leaving_hands_the_places_over_at_once(kafka: Broker) -> None:
    """Without waiting until the session of the one that left has run out."""
    own = options(kafka.address)
    every_topic(own)
    asked: list[list[Place]] = []
    with bus_on(own) as bus:
        first = bus.subscribe(SAMPLES, group="g")
        first.poll(1, 2.0)
        second = bus.subscribe(SAMPLES, group="g", begin=lambda places: asked.append(list(places)) or {})
        began = time.monotonic()
        first.close()
        while not asked or len(asked[-1]) < 2:
            assert time.monotonic() - began < own.session
            second.poll(1, 0.2)
    assert asked[-1] == [(SAMPLES, 0), (SAMPLES, 1)]


def test_kafka_that_is_away_has_nothing_to_read() -> None:
    """It is no error: the next poll tries again; a reader without topics waits for them likewise."""
    reader = KafkaBus(KafkaOptions(("127.0.0.1:1",))).subscribe(SAMPLES, group="g")
    began = time.monotonic()
    assert reader.poll(10, 0.2) == []
    assert reader.mine()
    reader.commit()
    reader.close()
    assert time.monotonic() - began < 5.0


def test_reader_finds_topics_that_come_late(kafka: Broker) -> None:
    """It says what is missing, and goes on trying."""
    own = options(kafka.address)
    with bus_on(own) as bus:
        reader = bus.subscribe(SAMPLES)
        assert reader.poll(10, 0.2) == []
        every_topic(own)
        bus.publish(SAMPLES, b"a")
        bus.flush(SOON)
        deadline = time.monotonic() + 20
        while not (found := reader.poll(10, 0.5)):
            assert time.monotonic() < deadline
    assert found[0].value == b"a"
    assert abs(found[0].time - time.time()) < 60


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_reader_alone_whose_client_does_not_find_the_leader_takes_another(
    kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said once; then it goes on where it was, in places that it has read, and in those that it was sent to."""
    own = options(kafka.address)
    every_topic(own)
    with bus_on(own) as bus:
        for number in range(20):
            bus.publish(SAMPLES, b"%d" % number, f"k{number}")
        bus.flush(SOON)
        reader = bus.subscribe(SAMPLES)
        (first,) = reader.poll(1, SOON)
        left = reader.lag()
        reader.seek(SAMPLES, 1 - first.partition, 3)
        for _ in range(2):
            monkeypatch.setattr(reader._consumer, "end_offsets", _timed_out)
            with pytest.raises(BusAwayError, match="Kafka does not say how far it is: KafkaTimeoutError"):
                reader.lag()
            assert reader.lag() == left - 3
        found = both(reader, reader, left - 3)
        assert first.offset == 0
        offsets = [(r.partition, r.offset) for records in found for r in records]
        assert min(at for partition, at in offsets if partition == first.partition) == 1
        assert min(at for partition, at in offsets if partition != first.partition) == 3
    gc.collect()  # a client that is closed while it connects leaves the socket to it


def _timed_out(*_: object, **__: object) -> None:
    raise KafkaTimeoutError


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_reader_whose_client_never_answers_takes_another(kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither to the question, nor when it is closed: seen while leaders changed. Both are left behind."""
    own = options(kafka.address)
    every_topic(own)
    with bus_on(own) as bus:
        bus.publish(SAMPLES, b"a", "k")
        bus.flush(SOON)
        reader = bus.subscribe(SAMPLES)
        assert reader.lag() == 1
        hung, real = Event(), reader._consumer
        close = real.close
        for name in ("end_offsets", "close"):
            monkeypatch.setattr(real, name, lambda *_, **__: hung.wait(60.0))
        with monkeypatch.context() as sooner:
            sooner.setattr(consumer, "ANSWER_MS", 100)
            with pytest.raises(BusAwayError, match=r"no answer within 0\.2 s"):
                reader.lag()
        assert reader._consumer is not real
        assert reader.lag() == 1
        hung.set()
        close()
