"""The event of an erasure in the audit trail: who, when, how many rows, and the keyed digest of the id."""

import uuid
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime

from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.service.adapters.audit.event_publisher import EventPublisher
from tightrope.service.adapters.audit.redaction import DIGEST_KEY, SHORT_DIGEST
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.config.loader import Settings
from tightrope.service.errors import TightropeError
from tightrope.wiring.audit_keys import audit_keys
from tightrope.wiring.embedded import DATABASE

ERASED = "erased"
"""The kind of the event."""

PUBLISH_SECONDS, PRODUCER_CLOSE_SECONDS = 10.0, 1.0
"""Seconds in which Kafka takes the events, and those for the end of the connection."""


def record_erasure(
    settings: Settings, digest: str, rows: Mapping[str, int], recorded: Mapping[str, int], actor: str, now: datetime
) -> str:
    """Add an event for each model that had ``rows`` of the request, or ``recorded`` ones in the record of incidents;
    where no model had any, one for each model. Returns the reason for which the trail does not have it, or an empty
    text.
    """
    events = [
        erasure_event(model, digest, rows.get(model, 0), recorded.get(model, 0), actor, now)
        for model in sorted({*rows, *recorded}) or settings.models
    ]
    if settings.bus is not None:
        return _publish(settings, events)
    if (settings.state / DATABASE).exists():
        with closing(SqliteStore(settings.state / DATABASE, exclusive=True, keys=audit_keys(settings))) as store:
            store.add_events(events)
    return ""


def erasure_event(model: str, digest: str, rows: int, recorded: int, actor: str, now: datetime) -> Event:
    """The event of one model; ``digest`` stands for the id of the request."""
    record = f"rows in the record of incidents without id and input: {recorded}"
    short = f"the digest of its id begins with {digest[:SHORT_DIGEST]}"
    reason = f"copies of rows and labels that are deleted: {rows}; {record}; {short}"
    detail = {"rows": rows, "recorded": recorded, DIGEST_KEY: digest}
    return Event(uuid.uuid4().hex, now.timestamp(), model, ERASED, MODEL_SCOPE, actor, reason, detail)


def _publish(settings: Settings, events: list[Event]) -> str:
    from tightrope.service.adapters.kafka.bus import KafkaBus  # noqa: PLC0415 - loads Kafka
    from tightrope.wiring.topics import kafka_options  # noqa: PLC0415 - likewise

    bus = KafkaBus(kafka_options(settings))
    try:
        EventPublisher(bus, audit_keys(settings)).publish(events)
        bus.flush(PUBLISH_SECONDS)
    except (TightropeError, TimeoutError) as error:
        return str(error)
    finally:
        bus.close(PRODUCER_CLOSE_SECONDS)
    return ""
