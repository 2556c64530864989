"""Builds the recorder of a judge."""

import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import TypeAlias

from tightrope import __version__
from tightrope.monitors.records import Event
from tightrope.service.adapters import cpu
from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.journal.model_journal import Recording
from tightrope.service.adapters.journal.recorder import (
    IDS_FILE,
    IDS_SECRET_BYTES,
    JOURNAL_FOLDER,
    JournalRecorder,
    RecordLimits,
)
from tightrope.service.adapters.journal.redaction import Redaction
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.secret_file import kept_secret
from tightrope.service.api.incidents.library import NO_INCIDENTS, IncidentLibrary, StoredIncidents
from tightrope.service.config.loader import Settings
from tightrope.wiring.recording.chain_watch import ChainWatch, KeptChain
from tightrope.wiring.recording.watch import RecordWatch

StateWatch: TypeAlias = RecordWatch | ChainWatch

LEAD_MEMORY_BYTES = 16 << 20
"""Bytes of memory for the inputs before an incident, shared by the models of a process."""


def current_versions() -> Mapping[str, str]:
    """The versions of all that has a part in the fold."""
    others = {name: version(name) for name in ("msgspec", "numpy")}
    return {"tightrope": __version__, "python": platform.python_version(), **others}


def build_recorder(settings: Settings, models: Iterable[str]) -> JournalRecorder | None:
    """The recorder of these models; None where the configuration says `record: null`."""
    section = settings.record
    if section is None:
        return None
    folder = settings.state / JOURNAL_FOLDER
    key = kept_secret(settings.state / IDS_FILE, IDS_SECRET_BYTES)
    sections = {name: settings.models[name].redact for name in models}
    redactions = {name: Redaction(key, each.columns, each.ids) for name, each in sections.items()}
    lead = 0 if section.keep == "all" else LEAD_MEMORY_BYTES // max(len(redactions), 1)
    limits = RecordLimits(section.keep_days, section.most_bytes)
    space = FreeSpace(folder, reserve=section.reserve_bytes)
    recording = Recording(time.time, current_versions(), cpu.cpu_name(), lead)
    return JournalRecorder(folder, redactions, recording, limits, space)


def incident_library(settings: Settings) -> IncidentLibrary:
    """The incidents in the state folder; none where the configuration asks for no record."""
    if settings.record is None:
        return NO_INCIDENTS
    return StoredIncidents(settings.state / JOURNAL_FOLDER, list(settings.models))


def watch_record(
    settings: Settings, recorder: JournalRecorder | None, add_event: Callable[[Event], None], metrics: Metrics
) -> RecordWatch | None:
    """The watch over the record of a process; None where nothing is recorded."""
    if settings.record is None or recorder is None:
        return None
    folder = settings.state / JOURNAL_FOLDER
    space = FreeSpace(folder, reserve=settings.record.reserve_bytes)
    library, models = incident_library(settings), list(settings.models)
    return RecordWatch(folder, models, library, space, recorder.progress, add_event, metrics)


def build_watches(
    settings: Settings,
    recorder: JournalRecorder | None,
    chain: KeptChain,
    add_event: Callable[[Event], None],
    metrics: Metrics,
) -> Sequence[StateWatch]:
    """The watches over the audit trail of a process, and over its record if it has one."""
    record = watch_record(settings, recorder, add_event, metrics)
    trail = ChainWatch(chain, list(settings.models), add_event, metrics)
    return [trail] if record is None else [trail, record]
