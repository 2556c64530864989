"""Chains on a topic: one altered, missing or forged event is found in the chain of its writer."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.audit_trails import note
from tightrope.service.adapters.audit.cluster_chains import ChainCollector, chains_of, find_cluster_problems
from tightrope.service.adapters.audit.event_publisher import EventPublisher
from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.topics import EVENTS, topic
from tightrope.service.adapters.wire.record_codec import encode_event

KEYS = AuditKeys(bytes(32))


def published(count: int = 5, writers: int = 2) -> list[Record]:
    """The records of several writers, one after the other."""
    publishers = [EventPublisher(MemoryBus(), KEYS) for _ in range(writers)]
    values = [publisher.encode(note(number)) for publisher in publishers for number in range(1, count + 1)]
    return [Record(topic(EVENTS), 0, offset, "m", value) for offset, value in enumerate(values)]


def lines(records: list[Record]) -> list[str]:
    """The problems in words, without the names of the writers."""
    return [str(problem).partition(" (writer")[0] for problem in find_cluster_problems(chains_of(records), KEYS)[0]]


def test_chains_are_sound_in_any_order() -> None:
    """Twice delivered too; members of an older Tightrope are a note."""
    records = published()
    assert lines([*records[::-1], records[3]]) == []
    older = Record(topic(EVENTS), 0, 99, "m", encode_event(note(9)))
    assert find_cluster_problems(chains_of([*records, older]), KEYS) == (
        [],
        ["1 events have no chain: members of an older Tightrope wrote them"],
    )


@given(place=st.integers(0, 9))
def test_removed_event_is_found(place: int) -> None:
    """The first of a writer may be gone by retention, which is a note; the newest is found by a head that was kept."""
    records = published()
    left = records[:place] + records[place + 1 :]
    number = place % 5 + 1
    if 1 < number < 5:
        assert lines(left) == [f"event {number}: missing: it was deleted, and not by retention"]
    heads = [stored.head for stored in chains_of(records).chains.values() if stored.head]
    problems, notes = find_cluster_problems(chains_of(left), KEYS, heads)
    assert len(problems) + len(notes) == 1


def test_altered_event_is_found() -> None:
    """One byte, in any field."""
    records = published()
    for old, new in ((b"because", b"becausf"), (b"judge", b"judgf")):
        value = records[2].value.replace(old, new)
        assert lines([*records[:2], replace_value(records[2], value), *records[3:]]) == [
            "event 3: is not as it was written: a byte was altered"
        ]


def replace_value(record: Record, value: bytes) -> Record:
    """The record with another value."""
    return record._replace(value=value)


def test_unreadable_record_is_told() -> None:
    """With its place on the topic."""
    records = published(1, 1)
    assert lines([*records, Record(topic(EVENTS), 3, 7, "m", b"x")])[0].startswith(
        "event 0: cannot be read: partition 3, offset 7: "
    )


@pytest.mark.parametrize("keys", [AuditKeys(b"\1" * 32), AuditKeys()])
def test_head_of_other_keys_is_no_proof(keys: AuditKeys) -> None:
    """A program that may write the topic can begin a chain, and cannot sign it."""
    problems, _ = find_cluster_problems(chains_of(published(2, 1)), keys)
    assert ["the signature of the head does not hold" in str(problem) for problem in problems] == [True]


def test_writer_that_is_missing_is_told() -> None:
    """Where a head of it was kept."""
    (stored,) = chains_of(published(2, 1)).chains.values()
    assert stored.head is not None
    problems, _ = find_cluster_problems(chains_of([]), KEYS, [replace(stored.head, writer="w")])
    assert [str(problem) for problem in problems] == ["event 2: all events of writer w are missing"]


def test_compact_chains_are_compared_as_whole_ones() -> None:
    """They keep no bytes of the events, and find what these say."""
    records = published(3, 1)
    collector = ChainCollector(compact=True)
    for record in (*records[:1], replace_value(records[1], records[1].value.replace(b"judge", b"judgf")), *records[2:]):
        collector.add(record)
    (stored,) = collector.trail().chains.values()
    assert [event.parts for event in stored.events] == [(), (), ()]
    problems, _ = find_cluster_problems(collector.trail(), KEYS)
    assert ["event 2: is not as it was written: a byte was altered" in str(problem) for problem in problems] == [True]


def test_events_before_a_time_are_left_out() -> None:
    """The chain begins behind them, and a writer without others has none."""
    now = [10.0]
    publisher = EventPublisher(MemoryBus(), KEYS, lambda: now[0])
    collector = ChainCollector()
    for number in range(1, 5):
        now[0] = 10.0 * number
        collector.add(Record(topic(EVENTS), 0, number, "m", publisher.encode(note(number))))
    trail = collector.trail(since=30.0)
    assert [event.number for stored in trail.chains.values() for event in stored.events] == [3, 4]
    assert find_cluster_problems(trail, KEYS)[0] == []
    assert collector.trail(since=50.0).chains == {}
