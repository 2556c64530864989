"""Readers of signed topics get genuine records only; refused ones are counted and parked, and positions pass them."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.support.cluster.bus_topics import POLL_SECONDS
from tests.support.cluster.foreign_records import (
    OTHER_SECRET,
    SIGNING,
    WRONG_HEADERS,
    ForeignRecord,
    signed_record,
    write_records,
)
from tests.support.cluster.kafka_buses import create_all_topics, unique_options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.consumer import KafkaSubscription
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.signature import Signing
from tightrope.service.adapters.ports import Record

COMPARISONS, CONTROL, SNAPSHOTS = "tightrope.comparisons", "tightrope.control", "tightrope.snapshots"
DEAD, LABELS = "tightrope.dead", "tightrope.labels"
ALL_LABELS = {b"genuine", b"unsigned", b"bad"}


def read_all(reader: KafkaSubscription) -> list[Record]:
    """All records up to the end of the topic; a poll without records is no end, because all may be refused."""
    found = reader.poll(100, POLL_SECONDS)
    while reader.lag():
        found += reader.poll(100, 1.0)
    return found


def foreign(options: KafkaOptions, name: str) -> dict[str, ForeignRecord]:
    """A refused record of each sort for a topic, by its value."""
    elsewhere = CONTROL if name != CONTROL else COMPARISONS
    copied = signed_record(options, name, "m", b"copied under another key")
    moved = signed_record(options, elsewhere, "m", b"moved from another topic")
    altered = signed_record(options, name, "m", b"a genuine value")
    records = (
        ForeignRecord(name, "m", b"unsigned"),
        ForeignRecord(name, "m", b"wrong", WRONG_HEADERS),
        signed_record(options, name, "m", b"by another secret", Signing(OTHER_SECRET)),
        copied._replace(key="n"),
        moved._replace(topic=name),
        altered._replace(value=b"another value"),
        signed_record(replace(options, prefix="us-"), name, "m", b"from another cluster"),
    )
    return {record.value.decode(): record for record in records}


@pytest.mark.parametrize("name", [CONTROL, COMPARISONS, SNAPSHOTS])
def test_only_genuine_records_reach_a_reader(kafka: Broker, name: str) -> None:
    """Readers of a whole topic, members of a group and replays get the genuine ones, and their positions pass the
    others: the lag is zero, and the next member begins after them. Each refused one is counted and parked.
    """
    own = unique_options(kafka.address, signing=SIGNING)
    create_all_topics(own)
    counts: Counter[tuple[str, str]] = Counter()
    bus = KafkaBus(own, checked=lambda topic, result: counts.update([(topic, result)]))
    refused = foreign(own, name)
    bus.publish(name, b"first", "m")
    bus.publish(name, b"first", "n")
    bus.flush(POLL_SECONDS)
    write_records(own, refused.values())
    bus.publish(name, b"last", "m")
    bus.publish(name, b"last", "n")
    bus.flush(POLL_SECONDS)
    write_records(own, [ForeignRecord(name, key, b"at the end") for key in ("m", "n")])

    alone, member = bus.subscribe(name), bus.subscribe(name, group="g")
    genuine = [(key, value) for key in ("m", "n") for value in (b"first", b"last")]
    for reader in (alone, member):
        found = read_all(reader)
        assert sorted((str(r.key), r.value) for r in found) == genuine
        assert reader.lag() == 0
    end = max(r.offset + 1 for r in found if r.key == "m")
    member.commit()
    member.close()
    successor = bus.subscribe(name, group="g")
    bus.publish(name, b"after", "m")
    bus.flush(POLL_SECONDS)
    assert [r.value for r in read_all(successor)] == [b"after"]
    replayed = [r for batch in bus.replay(name, bus.partition(name, "m"), 0.0, end) for r in batch if r.key == "m"]
    assert [r.value for r in replayed] == [b"first", b"last"]
    for reader in (alone, successor):
        reader.close()

    assert counts[name, "unsigned"] >= 2 * 3
    assert counts[name, "forged"] >= 2 * 6
    assert set(counts) == {(name, "unsigned"), (name, "forged")}
    bus.close(5.0)
    _assert_parked(own, name, {*refused, "at the end"})


def _assert_parked(options: KafkaOptions, name: str, values: set[str]) -> None:
    """Each refused value is in the dead topic, with its position and the reason, and without a signature of ours."""
    bus = KafkaBus(options)
    reader = bus.subscribe(DEAD)
    parked = read_all(reader)
    reader.close()
    bus.close(1.0)
    assert {r.value.decode() for r in parked} == values
    assert all(str(r.key).startswith(f"{name}/") for r in parked)
    assert {str(r.key).partition(": ")[2] for r in parked} == {"unsigned signature", "forged signature"}


def test_cluster_without_a_secret_reads_signed_and_unsigned_records(kafka: Broker) -> None:
    """As before, and as a release that knows no signatures: processes get the secret one after the other."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    write_records(own, [ForeignRecord(CONTROL, "m", b"unsigned"), signed_record(own, CONTROL, "m", b"signed")])
    bus = KafkaBus(own)
    reader = bus.subscribe(CONTROL)
    assert [r.value for r in read_all(reader)] == [b"unsigned", b"signed"]
    reader.close()
    bus.close(1.0)


def test_accepted_records_are_counted(kafka: Broker) -> None:
    """During the upgrade unsigned records pass, forged ones do not, and what this process writes is signed."""
    accepting = unique_options(kafka.address, signing=replace(SIGNING, accept_unsigned=True))
    create_all_topics(accepting)
    write_records(accepting, [ForeignRecord(CONTROL, "m", b"old"), ForeignRecord(CONTROL, "m", b"bad", WRONG_HEADERS)])
    counts: Counter[tuple[str, str]] = Counter()
    bus = KafkaBus(accepting, checked=lambda topic, result: counts.update([(topic, result)]))
    bus.publish(CONTROL, b"new", "m")
    bus.flush(POLL_SECONDS)
    reader = bus.subscribe(CONTROL)
    assert [r.value for r in read_all(reader)] == [b"old", b"new"]
    reader.close()
    assert counts == {(CONTROL, "accepted"): 1, (CONTROL, "forged"): 1}
    bus.close(1.0)
    strict = KafkaBus(replace(accepting, signing=SIGNING))
    reader = strict.subscribe(CONTROL)
    assert [r.value for r in read_all(reader)] == [b"new"]
    reader.close()
    strict.close(1.0)


def test_labels_of_programs_without_the_secret_are_read_and_not_genuine(kafka: Broker) -> None:
    """Processes of the cluster sign theirs; where nothing is checked all are taken as genuine."""
    own = unique_options(kafka.address, signing=SIGNING)
    create_all_topics(own)
    counts: Counter[tuple[str, str]] = Counter()
    bus = KafkaBus(own, checked=lambda topic, result: counts.update([(topic, result)]))
    bus.publish(LABELS, b"genuine", "m")
    bus.flush(POLL_SECONDS)
    write_records(own, [ForeignRecord(LABELS, "m", b"unsigned"), ForeignRecord(LABELS, "m", b"bad", WRONG_HEADERS)])
    accepting = replace(SIGNING, accept_unsigned=True)
    wanted = {SIGNING: {b"genuine"}, accepting: {b"genuine", b"unsigned"}, None: ALL_LABELS}
    for signing, genuine in wanted.items():
        reader = KafkaBus(replace(own, signing=signing)).subscribe(LABELS)
        found = read_all(reader)
        assert {r.value for r in found} == ALL_LABELS
        assert {r.value for r in found if r.genuine} == genuine
        reader.close()
    assert not counts
    bus.close(1.0)


def test_secret_is_replaced_under_running_readers(kafka: Broker) -> None:
    """Each step reads what it and the step before wrote; the last one no longer reads the first secret's records."""
    own = unique_options(kafka.address, signing=SIGNING)
    create_all_topics(own)
    old, new = SIGNING.secret, OTHER_SECRET
    steps = [SIGNING, Signing(old, new), Signing(new, old), Signing(new)]
    read: list[list[bytes]] = []
    for number, step in enumerate(steps):
        bus = KafkaBus(replace(own, signing=step))
        bus.publish(CONTROL, b"%d" % number, "m")
        bus.flush(POLL_SECONDS)
        reader = bus.subscribe(CONTROL)
        read.append([r.value for r in read_all(reader)])
        reader.close()
        bus.close(1.0)
    assert read == [[b"0"], [b"0", b"1"], [b"0", b"1", b"2"], [b"2", b"3"]]


def test_records_without_a_key_or_a_value_are_signed_too(kafka: Broker) -> None:
    """An absent key, an empty one, and an empty value are each genuine."""
    own = unique_options(kafka.address, signing=SIGNING)
    create_all_topics(own)
    bus = KafkaBus(own)
    written = [(None, b"a"), ("", b"b"), ("m", b"")]
    for key, value in written:
        bus.publish(COMPARISONS, value, key)
    bus.flush(POLL_SECONDS)
    reader = bus.subscribe(COMPARISONS)
    assert {(r.key, r.value) for r in read_all(reader)} == set(written)
    reader.close()
    bus.close(1.0)
