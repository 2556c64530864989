"""Notes of gateways about scopes whose requests are not kept, or whose kept rows do not reach the judge.

How it works. Only a gateway knows what it serves and keeps, so it tells the judge by events. A verdict on such a scope
is no pass: the rows that are judged may not be like those that are missing. A gateway repeats the event while that
lasts; a note that is not repeated ends, because a gateway that has ended cannot take it back.
"""

from collections.abc import Mapping

from tightrope.monitors.records import MODEL_SCOPE, Event

STARVED_BEGAN, STARVED_ENDED = "starved-began", "starved-ended"
LOST_BEGAN, LOST_ENDED = "rows-lost", "rows-arrive"
"""Kinds of the events in the audit trail."""

REPEAT_SECONDS = 300.0
"""Time after which a gateway repeats its event."""

NOTE_SECONDS = 3 * REPEAT_SECONDS
"""Time for which a note counts that is not repeated."""

SightNotes = Mapping[str, Mapping[str, float]]
"""By the kind of the event, the scopes, and the time at which a gateway told it last, in seconds since the epoch."""

_BEGINNINGS = {STARVED_ENDED: STARVED_BEGAN, LOST_ENDED: LOST_BEGAN}
_TEXTS = {
    STARVED_BEGAN: "a gateway keeps fewer than half of the requests that the draw should keep",
    LOST_BEGAN: "fewer than half of the rows that a gateway keeps reach the judge",
}


def note_event(notes: SightNotes, event: Event, now: float) -> SightNotes:
    """Return the notes after an event of any kind, received at ``now``.

    >>> event = Event("1", 5.0, "m", STARVED_BEGAN, "sex=f", "gateway", "")
    >>> note_event({}, event, now=9.0)
    {'starved-began': {'sex=f': 5.0}}
    """
    kind = _BEGINNINGS.get(event.kind, event.kind)
    if kind not in _TEXTS:
        return notes
    scopes = {scope: time for scope, time in notes.get(kind, {}).items() if scope != event.scope}
    if event.kind == kind:
        scopes[event.scope] = min(event.time, now)
    return {**notes, kind: scopes}


def missing_sight(notes: SightNotes, scope: str, now: float) -> str:
    """Explain why a verdict on a scope is no pass at ``now``; empty without a reason. The scopes of a starved
    model are starved, too.

    >>> missing_sight({STARVED_BEGAN: {"model": 5.0}}, "sex=f", now=9.0)
    'a gateway keeps fewer than half of the requests that the draw should keep'
    """
    for kind, text in _TEXTS.items():
        reported = notes.get(kind, {})
        whole = reported.get(MODEL_SCOPE, float("-inf")) if kind == STARVED_BEGAN else float("-inf")
        if now - max(reported.get(scope, float("-inf")), whole) <= NOTE_SECONDS:
            return text
    return ""
