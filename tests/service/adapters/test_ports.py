"""The contract of a bus for every adapter: order, groups, redelivery, lag."""

import threading
import time
from collections.abc import Callable

from tests.support.cluster.bus_topics import (
    OTHER_TOPIC,
    POLL_SECONDS,
    TOPIC,
    is_empty,
    join_group,
    publish,
    read,
    read_all,
)
from tightrope.service.adapters.ports import Bus, Subscription


def test_records_come_in_order_with_partition_offset_and_key(bus: Bus) -> None:
    """Records have topic, partition, ascending offsets, key and value."""
    bus.publish(TOPIC, b"a", "k")
    bus.publish(TOPIC, b"", None)
    bus.publish(TOPIC, b"\x00\xff", "l")
    records = bus.subscribe(TOPIC).poll(10, POLL_SECONDS)
    assert [(record.topic, record.key, record.value) for record in records] == [
        (TOPIC, "k", b"a"),
        (TOPIC, None, b""),
        (TOPIC, "l", b"\x00\xff"),
    ]
    assert len({record.partition for record in records}) == 1
    first = records[0].offset
    assert [record.offset for record in records] == [first, first + 1, first + 2]


def test_poll_respects_the_limit_and_continues(bus: Bus) -> None:
    """The limit covers all topics; no record is repeated or skipped."""
    publish(bus, "a", "b", "c")
    publish(bus, "x", "y", topic=OTHER_TOPIC)
    both = bus.subscribe(TOPIC, OTHER_TOPIC)
    polled = [read(both, 2) for _ in range(3)]
    polled += [read(both, 2)] if sum(map(len, polled)) < 5 else []
    assert is_empty(both)
    assert max(len(records) for records in polled) == 2
    flat = [value for records in polled for value in records]
    assert [value for value in flat if value in "abc"] == ["a", "b", "c"]
    assert [value for value in flat if value in "xy"] == ["x", "y"]


def test_poll_waits_for_the_first_record_only(bus: Bus) -> None:
    """It returns with the first record, or empty after the timeout."""
    reader = bus.subscribe(TOPIC)
    read(reader, timeout=0.05)
    began = time.monotonic()
    assert read(reader, timeout=0.05) == []
    assert time.monotonic() - began >= 0.04
    later = threading.Timer(0.05, publish, [bus, "a"])
    later.start()
    began = time.monotonic()
    assert read(reader, timeout=30.0) == ["a"]
    assert time.monotonic() - began < 10.0
    later.join()


def test_record_in_any_topic_ends_the_wait(bus: Bus) -> None:
    """A record in the second topic counts too."""
    reader = bus.subscribe(TOPIC, OTHER_TOPIC)
    later = threading.Timer(0.05, publish, [bus, "x"], {"topic": OTHER_TOPIC})
    later.start()
    assert read(reader, timeout=30.0) == ["x"]
    later.join()


def test_readers_without_a_group_each_get_everything(bus: Bus) -> None:
    """Each starts at the oldest kept record, also a late one."""
    publish(bus, "a", "b")
    first = bus.subscribe(TOPIC)
    assert read(first) == ["a", "b"]
    publish(bus, "c")
    assert read(first) == ["c"]
    assert read(bus.subscribe(TOPIC)) == ["a", "b", "c"]


def test_groups_are_independent(bus: Bus) -> None:
    """Each group has its own offsets."""
    one, two = bus.subscribe(TOPIC, group="one"), bus.subscribe(TOPIC, group="two")
    publish(bus, "a", "b")
    assert read(one) == ["a", "b"]
    one.commit()
    assert read(two) == ["a", "b"]


def test_new_group_begins_at_the_oldest_record(bus: Bus) -> None:
    """Records published before the group existed are delivered."""
    publish(bus, "a", "b")
    assert read(bus.subscribe(TOPIC, group="late")) == ["a", "b"]


def test_group_continues_from_its_commit(bus: Bus) -> None:
    """The next reader continues at the committed offset."""
    publish(bus, "a", "b", "c")
    reader = bus.subscribe(TOPIC, group="g")
    assert read(reader, 2) == ["a", "b"]
    reader.commit()
    reader.close()
    assert read(bus.subscribe(TOPIC, group="g")) == ["c"]


def test_uncommitted_records_are_redelivered_after_a_crash(bus: Bus) -> None:
    """Records after the last commit are delivered again, in order."""
    publish(bus, "a", "b", "c", "d")
    crashed = bus.subscribe(TOPIC, group="g")
    read(crashed, 1)
    crashed.commit()
    assert read(crashed, 2) == ["b", "c"]
    del crashed
    assert read(bus.subscribe(TOPIC, group="g")) == ["b", "c", "d"]


def test_commit_covers_polled_records_only(bus: Bus) -> None:
    """A record that arrives between poll and commit is delivered later."""
    publish(bus, "a")
    reader = bus.subscribe(TOPIC, group="g")
    read(reader)
    publish(bus, "b")
    reader.commit()
    reader.close()
    assert read(bus.subscribe(TOPIC, group="g")) == ["b"]


def test_reader_without_a_group_commits_nothing(bus: Bus) -> None:
    """Without a group there is no offset to commit."""
    publish(bus, "a")
    reader = bus.subscribe(TOPIC)
    read(reader)
    reader.commit()
    assert read(bus.subscribe(TOPIC)) == ["a"]


def test_seek_continues_from_an_offset(bus: Bus) -> None:
    """Seeking works backwards and forwards."""
    publish(bus, "a", "b", "c", "d")
    reader = bus.subscribe(TOPIC, group="g")
    records = reader.poll(10, POLL_SECONDS)
    reader.seek(TOPIC, records[1].partition, records[1].offset)
    assert read(reader, 1) == ["b"]
    reader.seek(TOPIC, records[3].partition, records[3].offset)
    assert read(reader) == ["d"]


def test_lag_counts_unpolled_records(bus: Bus) -> None:
    """Lag covers all topics, and ignores commits."""
    reader = bus.subscribe(TOPIC, OTHER_TOPIC, group="g")
    join_group(reader)
    assert reader.lag() == 0
    publish(bus, "a", "b", "c")
    publish(bus, "x", topic=OTHER_TOPIC)
    assert reader.lag() == 4
    read(reader, 1)
    assert reader.lag() == 3
    read_all(reader, 3)
    reader.commit()
    assert reader.lag() == 0


def test_incarnation_has_its_own_id(make_bus: Callable[..., Bus]) -> None:
    """Offsets of another log are meaningless here."""
    assert make_bus().log != make_bus().log


def test_many_writers_and_readers_lose_no_record(bus: Bus) -> None:
    """Records of a writer stay in order, and each group gets all of them once."""
    writers, each = 4, 300
    seen: dict[str, list[str]] = {"one": [], "two": []}

    def write(name: int) -> None:
        publish(bus, *(f"{name}-{number}" for number in range(each)))

    def follow(group: str, reader: Subscription) -> None:
        while len(seen[group]) < writers * each and (records := read(reader, 17, POLL_SECONDS)):
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
