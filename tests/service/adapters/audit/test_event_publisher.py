"""Events of a cluster reach their topic in a chain, without request ids, and older members read them."""

from dataclasses import replace

import pytest

from tests.support.audit_trails import note
from tightrope.service.adapters.audit.chain import ORIGIN
from tightrope.service.adapters.audit.event_publisher import EventPublisher, read_linked_event
from tightrope.service.adapters.audit.seals import AuditKeys, SealError
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import BusFullError
from tightrope.service.adapters.topics import EVENTS, topic
from tightrope.service.adapters.wire.envelope import envelope
from tightrope.service.adapters.wire.first_release import FIRST_RELEASE_FIELDS
from tightrope.service.adapters.wire.record_codec import decode_event, encode_event

KEYS = AuditKeys(bytes(32))


def test_events_are_published_with_digests() -> None:
    """Each under its model."""
    bus = MemoryBus()
    reader = bus.subscribe(topic(EVENTS))
    EventPublisher(bus, KEYS).publish([note(1, request_id="raw-7"), replace(note(2), model="n")])
    records = reader.poll(10, 0.0)
    assert [record.key for record in records] == ["m", "n"]
    assert [decode_event(record.value).detail for record in records] == [
        {"request_digest": KEYS.request_digest("raw-7")},
        {},
    ]


def test_each_event_follows_the_one_before() -> None:
    """And carries a head that the keys have signed."""
    publisher = EventPublisher(MemoryBus(), KEYS, lambda: 5.0)
    read = [read_linked_event(publisher.encode(note(number, nested=[(1, 2.0)]))) for number in (1, 2)]
    (first, head), (second, newest) = (each for each in read if each)
    assert (first.previous, second.previous) == (ORIGIN, first.link)
    assert (first.is_sound, second.is_sound, newest.link) == (True, True, second.link)
    assert KEYS.has_signed(head)
    assert KEYS.has_signed(newest)


def test_members_of_the_first_release_read_the_event() -> None:
    """They know the fields in the body, and its place in the chain is not among them."""
    document = envelope(encode_event(note(1)))
    assert document["body"].keys() == FIRST_RELEASE_FIELDS["tightrope.event"]
    assert read_linked_event(encode_event(note(1))) is None
    assert decode_event(EventPublisher(MemoryBus(), KEYS).encode(note(1))) == note(1)


def test_event_that_finds_no_room_leaves_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one has its number."""
    bus = MemoryBus()
    publisher = EventPublisher(bus, KEYS)
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> None:
            raise BusFullError("full")

        patch.setattr(bus, "publish", refuse)
        with pytest.raises(BusFullError):
            publisher.publish([note(1)])
    read = read_linked_event(publisher.encode(note(2)))
    assert read is not None
    assert (read[0].number, read[0].previous) == (1, ORIGIN)


def test_place_that_cannot_be_read_is_an_error() -> None:
    """It is told with the record."""
    with pytest.raises(SealError, match="is no head"):
        read_linked_event(encode_event(note(1), {"before": ORIGIN}))
