"""Events hold digests of request ids, never ids."""

import json

import pytest

from tightrope.monitors.records import Event
from tightrope.service.adapters.audit.redaction import redacted, redacted_body
from tightrope.service.adapters.audit.seals import AuditKeys

KEYS = AuditKeys(bytes(32))
EVENT = Event("e", 0.0, "m", "breach", "model", "judge", "", {"request_id": "raw-7", "samples": 3})


def test_id_is_replaced_by_its_digest() -> None:
    """Once: a second time nothing is left to replace. Other events stay as they are."""
    (event,) = redacted([EVENT], KEYS)
    assert event.detail == {"samples": 3, "request_digest": KEYS.request_digest("raw-7")}
    assert redacted([event], KEYS) == [event]


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b"{}", b'{"detail": {}}', b'{"detail": 3}'])
def test_other_bodies_stay(body: bytes) -> None:
    """Byte for byte, whether they can be read or not."""
    assert redacted_body(body, KEYS) == body


def test_body_of_an_event_is_redacted() -> None:
    """As events are."""
    body = json.loads(redacted_body(b'{"id": "e", "detail": {"request_id": "raw-7"}}', KEYS))
    assert body == {"id": "e", "detail": {"request_digest": KEYS.request_digest("raw-7")}}
