"""What is the memory bus's own: how much it keeps for whom, and that one partition is all there is."""

import threading
import time

import pytest

from tests.support.cluster.bus_topics import OTHER, SOON, TOPIC, publish, read
from tightrope.service.adapters.memory_bus import KEPT_UNREAD, KEPT_WHOLE, MemoryBus
from tightrope.service.adapters.ports import BusFullError, insist
from tightrope.service.adapters.topics import CONTROL, topic


def test_what_every_group_has_committed_is_forgotten() -> None:
    """The memory belongs to those who are behind."""
    bus = MemoryBus()
    reader = bus.subscribe("t", group="g")
    for number in range(100):
        bus.publish("t", bytes([number]))
    reader.poll(60, 0.0)
    reader.commit()
    assert [record.value[0] for record in bus.subscribe("t").poll(100, 0.0)] == list(range(60, 100))


def test_topic_without_a_group_keeps_its_latest_records() -> None:
    """For people to look at; the oldest go first."""
    bus = MemoryBus()
    for number in range(KEPT_UNREAD + 5):
        bus.publish("t", number.to_bytes(4, "big"))
    records = bus.subscribe("t").poll(KEPT_UNREAD * 2, 0.0)
    assert len(records) == KEPT_UNREAD
    assert records[0].offset == 5


def test_topic_that_nobody_reads_in_a_group_never_refuses() -> None:
    """Nobody is behind: else what is parked for people would stop the work in the end."""
    bus = MemoryBus(capacity=100)
    for number in range(10):
        bus.publish("t", bytes([number]) * 30)
    assert [record.value[0] for record in bus.subscribe("t").poll(100, 0.0)] == [7, 8, 9]


def test_record_larger_than_the_bus_goes_into_an_empty_topic() -> None:
    """It can never fit better than now: to refuse it would be to refuse it for ever."""
    bus = MemoryBus(capacity=100)
    reader = bus.subscribe("t", group="g")
    bus.publish("t", b"a" * 1000)
    with pytest.raises(BusFullError):
        bus.publish("t", b"b")
    assert len(reader.poll(10, 0.0)[0].value) == 1000
    reader.commit()
    bus.publish("t", b"b" * 1000)


def test_reader_a_moment_behind_misses_nothing_of_a_compacted_topic() -> None:
    """Though its keys have newer records, and the judges are past them: confirmations are among them."""
    bus = MemoryBus()
    judges, gateway = bus.subscribe(topic(CONTROL), group="judges"), bus.subscribe(topic(CONTROL))
    for number in range(KEPT_WHOLE):
        bus.publish(topic(CONTROL), str(number).encode(), "m")
        judges.poll(10, 0.0)
        judges.commit()
    assert [int(record.value) for record in gateway.poll(2 * KEPT_WHOLE, 0.0)] == list(range(KEPT_WHOLE))


def test_compacted_topic_gives_way_before_it_refuses() -> None:
    """What is kept only for those a moment behind is no reason to refuse."""
    bus = MemoryBus(capacity=100, compacted={"t"})
    reader = bus.subscribe("t", group="g")
    for number in range(10):
        bus.publish("t", bytes([number]) * 60, f"k{number % 2}")
        reader.poll(10, 0.0)
        reader.commit()
    latest = {record.key: record.value[0] for record in bus.subscribe("t").poll(10, 0.0)}
    assert latest == {"k0": 8, "k1": 9}


def test_only_the_control_topic_is_compacted() -> None:
    """By default; of the others history is kept until it is read."""
    bus = MemoryBus()
    for name in (topic(CONTROL), "other"):
        reader = bus.subscribe(name, group="g")
        for number in range(2 * KEPT_WHOLE):
            bus.publish(name, str(number).encode(), "m")
        while reader.poll(500, 0.0):
            reader.commit()
    assert bus.subscribe(topic(CONTROL)).poll(1, 0.0)
    assert bus.subscribe("other").poll(1, 0.0) == []


def test_there_is_one_partition() -> None:
    """Whoever seeks in another one is mistaken."""
    with pytest.raises(ValueError, match="topic t has only partition 0, not 1"):
        MemoryBus().subscribe("t").seek("t", 1, 0)


def test_place_beyond_the_end_waits_for_its_record() -> None:
    """It is no lag, and the wait is a wait. (Kafka begins anew there: such a place is one of another log.)"""
    bus = MemoryBus()
    publish(bus, "a", "b")
    reader = bus.subscribe(TOPIC, group="g")
    last = reader.poll(10, SOON)[-1]
    reader.seek(TOPIC, last.partition, last.offset + 3)
    assert reader.lag() == 0
    began = time.monotonic()
    assert read(reader, patience=0.05) == []
    assert time.monotonic() - began >= 0.04
    publish(bus, "c", "d", "e")
    assert read(reader) == ["e"]


def test_full_bus_refuses_and_forgets_nothing() -> None:
    """As long as a group is behind; other topics go on."""
    bus = MemoryBus(capacity=100)
    reader = bus.subscribe(TOPIC, group="g")
    publish(bus, "a" * 60)
    with pytest.raises(BusFullError, match=f"topic {TOPIC} holds 60 bytes of at most 100: its readers are behind"):
        publish(bus, "b" * 60)
    publish(bus, "c" * 40)
    publish(bus, "d" * 60, topic=OTHER)
    assert [value[0] for value in read(reader)] == ["a", "c"]


def test_commit_makes_room_again() -> None:
    """When the slowest group has got past what was in the way; polling alone does not."""
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


def test_insisting_waits_for_room() -> None:
    """So a slow reader slows its writers down, and nothing is lost."""
    bus = MemoryBus(capacity=100)
    reader = bus.subscribe(TOPIC, group="g")
    seen: list[str] = []

    def slowly() -> None:
        while len(seen) < 50:
            seen.extend(read(reader, 1, SOON))
            reader.commit()

    reading = threading.Thread(target=slowly)
    reading.start()
    for number in range(50):
        assert insist(bus, TOPIC, f"{number:050d}".encode(), None, threading.Event())
    reading.join(SOON)
    assert [int(value) for value in seen] == list(range(50))


def test_insisting_ends_when_told_to_stop() -> None:
    """It says that the record was not written."""
    bus = MemoryBus(capacity=100)
    reader = bus.subscribe(TOPIC, group="g")
    publish(bus, "a" * 60)
    stopping = threading.Event()
    threading.Timer(0.05, stopping.set).start()
    assert not insist(bus, TOPIC, b"b" * 60, None, stopping)
    assert read(reader) == ["a" * 60]
    assert insist(bus, OTHER, b"c", None, stopping)
