"""Events of a cluster reach their topic in order, without request ids."""

from dataclasses import replace

from tests.support.audit_trails import note
from tightrope.service.adapters.audit.event_publisher import EventPublisher
from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.topics import EVENTS, topic
from tightrope.service.adapters.wire.record_codec import decode_event

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
