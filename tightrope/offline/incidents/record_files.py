"""The record of a model or of one incident, from a state folder or from the file that was exported."""

import json
import zipfile
import zlib
from pathlib import Path

from tightrope.service.adapters.journal.entries import SegmentBegin, read_entries
from tightrope.service.adapters.journal.incident import Incident, IncidentError, read_incident
from tightrope.service.adapters.journal.record import JudgementRecord, read_record
from tightrope.service.adapters.journal.recorder import JOURNAL_FOLDER
from tightrope.service.adapters.journal.segments import stored_incidents
from tightrope.service.api.incidents.export import INCIDENT_FILE, INPUTS_FILE, PLANS_FILE
from tightrope.service.config.loader import Settings

DAMAGE = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError)
"""Errors of a zip file whose bytes were altered."""

MOST_FILE_BYTES = 1 << 30
"""Bytes of one file of an export that are read."""


def model_folder(settings: Settings, model: str) -> Path:
    """The folder of a model's record."""
    return settings.state / JOURNAL_FOLDER / model


def all_incidents(settings: Settings) -> list[Incident]:
    """The incidents of all models, oldest first."""
    found = [each for model in settings.models for each in stored_incidents(model_folder(settings, model))]
    return sorted(found, key=lambda each: each.opened)


def require_incident(settings: Settings, name: str) -> Incident:
    """The incident with this name.

    Raises:
        IncidentError: when no incident has it.
    """
    found = {each.id: each for each in all_incidents(settings)}
    if name not in found:
        raise IncidentError(f"{name[:100]}: there is no such incident; `tightrope incidents CONFIG` lists them")
    return found[name]


def record_of_incident(settings: Settings, name: str) -> JudgementRecord:
    """The record of an incident.

    Raises:
        IncidentError: when no incident has this name.
    """
    incident = require_incident(settings, name)
    return read_record(incident.model, model_folder(settings, incident.model), incident)


def record_of_model(settings: Settings, model: str, since: float) -> JudgementRecord:
    """All that is recorded of a model in segments that began at ``since`` (s since the epoch) or later.

    Raises:
        IncidentError: when nothing is.
    """
    record = read_record(model, model_folder(settings, model))
    recent = [
        data
        for data in record.segments
        if isinstance(begin := next(read_entries(data), None), SegmentBegin) and begin.time >= since
    ]
    if not recent:
        raise IncidentError(f"{model}: nothing is recorded; `record: {{}}` in the configuration records its judgement")
    return JudgementRecord(model, record.plans, recent)


def read_export(path: Path) -> JudgementRecord:
    """The record in an exported file.

    Raises:
        IncidentError: when it is not one.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if any(each.file_size > MOST_FILE_BYTES for each in archive.infolist()):
                raise IncidentError(f"{path}: a file in it has more than {MOST_FILE_BYTES} bytes")
            if damaged := archive.testzip():
                raise IncidentError(f"{path}: {damaged} in it is damaged; export the incident again")
            incident = read_incident(archive.read(INCIDENT_FILE))
            plans = {key: json.dumps(each).encode() for key, each in json.loads(archive.read(PLANS_FILE)).items()}
            names = sorted(name for name in archive.namelist() if name.endswith(INPUTS_FILE))
            return JudgementRecord(incident.model, plans, [archive.read(name) for name in names], incident)
    except (OSError, KeyError, ValueError, AttributeError, *DAMAGE) as error:
        raise IncidentError(f"{path}: is no exported incident: {error}") from error
