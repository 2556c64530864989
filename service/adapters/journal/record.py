"""The record of one incident, or of all of a model, as it is read again: the bytes of its segments, and its plans."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tightrope.monitors.plan import Plan
from tightrope.service.adapters.journal.entries import Entry, Position, RecordedInput, SegmentBegin, read_entries
from tightrope.service.adapters.journal.incident import Incident, IncidentError
from tightrope.service.adapters.journal.plan_codec import decode_plan
from tightrope.service.adapters.journal.segments import PLANS_FOLDER, covers, segment_paths

BEFORE_ALL: Position = (-1, -1, -1)
"""The position before all others."""


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


def read_record(model: str, folder: Path, incident: Incident | None = None) -> JudgementRecord:
    """The record in a model's folder: of one incident, or all of it.

    Raises:
        OSError: when a file cannot be read.
    """
    paths = [path for path in segment_paths(folder) if incident is None or covers(incident, int(path.stem))]
    if not paths:
        return JudgementRecord(model, {}, (), incident)
    plans = {path.stem: path.read_bytes() for path in sorted((folder / PLANS_FOLDER).glob("*.json"))}
    return JudgementRecord(model, plans, [path.read_bytes() for path in paths], incident)


def segments_of(segments: Sequence[Sequence[Entry]]) -> Iterator[tuple[SegmentBegin, Sequence[Entry]]]:
    """The begin of each segment, and its other entries.

    Raises:
        IncidentError: when a segment has no begin.
    """
    for entries in segments:
        if not entries or not isinstance(entries[0], SegmentBegin):
            raise IncidentError("a segment of the record is damaged: its begin cannot be read")
        yield entries[0], entries[1:]


def plan_of(plans: Mapping[str, Plan], key: str) -> Plan:
    """The plan with this key.

    Raises:
        IncidentError: when the record does not have it.
    """
    if key not in plans:
        raise IncidentError(f"plan {key}: is not in the record")
    return plans[key]


def is_covered(position: Position, covered: Position) -> bool:
    """Whether an input stands in the segment before as well, whose last position is ``covered``: a judge that starts
    again, or takes over, judges what followed its snapshot once more.
    """
    return all(own <= last for own, last in zip(position, covered, strict=True))


def last_position(begin: SegmentBegin, others: Sequence[Entry]) -> Position:
    """The position at the end of a segment."""
    return next((each.position for each in reversed(others) if isinstance(each, RecordedInput)), begin.position)
