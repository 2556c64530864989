"""The contract of a bus for every adapter: compaction and start offsets."""

from tests.support.cluster.bus_topics import COMPACTED_TOPIC, POLL_SECONDS, TOPIC, publish, read, read_all
from tightrope.service.adapters.ports import Bus, LogPartition


def test_compacted_topic_keeps_the_latest_of_every_key(bus: Bus) -> None:
    """A late reader without a group gets them, although all groups are past them."""
    judges = bus.subscribe(COMPACTED_TOPIC, group="judges")
    for number in range(3000):
        bus.publish(COMPACTED_TOPIC, f"{number}".encode(), f"k{number % 3}")
        if number % 500 == 0:
            while judges.poll(500, 0.0):
                judges.commit()
    bus.flush(POLL_SECONDS)
    while judges.poll(500, 0.3):
        judges.commit()
    late = bus.subscribe(COMPACTED_TOPIC)
    latest: dict[str | None, str] = {}
    offsets: list[int] = []
    while records := late.poll(7, 0.5 if latest else POLL_SECONDS):  # a new reader joins first
        latest |= {record.key: record.value.decode() for record in records}
        offsets += [record.offset for record in records]
    assert latest == {"k0": "2997", "k1": "2998", "k2": "2999"}
    assert offsets == sorted(set(offsets))
    assert late.lag() == 0


def test_latest_record_of_a_silent_key_is_kept(bus: Bus) -> None:
    """Modes that have not changed for long are still readable."""
    judges = bus.subscribe(COMPACTED_TOPIC, group="judges")
    publish(bus, "silent", topic=COMPACTED_TOPIC, key="a")
    for number in range(3000):
        bus.publish(COMPACTED_TOPIC, f"{number}".encode(), "b")
    bus.flush(POLL_SECONDS)
    while judges.poll(500, 0.3):
        judges.commit()
    late = bus.subscribe(COMPACTED_TOPIC)
    assert late.lag() >= 2
    assert read(late, 1) == ["silent"]


def test_start_offsets_of_a_reader_come_first(bus: Bus) -> None:
    """Its own offsets override the committed ones; other partitions start at the group's."""
    publish(bus, "a", "b", "c")
    first = bus.subscribe(TOPIC, group="g")
    assert read_all(first, 3) == ["a", "b", "c"]
    first.close()
    partitions: list[LogPartition] = []

    def start_offsets(assigned: object) -> dict[LogPartition, int]:
        partitions.extend(assigned)  # type: ignore[call-overload]
        return {(TOPIC, 0): 1}

    assert read_all(bus.subscribe(TOPIC, group="g", start_offsets=start_offsets), 2) == ["b", "c"]
    assert partitions == [(TOPIC, 0)]
    assert read_all(bus.subscribe(TOPIC, group="g", start_offsets=lambda _: {}), 3) == ["a", "b", "c"]


def test_reader_owns_its_records(bus: Bus) -> None:
    """The reader owns them until another member takes over."""
    publish(bus, "a")
    reader = bus.subscribe(TOPIC, group="g")
    assert read(reader) == ["a"]
    assert reader.owns_partitions()
    reader.commit()
    assert reader.owns_partitions()


def test_key_has_one_partition(bus: Bus) -> None:
    """The partition of a key is that of its records."""
    publish(bus, "a", topic=COMPACTED_TOPIC, key="k")
    assert bus.subscribe(COMPACTED_TOPIC).poll(1, POLL_SECONDS)[0].partition == bus.partition(COMPACTED_TOPIC, "k")
