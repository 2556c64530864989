"""The JSON of incidents, and of what they lead to, as types; `openapi.json` is derived from them."""

from typing import Annotated, Any, TypedDict

from msgspec import Meta

from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.api.incidents.links import IncidentLinks, incident_links
from tightrope.service.api.incidents.words import move_sentence


class IncidentEntry(TypedDict):
    """An incident: from the first move of a model to safe mode until all of it is back."""

    id: str
    model: str
    opened: Annotated[float, Meta(description="Event time of the first move, in seconds since the epoch")]
    closed: Annotated[float | None, Meta(description="Event time of the last move; `null` while it is open")]
    advisory: Annotated[bool, Meta(description="The fallback only advised: no traffic moved")]
    scopes: Annotated[list[str], Meta(description="The scopes that moved, in the order of their first move")]
    complete: Annotated[bool, Meta(description="Every input of the judgement is in its record")]
    artefact: Annotated[str, Meta(description="SHA-256 of the compressed model at its begin; empty if not known")]
    links: IncidentLinks


class MoveSentence(TypedDict):
    """One change of a scope's mode, also in a sentence; ``time`` is event time in seconds since the epoch."""

    time: float
    scope: str
    trigger: str
    state: str
    actor: str
    reason: str
    text: str


class IncidentDocument(IncidentEntry):
    """An incident with its moves, and the reasons for which its record is not complete."""

    moves: list[MoveSentence]
    missing: list[str]


class IncidentList(TypedDict):
    """The incidents that are recorded, newest first."""

    recorded: Annotated[bool, Meta(description="`false` where nothing is recorded: the configuration has no `record`")]
    known: Annotated[
        bool,
        Meta(
            description="`false` while a gateway of a cluster has not read the incidents of the judges since its start:"
            " there may be others, and whether there are any is unknown"
        ),
    ]
    incidents: list[IncidentEntry]


class StatementAnswer(TypedDict):
    """The statement about the compressed model that serves now, and what speaks against it."""

    model: str
    artefact: Annotated[str, Meta(description="The SHA-256 of the compressed model that it is about")]
    verdict: str
    objections: list[str]
    digest: Annotated[str, Meta(description="The SHA-256 of the statement's payload; empty without one that is valid")]
    card: Annotated[str | None, Meta(description="The path of the card that was made of it, if there is one")]
    incidents: Annotated[str, Meta(description="The path of the model's incidents")]
    statement: Annotated[dict[str, Any] | None, Meta(description="The in-toto statement; `null` without a valid one")]


def incident_entry(incident: Incident) -> IncidentEntry:
    """The entry of an incident."""
    return {
        "id": incident.id,
        "model": incident.model,
        "opened": incident.opened,
        "closed": incident.closed,
        "advisory": incident.advisory,
        "scopes": list(incident.scopes),
        "complete": not incident.missing,
        "artefact": incident.artefact,
        "links": incident_links(incident),
    }


def incident_document(incident: Incident) -> IncidentDocument:
    """All of an incident but its record."""
    moves: list[MoveSentence] = [
        {
            "time": move.time,
            "scope": move.scope,
            "trigger": move.trigger,
            "state": move.state,
            "actor": move.actor,
            "reason": move.reason,
            "text": move_sentence(incident.model, move, advisory=incident.advisory),
        }
        for move in incident.moves
    ]
    return {**incident_entry(incident), "moves": moves, "missing": list(incident.missing)}
