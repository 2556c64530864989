"""Events of the audit trail in the log: one line each, in the words of people."""

import logging
from collections.abc import Callable, Mapping

from tightrope.monitors.records import Event
from tightrope.service.adapters.audit.redaction import DIGEST_KEY
from tightrope.service.api.overview.event_words import HARM, QUIET_KINDS, event_sentence, event_sort

log = logging.getLogger(__name__)

TOOK_OVER, RECORD_LOST = "took-over", "record-lost"

STOPPED_RECORD, DISK_CAUSE = "record-stopped", "disk"
"""The event of a record that stopped, and the cause in its detail that the log calls the reserve of the disk."""

DETAIL_FIELDS = ("incident", DIGEST_KEY, "trace_id")
"""Fields of a line that are those of the event's detail."""

LOG_EVENTS: Mapping[str, str] = {
    "recovered": "gave-back",
    "blind": "blind",
    "blind-began": "blind",
    "scope-blind-began": "blind",
    "starved-began": "blind",
    "blind-ended": "sees-again",
    "scope-blind-ended": "sees-again",
    "starved-ended": "sees-again",
    "judge-silent": "judge-silent",
    "plan-unjudged": "judge-silent",
    "force-safe": "order",
    "force-normal": "order",
    "release": "order",
    "order-refused": "order",
    "deployed": "deployed",
    "rolled-back": "deployed",
    "rows-lost": RECORD_LOST,
    STOPPED_RECORD: "disk-reserve",
}
"""The log's event by the kind of the audit trail. Other kinds keep their names, unless the full model took over."""

ERROR_KINDS = frozenset({"blind-began", "judge-silent", "plan-unjudged", "unqualified", "unreadable"})
"""Kinds after which the full model answers all requests."""


def log_event(event: Event, seq_of: Callable[[str], int | None] = lambda _: None) -> None:
    """Write an event to the log. ``seq_of`` gives the number in the audit trail of an event that is saved, by its id.

    Request ids are left out, as they are of the audit trail: the line has the digest that stands for one there.
    """
    fields = {"event": log_name(event), "kind": event.kind, "model": event.model, "scope": event.scope}
    seq = seq_of(event.id)
    number = {} if seq is None else {"seq": seq}
    found = {name: event.detail[name] for name in DETAIL_FIELDS if event.detail.get(name)}
    log.log(_level(event), "%s: %s", event.model, event_sentence(event), extra={"fields": fields | number | found})


def log_name(event: Event) -> str:
    """The log's name of an event.

    >>> log_name(Event("1", 0.0, "m", "breach", "sex=f", "judge", "", {"moved": True}))
    'took-over'
    """
    if event.kind == STOPPED_RECORD and event.detail.get("cause", DISK_CAUSE) != DISK_CAUSE:
        return RECORD_LOST
    if event.kind in LOG_EVENTS:
        return LOG_EVENTS[event.kind]
    return TOOK_OVER if event.detail.get("moved") and event_sort(event.kind) == HARM else event.kind


def _level(event: Event) -> int:
    if event.kind in ERROR_KINDS:
        return logging.ERROR
    if event.kind in QUIET_KINDS:
        return logging.DEBUG
    return logging.WARNING if event_sort(event.kind) == HARM else logging.INFO
