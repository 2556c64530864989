"""The incident to which a time belongs."""

from collections.abc import Sequence

from tightrope.service.adapters.journal.incident import Incident


def is_within(incident: Incident, time: float) -> bool:
    """Whether a time (s since the epoch) lies within an incident, its ends included."""
    return incident.opened <= time and (incident.closed is None or time <= incident.closed)


def incident_at(incidents: Sequence[Incident], model: str, time: float) -> str | None:
    """The id of the newest incident of a model that a time (s since the epoch) lies within."""
    return next((each.id for each in reversed(incidents) if each.model == model and is_within(each, time)), None)
