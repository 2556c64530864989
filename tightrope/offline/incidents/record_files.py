"""The record of a model or of one incident, from a state folder or from the file that was exported."""

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tightrope.monitors.plan import Plan
from tightrope.service.adapters.journal.entries import Entry, SegmentBegin, read_entries
from tightrope.service.adapters.journal.incident import Incident, IncidentError, read_incident
from tightrope.service.adapters.journal.plan_codec import decode_plan
from tightrope.service.adapters.journal.recorder import JOURNAL_FOLDER
from tightrope.service.adapters.journal.segments import (
    PLANS_FOLDER,
    covers,
    segment_paths,
    stored_incidents,
)
from tightrope.service.config.loader import Settings

INCIDENT_FILE, PLANS_FILE, INPUTS_FILE = "incident.json", "plan.json", "inputs.journal"
"""The files of an exported incident that are read again."""

DAMAGE = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError)
"""Errors of a zip file whose bytes were altered."""

MOST_FILE_BYTES = 1 << 30
"""Bytes of one file of an export that are read."""


@dataclass(frozen=True, slots=True)
class JudgementRecord:
    """Recorded inputs of a model, as the bytes of its ``segments``, with the documents of the ``plans`` that they name;
    ``incident`` is None where the record is that of all of the model.
    """

    model: str
    plans: Mapping[str, bytes]
    segments: Sequence[bytes]
    incident: Incident | None = None

    def entries(self) -> list[list[Entry]]:
        """The entries of each segment; the first of each is its begin."""
        return [list(read_entries(data)) for data in self.segments]

    def decoded_plans(self) -> dict[str, Plan]:
        """The plans by key."""
        return {key: decode_plan(document) for key, document in self.plans.items()}


def model_folder(settings: Settings, model: str) -> Path:
    """The folder of a model's record."""
    return settings.state / JOURNAL_FOLDER / model


def all_incidents(settings: Settings) -> list[Incident]:
    """The incidents of all models, oldest first."""
    found = [each for model in settings.models for each in stored_incidents(model_folder(settings, model))]
    return sorted(found, key=lambda each: each.opened)


def record_of_incident(settings: Settings, name: str) -> JudgementRecord:
    """The record of an incident.

    Raises:
        IncidentError: when no incident has this name.
    """
    found = {each.id: each for each in all_incidents(settings)}
    if name not in found:
        raise IncidentError(f"{name[:100]}: there is no such incident; `tightrope incidents CONFIG` lists them")
    incident = found[name]
    paths = segment_paths(model_folder(settings, incident.model))
    return _read_record(incident.model, [path for path in paths if covers(incident, int(path.stem))], incident)


def record_of_model(settings: Settings, model: str, since: float) -> JudgementRecord:
    """All that is recorded of a model in segments that began at ``since`` (s since the epoch) or later.

    Raises:
        IncidentError: when nothing is.
    """
    record = _read_record(model, segment_paths(model_folder(settings, model)), None)
    recent = [
        data
        for data in record.segments
        if isinstance(begin := next(read_entries(data), None), SegmentBegin) and begin.time >= since
    ]
    if not recent:
        raise IncidentError(f"{model}: nothing is recorded; `record: {{}}` in the configuration records its judgement")
    return JudgementRecord(model, record.plans, recent)


def _read_record(model: str, paths: Sequence[Path], incident: Incident | None) -> JudgementRecord:
    if not paths:
        return JudgementRecord(model, {}, (), incident)
    plans = {path.stem: path.read_bytes() for path in sorted((paths[0].parent / PLANS_FOLDER).glob("*.json"))}
    return JudgementRecord(model, plans, [path.read_bytes() for path in paths], incident)


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
