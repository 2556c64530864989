"""An incident as one file to take away: the same content gives the same bytes."""

import json
import zipfile
from pathlib import Path

from tightrope.offline.incidents.record_files import INCIDENT_FILE, INPUTS_FILE, PLANS_FILE, JudgementRecord
from tightrope.offline.incidents.replay import segments_of
from tightrope.service.adapters.journal.entries import RecordedInput, RecordedState

FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""The time of each file in the export: that of writing it would make equal exports differ."""

README = """This is an incident of Tightrope: what entered the judgement of a model, from before its first
move to safe mode until all of it was back.

  tightrope replay FILE.zip     judges it again, and compares every state that is recorded with the new one
  tightrope whatif FILE.zip --limits disagreement=0.05     shows what other limits would have led to

incident.json        the moves with their reasons, versions and host of the judge, and whether the record is complete
plan.json            the plans by which the model was judged, by their keys
state-before.msgpack the state before the first input
N-inputs.journal     a segment: a state, and the inputs after it; a judge that started again began a new one
states.sha256        the digests of states: the segment, the number of inputs in it before, the digest

Ids of requests are digests under a key that is not here. Whether values of input columns are here, incident.json says.
"""


def export_incident(record: JudgementRecord, path: Path) -> None:
    """Write the record of an incident as a file."""
    assert record.incident is not None  # noqa: S101 - the caller asked for one
    segments = list(segments_of(record.entries()))
    begins = [begin for begin, _ in segments]
    document = record.incident.document() | {
        "versions": [dict(each) for each in dict.fromkeys(tuple(sorted(begin.versions.items())) for begin in begins)],
        "hosts": list(dict.fromkeys(begin.host for begin in begins)),
        "redaction": {"ids": "digests", "columns": "kept" if begins[0].has_columns else "left out"},
    }
    keys = {begin.plan for begin in begins} | {
        entry.plan for _, others in segments for entry in others if isinstance(entry, RecordedInput) and entry.plan
    }
    plans = {key: json.loads(record.plans[key]) for key in sorted(keys)}
    contents = {
        INCIDENT_FILE: json.dumps(document, indent=1).encode(),
        PLANS_FILE: json.dumps(plans).encode(),
        "state-before.msgpack": begins[0].state,
        **{f"{number:04d}-{INPUTS_FILE}": data for number, data in enumerate(record.segments, 1)},
        "states.sha256": _digest_lines(record).encode(),
        "README.txt": README.encode(),
    }
    draft = path.with_name(f"{path.name}.part")
    with zipfile.ZipFile(draft, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name, FIXED_TIME), content, zipfile.ZIP_DEFLATED, 6)
    draft.replace(path)


def _digest_lines(record: JudgementRecord) -> str:
    lines = []
    for number, entries in enumerate(record.entries(), 1):
        inputs = 0
        for entry in entries:
            inputs += isinstance(entry, RecordedInput)
            if isinstance(entry, RecordedState):
                lines.append(f"{number:04d} {inputs} {entry.sha256}\n")
    return "".join(lines)
