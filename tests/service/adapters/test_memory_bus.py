"""Properties of the memory bus: retention, and its single partition."""

import threading
import time

import pytest

from tests.support.cluster.bus_topics import OTHER_TOPIC, POLL_SECONDS, TOPIC, publish, read
from tightrope.service.adapters.memory_bus import COMPACTION_LAG_RECORDS, MAX_UNREAD_RECORDS, MemoryBus
from tightrope.service.adapters.ports import BusFullError, publish_blocking
from tightrope.service.adapters.topics import CONTROL, topic


def test_records_committed_by_every_group_are_dropped() -> None:
    """Only unread records stay in memory."""
    bus = MemoryBus()
    reader = bus.subscribe("t", group="g")
    for number in range(100):
        bus.publish("t", bytes([number]))
    reader.poll(60, 0.0)
    reader.commit()
    assert [record.value[0] for record in bus.subscribe("t").poll(100, 0.0)] == list(range(60, 100))


def test_topic_without_a_group_keeps_its_latest_records() -> None:
    """The latest are kept for inspection."""
    bus = MemoryBus()
    for number in range(MAX_UNREAD_RECORDS + 5):
        bus.publish("t", number.to_bytes(4, "big"))
    records = bus.subscribe("t").poll(MAX_UNREAD_RECORDS * 2, 0.0)
    assert len(records) == MAX_UNREAD_RECORDS
    assert records[0].offset == 5


def test_topic_without_groups_never_refuses() -> None:
    """Parked records must not block the work."""
    bus = MemoryBus(capacity=100)
    for number in range(10):
        bus.publish("t", bytes([number]) * 30)
    assert [record.value[0] for record in bus.subscribe("t").poll(100, 0.0)] == [7, 8, 9]


def test_record_larger_than_the_bus_goes_into_an_empty_topic() -> None:
    """Refusing it would refuse it for ever."""
    bus = MemoryBus(capacity=100)
    reader = bus.subscribe("t", group="g")
    bus.publish("t", b"a" * 1000)
    with pytest.raises(BusFullError):
        bus.publish("t", b"b")
    assert len(reader.poll(10, 0.0)[0].value) == 1000
    reader.commit()
    bus.publish("t", b"b" * 1000)


def test_reader_a_moment_behind_misses_nothing_of_a_compacted_topic() -> None:
    """Recent records are kept although their keys have newer ones: callers wait for these confirmations."""
    bus = MemoryBus()
    judges, gateway = bus.subscribe(topic(CONTROL), group="judges"), bus.subscribe(topic(CONTROL))
    for number in range(COMPACTION_LAG_RECORDS):
        bus.publish(topic(CONTROL), str(number).encode(), "m")
        judges.poll(10, 0.0)
        judges.commit()
    assert [int(record.value) for record in gateway.poll(2 * COMPACTION_LAG_RECORDS, 0.0)] == list(
        range(COMPACTION_LAG_RECORDS)
    )


def test_compacted_topic_drops_recent_records_before_it_refuses() -> None:
    """Records kept for readers a moment behind are dropped first."""
    bus = MemoryBus(capacity=100, compacted={"t"})
    reader = bus.subscribe("t", group="g")
    for number in range(10):
        bus.publish("t", bytes([number]) * 60, f"k{number % 2}")
        reader.poll(10, 0.0)
        reader.commit()
    latest = {record.key: record.value[0] for record in bus.subscribe("t").poll(10, 0.0)}
    assert latest == {"k0": 8, "k1": 9}


def test_only_state_topics_are_compacted() -> None:
    """Other topics keep their history until it is read."""
    bus = MemoryBus()
    for name in (topic(CONTROL), "other"):
        reader = bus.subscribe(name, group="g")
        for number in range(2 * COMPACTION_LAG_RECORDS):
            bus.publish(name, str(number).encode(), "m")
        while reader.poll(500, 0.0):
            reader.commit()
    assert bus.subscribe(topic(CONTROL)).poll(1, 0.0)
    assert bus.subscribe("other").poll(1, 0.0) == []


def test_there_is_one_partition() -> None:
    """Seeking in another partition raises an error."""
    with pytest.raises(ValueError, match="topic t has only partition 0, not 1"):
        MemoryBus().subscribe("t").seek("t", 1, 0)


def test_offset_beyond_the_end_waits_for_its_record() -> None:
    """It is no lag, and poll waits. (Kafka starts over there: the offset belongs to another log.)"""
    bus = MemoryBus()
    publish(bus, "a", "b")
    reader = bus.subscribe(TOPIC, group="g")
    last = reader.poll(10, POLL_SECONDS)[-1]
    reader.seek(TOPIC, last.partition, last.offset + 3)
    assert reader.lag() == 0
    began = time.monotonic()
    assert read(reader, timeout=0.05) == []
    assert time.monotonic() - began >= 0.04
    publish(bus, "c", "d", "e")
    assert read(reader) == ["e"]


def test_full_bus_refuses_and_loses_no_record() -> None:
    """It refuses while a group is behind; other topics continue."""
    bus = MemoryBus(capacity=100)
    reader = bus.subscribe(TOPIC, group="g")
    publish(bus, "a" * 60)
    with pytest.raises(BusFullError, match=f"topic {TOPIC} holds 60 bytes of at most 100: its readers are behind"):
        publish(bus, "b" * 60)
    publish(bus, "c" * 40)
    publish(bus, "d" * 60, topic=OTHER_TOPIC)
    assert [value[0] for value in read(reader)] == ["a", "c"]


def test_commit_makes_room_again() -> None:
    """Room appears when the slowest group commits, not when it polls."""
    bus = MemoryBus(capacity=100)
    one, two = bus.subscribe(TOPIC, group="one"), bus.subscribe(TOPIC, group="two")
    publish(bus, "a" * 60)
    for reader in (one, two):
        with pytest.raises(BusFullError):
            publish(bus, "b" * 60)
        read(reader)
        with pytest.raises(BusFullError):
            publish(bus, "b" * 60)
        reader.commit()
    publish(bus, "b" * 60)
    assert read(one) == ["b" * 60]


def test_publish_blocking_waits_for_room() -> None:
    """A slow reader slows its writers down, and no record is lost."""
    bus = MemoryBus(capacity=100)
    reader = bus.subscribe(TOPIC, group="g")
    seen: list[str] = []

    def slowly() -> None:
        while len(seen) < 50:
            seen.extend(read(reader, 1, POLL_SECONDS))
            reader.commit()

    reading = threading.Thread(target=slowly)
    reading.start()
    for number in range(50):
        assert publish_blocking(bus, TOPIC, f"{number:050d}".encode(), None, threading.Event())
    reading.join(POLL_SECONDS)
    assert [int(value) for value in seen] == list(range(50))


def test_publish_blocking_ends_when_stopping() -> None:
    """It returns False: the record was not written."""
    bus = MemoryBus(capacity=100)
    reader = bus.subscribe(TOPIC, group="g")
    publish(bus, "a" * 60)
    stopping = threading.Event()
    threading.Timer(0.05, stopping.set).start()
    assert not publish_blocking(bus, TOPIC, b"b" * 60, None, stopping)
    assert read(reader) == ["a" * 60]
    assert publish_blocking(bus, OTHER_TOPIC, b"c", None, stopping)
