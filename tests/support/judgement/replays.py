"""Replays of all that a state folder has recorded."""

from collections.abc import Iterator
from pathlib import Path

from tightrope.offline.incidents.export import export_incident
from tightrope.offline.incidents.record_files import all_incidents, read_export, record_of_incident
from tightrope.offline.incidents.replay import replay
from tightrope.offline.incidents.what_if import what_if
from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.config.loader import Settings


def shortcomings_of_record(settings: Settings, folder: Path) -> list[str]:
    """The faults of the incidents of a state folder; each is exported to ``folder``, and replayed from there."""
    return [
        f"{each.id}: {found}" for each in all_incidents(settings) for found in _shortcomings(settings, each, folder)
    ]


def _shortcomings(settings: Settings, incident: Incident, folder: Path) -> Iterator[str]:
    path = folder / f"{incident.id}.zip"
    export_incident(record_of_incident(settings, incident.id), path)
    record = read_export(path)
    result = replay(record)
    if result.differs:
        yield f"the state after input {result.differs} of {result.inputs} differs"
    if not result.states or not result.answers:
        yield f"{result.states} states and {result.answers} answers were compared"
    if missed := result.missed_moves(incident):
        yield f"other moves: {missed}"
    if incident.missing:
        yield f"not complete: {incident.missing}"
    repeated = [each.move for each in what_if(record, {}) if each.move.time >= incident.opened]
    if repeated != list(incident.moves):
        yield f"the limits that held give {repeated}, and not {incident.moves}"
