"""What is the memory bus's own: how much it keeps for whom, and that one partition is all there is."""

import pytest

from service.adapters.memory import KEPT_UNREAD, KEPT_WHOLE, MemoryBus
from service.adapters.ports import BusFullError
from service.adapters.topics import CONTROL, topic


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
