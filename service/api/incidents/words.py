"""The moves of an incident as people say them."""

from datetime import UTC, datetime

from tightrope.monitors.boundaries.asked_classes import NARROWED_START
from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.monitors.safemode import Input
from tightrope.service.adapters.journal.incident import Incident, Move
from tightrope.service.api.overview.event_words import event_sentence
from tightrope.service.api.overview.phrases import EVERYBODY, joined, scope_title

WITHOUT_EVIDENCE = "no monitor speaks against it"
"""The reason of a return after blindness, for which no monitor had to prove anything."""


def move_sentence(model: str, move: Move, *, advisory: bool = False) -> str:
    """One move in a sentence.

    >>> move_sentence("m", Move(0.0, "sex=f", "force-safe", "normal", "Ben", "incident 7"))
    'Ben had the full model answer f (sex): incident 7'
    """
    if move.trigger == Input.RECOVERED:
        proved = "answers are compared again" if move.reason.startswith(WITHOUT_EVIDENCE) else "it has proved itself"
        return f"The small model answers {_who(move.scope)} again: {proved}."
    _, is_narrowed, classes = move.reason.partition(NARROWED_START)
    asked = classes.split(", ") if is_narrowed else []
    detail = {"moved": True, "armed": not advisory, "after": {"state": move.state, "asked": asked}}
    return event_sentence(Event("", move.time, model, move.trigger, move.scope, move.actor, move.reason, detail))


def scope_words(incident: Incident) -> str:
    """The scopes that moved, in words."""
    return joined([_who(scope) for scope in incident.scopes]) if incident.scopes else EVERYBODY


def utc_time(seconds: float | None) -> str:
    """A time (UTC) for people; empty for None.

    >>> utc_time(0.0)
    '1970-01-01 00:00:00'
    """
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def _who(scope: str) -> str:
    return EVERYBODY if scope == MODEL_SCOPE else scope_title(scope)
