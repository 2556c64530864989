"""Request ids never enter the audit trail: events hold keyed digests of them, so that erasing an id breaks no link."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from tightrope.monitors.records import Event
from tightrope.service.adapters.audit.seals import AuditKeys

RAW_KEY, DIGEST_KEY = "request_id", "request_digest"
"""The key of a request id in the detail of an event, and the key of the digest in its place."""

SHORT_DIGEST = 12
"""Hexadecimal digits that people are shown."""


def redacted(events: Iterable[Event], keys: AuditKeys) -> list[Event]:
    """The events with the digests of request ids in place of the ids."""
    return [
        replace(event, detail=_detail(event.detail, keys)) if RAW_KEY in event.detail else event for event in events
    ]


def _detail(detail: Mapping[str, object], keys: AuditKeys) -> dict[str, object]:
    others = {key: value for key, value in detail.items() if key != RAW_KEY}
    return {**others, DIGEST_KEY: keys.request_digest(str(detail[RAW_KEY]))}


def redacted_body(body: bytes, keys: AuditKeys) -> bytes:
    """Likewise an event as it is stored; one that cannot be read stays."""
    try:
        event = json.loads(body)
        if RAW_KEY not in event["detail"]:
            return body
        return json.dumps({**event, "detail": _detail(event["detail"], keys)}).encode()
    except (ValueError, TypeError, KeyError):
        return body
