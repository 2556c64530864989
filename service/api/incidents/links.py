"""The paths of a gateway that belong to an incident."""

from math import ceil, floor
from typing import TypedDict
from urllib.parse import quote, urlencode

from tightrope.service.adapters.journal.incident import Incident


class IncidentLinks(TypedDict):
    """Paths of a gateway: the incident, its report for people, its file, its events, and what reviewers said of its
    rows; the file and the reviews take the control token. ``card`` and ``statement`` are those of the compressed model
    that was judged when it opened, `null` where that is not known; they answer 404 without a statement of
    qualification, and once another model serves.
    """

    incident: str
    report: str
    file: str
    events: str
    reviews: str
    card: str | None
    statement: str | None


def incident_path(name: str, end: str = "") -> str:
    """The path of an incident; with the ``end`` .html that of its report, with .zip that of its file."""
    return f"/v1/incidents/{quote(name, safe='')}{end}"


def card_path(model: str, artefact: str) -> str:
    """The path of the card of a model, as long as this artefact serves."""
    return f"/v1/models/{quote(model, safe='')}/card?{urlencode({'artefact': artefact})}"


def statement_path(model: str, artefact: str) -> str:
    """The path of the statement by which a model was qualified, as long as this artefact serves."""
    return f"/v1/models/{quote(model, safe='')}/qualification?{urlencode({'artefact': artefact})}"


def incident_links(incident: Incident) -> IncidentLinks:
    """All paths of an incident."""
    span = {"since": floor(incident.opened * 1000) / 1000}  # times of a query are rounded to microseconds
    if incident.closed is not None:
        span["until"] = ceil(incident.closed * 1000) / 1000
    return {
        "incident": incident_path(incident.id),
        "report": incident_path(incident.id, ".html"),
        "file": incident_path(incident.id, ".zip"),
        "events": f"/v1/events?{urlencode({'model': incident.model, **span, 'order': 'asc'})}",
        "reviews": f"/v1/reviews.csv?{urlencode({'model': incident.model, 'incident': incident.id})}",
        "card": card_path(incident.model, incident.artefact) if incident.artefact else None,
        "statement": statement_path(incident.model, incident.artefact) if incident.artefact else None,
    }
