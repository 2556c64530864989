"""The contract of a bus, held against every adapter: order, groups, redelivery, lag."""

import threading
import time
from collections.abc import Callable

from tests.support.cluster.bus_topics import OTHER, SOON, TOPIC, joined, nothing_in, publish, read, read_all
from tightrope.service.adapters.ports import Bus, Subscription


def test_records_come_in_order_with_their_place_and_key(bus: Bus) -> None:
    """Topic, partition, rising offsets, key and bytes."""
    bus.publish(TOPIC, b"a", "k")
    bus.publish(TOPIC, b"", None)
    bus.publish(TOPIC, b"\x00\xff", "l")
    records = bus.subscribe(TOPIC).poll(10, SOON)
    assert [(record.topic, record.key, record.value) for record in records] == [
        (TOPIC, "k", b"a"),
        (TOPIC, None, b""),
        (TOPIC, "l", b"\x00\xff"),
    ]
    assert len({record.partition for record in records}) == 1
    first = records[0].offset
    assert [record.offset for record in records] == [first, first + 1, first + 2]


def test_poll_gives_at_most_what_is_asked_for_and_goes_on_from_there(bus: Bus) -> None:
    """Over all topics together, nothing twice, nothing left out."""
    publish(bus, "a", "b", "c")
    publish(bus, "x", "y", topic=OTHER)
    both = bus.subscribe(TOPIC, OTHER)
    polled = [read(both, 2) for _ in range(3)]
    polled += [read(both, 2)] if sum(map(len, polled)) < 5 else []
    assert nothing_in(both)
    assert max(len(records) for records in polled) == 2
    flat = [value for records in polled for value in records]
    assert [value for value in flat if value in "abc"] == ["a", "b", "c"]
    assert [value for value in flat if value in "xy"] == ["x", "y"]


def test_poll_waits_for_the_first_record_only(bus: Bus) -> None:
    """It returns as soon as there is one, and empty-handed after its patience."""
    reader = bus.subscribe(TOPIC)
    read(reader, patience=0.05)
    began = time.monotonic()
    assert read(reader, patience=0.05) == []
    assert time.monotonic() - began >= 0.04
    later = threading.Timer(0.05, publish, [bus, "a"])
    later.start()
    began = time.monotonic()
    assert read(reader, patience=30.0) == ["a"]
    assert time.monotonic() - began < 10.0
    later.join()


def test_record_in_any_topic_ends_the_wait(bus: Bus) -> None:
    """Not only in the first."""
    reader = bus.subscribe(TOPIC, OTHER)
    later = threading.Timer(0.05, publish, [bus, "x"], {"topic": OTHER})
    later.start()
    assert read(reader, patience=30.0) == ["x"]
    later.join()


def test_readers_without_a_group_each_get_everything(bus: Bus) -> None:
    """From the oldest record that is kept, also when they come late."""
    publish(bus, "a", "b")
    first = bus.subscribe(TOPIC)
    assert read(first) == ["a", "b"]
    publish(bus, "c")
    assert read(first) == ["c"]
    assert read(bus.subscribe(TOPIC)) == ["a", "b", "c"]


def test_groups_do_not_hinder_each_other(bus: Bus) -> None:
    """Each has its own place."""
    one, two = bus.subscribe(TOPIC, group="one"), bus.subscribe(TOPIC, group="two")
    publish(bus, "a", "b")
    assert read(one) == ["a", "b"]
    one.commit()
    assert read(two) == ["a", "b"]


def test_new_group_begins_at_the_oldest_record(bus: Bus) -> None:
    """What was published before anybody came is not lost."""
    publish(bus, "a", "b")
    assert read(bus.subscribe(TOPIC, group="late")) == ["a", "b"]


def test_group_goes_on_from_what_it_committed(bus: Bus) -> None:
    """Whoever reads for it next."""
    publish(bus, "a", "b", "c")
    reader = bus.subscribe(TOPIC, group="g")
    assert read(reader, 2) == ["a", "b"]
    reader.commit()
    reader.close()
    assert read(bus.subscribe(TOPIC, group="g")) == ["c"]


def test_what_was_not_committed_comes_again_after_a_crash(bus: Bus) -> None:
    """In its order; nothing is lost between the last commit and the crash."""
    publish(bus, "a", "b", "c", "d")
    crashed = bus.subscribe(TOPIC, group="g")
    read(crashed, 1)
    crashed.commit()
    assert read(crashed, 2) == ["b", "c"]
    del crashed
    assert read(bus.subscribe(TOPIC, group="g")) == ["b", "c", "d"]


def test_commit_covers_what_was_polled_and_nothing_else(bus: Bus) -> None:
    """A record that arrives between poll and commit is still to be read."""
    publish(bus, "a")
    reader = bus.subscribe(TOPIC, group="g")
    read(reader)
    publish(bus, "b")
    reader.commit()
    reader.close()
    assert read(bus.subscribe(TOPIC, group="g")) == ["b"]


def test_reader_without_a_group_commits_nothing(bus: Bus) -> None:
    """It has no place to keep."""
    publish(bus, "a")
    reader = bus.subscribe(TOPIC)
    read(reader)
    reader.commit()
    assert read(bus.subscribe(TOPIC)) == ["a"]


def test_seek_goes_on_from_an_offset(bus: Bus) -> None:
    """Back to read again what is kept, or forward to leave out."""
    publish(bus, "a", "b", "c", "d")
    reader = bus.subscribe(TOPIC, group="g")
    records = reader.poll(10, SOON)
    reader.seek(TOPIC, records[1].partition, records[1].offset)
    assert read(reader, 1) == ["b"]
    reader.seek(TOPIC, records[3].partition, records[3].offset)
    assert read(reader) == ["d"]


def test_lag_counts_what_was_published_and_not_polled(bus: Bus) -> None:
    """Over all topics, whether committed or not."""
    reader = bus.subscribe(TOPIC, OTHER, group="g")
    joined(reader)
    assert reader.lag() == 0
    publish(bus, "a", "b", "c")
    publish(bus, "x", topic=OTHER)
    assert reader.lag() == 4
    read(reader, 1)
    assert reader.lag() == 3
    read_all(reader, 3)
    reader.commit()
    assert reader.lag() == 0


def test_incarnation_has_a_name_of_its_own(make_bus: Callable[..., Bus]) -> None:
    """Offsets of another log mean nothing here."""
    assert make_bus().log != make_bus().log


def test_many_writers_and_readers_lose_nothing(bus: Bus) -> None:
    """Each writer's records stay in its order, each group gets all of them once."""
    writers, each = 4, 300
    seen: dict[str, list[str]] = {"one": [], "two": []}

    def write(name: int) -> None:
        publish(bus, *(f"{name}-{number}" for number in range(each)))

    def follow(group: str, reader: Subscription) -> None:
        while len(seen[group]) < writers * each and (records := read(reader, 17, SOON)):
            seen[group] += records
            reader.commit()

    threads = [threading.Thread(target=write, args=[name]) for name in range(writers)]
    threads += [threading.Thread(target=follow, args=[group, bus.subscribe(TOPIC, group=group)]) for group in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
    for records in seen.values():
        for name in range(writers):
            mine = [record for record in records if record.startswith(f"{name}-")]
            assert mine == [f"{name}-{number}" for number in range(each)]
        assert len(records) == writers * each
