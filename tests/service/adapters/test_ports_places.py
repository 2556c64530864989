"""The contract of a bus, held against every adapter: what a compacted topic keeps, and who begins where."""

from tests.support.cluster.bus_topics import COMPACTED, SOON, TOPIC, publish, read, read_all
from tightrope.service.adapters.ports import Bus, Place


def test_compacted_topic_keeps_the_latest_of_every_key(bus: Bus) -> None:
    """For whoever comes late without a group, however much the groups have long dealt with."""
    judges = bus.subscribe(COMPACTED, group="judges")
    for number in range(3000):
        bus.publish(COMPACTED, f"{number}".encode(), f"k{number % 3}")
        if number % 500 == 0:
            while judges.poll(500, 0.0):
                judges.commit()
    bus.flush(SOON)
    while judges.poll(500, 0.3):
        judges.commit()
    late = bus.subscribe(COMPACTED)
    latest: dict[str | None, str] = {}
    offsets: list[int] = []
    while records := late.poll(7, 0.5):
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
    bus.flush(SOON)
    while judges.poll(500, 0.3):
        judges.commit()
    late = bus.subscribe(COMPACTED)
    assert late.lag() >= 2
    assert read(late, 1) == ["silent"]


def test_reader_that_keeps_its_own_place_is_asked_for_it_first(bus: Bus) -> None:
    """Whatever its group had committed; places that it does not know are the group's."""
    publish(bus, "a", "b", "c")
    first = bus.subscribe(TOPIC, group="g")
    assert read_all(first, 3) == ["a", "b", "c"]
    first.close()
    asked: list[Place] = []

    def begin(places: object) -> dict[Place, int]:
        asked.extend(places)  # type: ignore[call-overload]
        return {(TOPIC, 0): 1}

    assert read_all(bus.subscribe(TOPIC, group="g", begin=begin), 2) == ["b", "c"]
    assert asked == [(TOPIC, 0)]
    assert read_all(bus.subscribe(TOPIC, group="g", begin=lambda _: {}), 3) == ["a", "b", "c"]


def test_reader_deals_with_its_own_records(bus: Bus) -> None:
    """As long as nobody of its group has taken over."""
    publish(bus, "a")
    reader = bus.subscribe(TOPIC, group="g")
    assert read(reader) == ["a"]
    assert reader.mine()
    reader.commit()
    assert reader.mine()


def test_key_has_one_partition(bus: Bus) -> None:
    """The one where its records stand."""
    publish(bus, "a", topic=COMPACTED, key="k")
    assert bus.subscribe(COMPACTED).poll(1, SOON)[0].partition == bus.partition(COMPACTED, "k")
