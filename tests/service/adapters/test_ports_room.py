"""The contract of a bus, held against every adapter: what a full one refuses, and what a compacted topic keeps."""

import threading
from collections.abc import Callable

import pytest

from service.adapters.ports import Bus, BusFullError, insist
from tests.service.adapters.buses import COMPACTED, OTHER, SOON, TOPIC, publish, read


def test_full_bus_refuses_and_forgets_nothing(make_bus: Callable[..., Bus]) -> None:
    """As long as a group is behind; other topics go on."""
    bus = make_bus(capacity=100)
    reader = bus.subscribe(TOPIC, group="g")
    publish(bus, "a" * 60)
    with pytest.raises(BusFullError, match=f"topic {TOPIC} holds 60 bytes of at most 100: its readers are behind"):
        publish(bus, "b" * 60)
    publish(bus, "c" * 40)
    publish(bus, "d" * 60, topic=OTHER)
    assert [value[0] for value in read(reader)] == ["a", "c"]


def test_commit_makes_room_again(make_bus: Callable[..., Bus]) -> None:
    """When the slowest group has got past what was in the way; polling alone does not."""
    bus = make_bus(capacity=100)
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


def test_insisting_waits_for_room(make_bus: Callable[..., Bus]) -> None:
    """So a slow reader slows its writers down, and nothing is lost."""
    bus = make_bus(capacity=100)
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


def test_insisting_ends_when_told_to_stop(make_bus: Callable[..., Bus]) -> None:
    """It says that the record was not written."""
    bus = make_bus(capacity=100)
    reader = bus.subscribe(TOPIC, group="g")
    publish(bus, "a" * 60)
    stopping = threading.Event()
    threading.Timer(0.05, stopping.set).start()
    assert not insist(bus, TOPIC, b"b" * 60, None, stopping)
    assert read(reader) == ["a" * 60]
    assert insist(bus, OTHER, b"c", None, stopping)


def test_compacted_topic_keeps_the_latest_of_every_key(bus: Bus) -> None:
    """For whoever comes late without a group, however much the groups have long dealt with."""
    judges = bus.subscribe(COMPACTED, group="judges")
    for number in range(3000):
        bus.publish(COMPACTED, f"{number}".encode(), f"k{number % 3}")
        if number % 500 == 0:
            while judges.poll(500, 0.0):
                judges.commit()
    while judges.poll(500, 0.0):
        judges.commit()
    late = bus.subscribe(COMPACTED)
    latest: dict[str | None, str] = {}
    offsets: list[int] = []
    while records := late.poll(7, 0.0):
        latest |= {record.key: record.value.decode() for record in records}
        offsets += [record.offset for record in records]
    assert latest == {"k0": "2997", "k1": "2998", "k2": "2999"}
    assert offsets == sorted(set(offsets))
    assert late.lag() == 0


def test_key_that_fell_silent_is_kept_too(bus: Bus) -> None:
    """A model whose modes have not changed for long is still in them."""
    judges = bus.subscribe(COMPACTED, group="judges")
    publish(bus, "silent", topic=COMPACTED, key="a")
    for number in range(3000):
        bus.publish(COMPACTED, f"{number}".encode(), "b")
    while judges.poll(500, 0.0):
        judges.commit()
    late = bus.subscribe(COMPACTED)
    assert late.lag() >= 2
    assert read(late, 1) == ["silent"]
