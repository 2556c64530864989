"""An incident as one file to take away: the same content gives the same bytes."""

import io
import json
import zipfile
from collections.abc import Sequence

from tightrope.service.adapters.journal.entries import RecordedInput, RecordedState, SegmentBegin
from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.adapters.journal.record import JudgementRecord, segments_of
from tightrope.service.api.incidents.evidence_rows import rows_csv
from tightrope.service.api.incidents.links import incident_links
from tightrope.service.api.incidents.report import report_page

INCIDENT_FILE, PLANS_FILE, INPUTS_FILE = "incident.json", "plan.json", "inputs.journal"
"""The files of an exported incident that are read again."""

FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""The time of each file in the export: that of writing it would make equal exports differ."""

README = """This is an incident of Tightrope: what entered the judgement of a model, from before its first
move to safe mode until all of it was back.

  tightrope replay FILE.zip     judges it again, and compares every state that is recorded with the new one
  tightrope whatif FILE.zip --limits disagreement=0.05     shows what other limits would have led to

report.html          what happened, for people: one page without scripts, to read or to print
rows.csv             the rows that carried most evidence for the first alarm, the newest first among equal ones, and
                     ordinary rows of the same group before it; value is that of the monitor that raised the alarm
incident.json        the moves with their reasons, versions and host of the judge, and whether the record is complete
plan.json            the plans by which the model was judged, by their keys
state-before.msgpack the state before the first input
N-inputs.journal     a segment: a state, and the inputs after it; a judge that started again began a new one
states.sha256        the digests of states: the segment, the number of inputs in it before, the digest

What of ids of requests and of input columns is here, incident.json says. The key of digests is not here.
"""


def export_bytes(record: JudgementRecord) -> bytes:
    """The record of an incident as a zip file.

    Raises:
        IncidentError: when a segment of it is damaged.
    """
    assert record.incident is not None  # noqa: S101 - the caller asked for one
    segments = list(segments_of(record.entries()))
    begins = [begin for begin, _ in segments]
    document = exported_document(record.incident) | {
        "versions": [dict(each) for each in dict.fromkeys(tuple(sorted(begin.versions.items())) for begin in begins)],
        "hosts": list(dict.fromkeys(begin.host for begin in begins)),
        "redaction": _redaction(begins),
    }
    keys = {begin.plan for begin in begins} | {
        entry.plan for _, others in segments for entry in others if isinstance(entry, RecordedInput) and entry.plan
    }
    plans = {key: json.loads(record.plans[key]) for key in sorted(keys)}
    contents = {
        INCIDENT_FILE: json.dumps(document, indent=1).encode(),
        PLANS_FILE: json.dumps(plans).encode(),
        "state-before.msgpack": begins[0].state if begins else b"",
        **{f"{number:04d}-{INPUTS_FILE}": data for number, data in enumerate(record.segments, 1)},
        "states.sha256": _digest_lines(record).encode(),
        "rows.csv": rows_csv(record).encode(),
        "report.html": report_page(record.incident),
        "README.txt": README.encode(),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name, FIXED_TIME), content, zipfile.ZIP_DEFLATED, 6)
    return file.getvalue()


def _redaction(begins: Sequence[SegmentBegin]) -> dict[str, object]:
    """The values that were left out before anything was written; nothing is known of a record without a segment."""
    if not begins:
        return {}
    return {**begins[0].redaction, "search": "repeated" if begins[0].has_columns else "left out"}


def exported_document(incident: Incident) -> dict[str, object]:
    """The document of an incident, with the paths under which a gateway has what belongs to it."""
    links = incident_links(incident)
    return incident.document() | {"events": links["events"], "reviews": links["reviews"]}


def _digest_lines(record: JudgementRecord) -> str:
    lines = []
    for number, entries in enumerate(record.entries(), 1):
        inputs = 0
        for entry in entries:
            inputs += isinstance(entry, RecordedInput)
            if isinstance(entry, RecordedState):
                lines.append(f"{number:04d} {inputs} {entry.sha256}\n")
    return "".join(lines)
