"""A look at groups and records on a real broker, which changes nothing."""

from dataclasses import replace

from tests.support.cluster.bus_topics import POLL_SECONDS
from tests.support.cluster.kafka_buses import PARTITIONS, bus_on, create_all_topics, unique_options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.consumer import KafkaSubscription
from tightrope.service.adapters.kafka.inspection import GroupView, SilentFilter, read_group
from tightrope.service.adapters.kafka.signature import Signing

SAMPLES, CONTROL, DEAD = "tightrope.samples", "tightrope.control", "tightrope.dead"


def test_group_is_seen_with_its_members_and_lag(kafka: Broker) -> None:
    """A group that never was has all records before it; a member that read one has the others."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    parts = {SAMPLES: PARTITIONS}
    with bus_on(own) as bus:
        for number in range(8):
            bus.publish(SAMPLES, b"x", f"k{number}")
        bus.flush(POLL_SECONDS)
        absent = read_group(own, "g", [SAMPLES], parts)
        assert (absent.has_members, sum(absent.lag.values()), absent.assigned) == (False, 8, 0)
        reader = bus.subscribe(SAMPLES, group="g")
        read = 0
        while read < 8:
            read += len(reader.poll(1, POLL_SECONDS))
            reader.commit()
            if read == 3:
                seen = read_group(own, "g", [SAMPLES], parts)
        assert (seen.state, len(seen.members), seen.assigned) == ("Stable", 1, PARTITIONS)
        assert sum(seen.lag.values()) == 5
        assert seen.beyond == ()
    gone = read_group(own, "g", [SAMPLES], parts)
    assert (gone.has_members, sum(gone.lag.values())) == (False, 0)


def test_group_without_members_does_not_read() -> None:
    """Its state may be called anything."""
    assert GroupView("Stable", ("a",)).has_members
    assert not GroupView("Stable").has_members
    assert not GroupView("Empty", ("a",)).has_members


def test_refused_records_are_counted_and_left_alone(kafka: Broker) -> None:
    """A record without a signature is no record for the doctor, and is not parked by it."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    with bus_on(own) as bus:
        bus.publish(CONTROL, b"x", "m")
        bus.flush(POLL_SECONDS)
    signed = replace(own, signing=Signing(b"s" * 32))
    silent = SilentFilter(signed)
    reader = KafkaSubscription(signed, (CONTROL,), None, None, lambda _: None, silent)
    while not silent.refused:
        assert reader.poll(10, 1.0) == []
    reader.close()
    assert silent.refused == {(CONTROL, "unsigned"): 1}
    assert sum(read_group(own, "g", [DEAD], {DEAD: PARTITIONS}).lag.values()) == 0
