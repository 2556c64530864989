"""The files of one model's record: numbered segments, the plans that they name, and the incidents in them.

STATE/journal/MODEL/00000007.journal        a state and the inputs after it, up to 8 MB or ten minutes
STATE/journal/MODEL/plans/75d60e117064c33e.json
STATE/journal/MODEL/incidents/MODEL-20261128-162150.json
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tightrope.service.adapters.journal.entries import Position, RecordedInput, SegmentBegin, read_entries
from tightrope.service.adapters.journal.incident import INCIDENTS_FOLDER, Incident, IncidentError, read_incident
from tightrope.service.adapters.wire.envelope import WireError

log = logging.getLogger(__name__)

JOURNAL_SUFFIX, PLANS_FOLDER = ".journal", "plans"

MOST_SEGMENT_BYTES, MOST_SEGMENT_SECONDS = 16 << 20, 600.0
"""A segment ends after this many bytes, or seconds."""

LEAD_ROWS, MOST_LEAD_BYTES = 2_048, 64 << 20
"""The record of an incident begins this many rows of its first scope before, or this many bytes."""


@dataclass(slots=True)
class SegmentFile:
    """The known facts of one segment: its size, when it began (s since the epoch), the rows of each scope before it,
    and the position after its last input.
    """

    path: Path
    size: int
    time: float
    rows: Mapping[str, int]
    position: Position

    @property
    def number(self) -> int:
        """The number of the segment."""
        return int(self.path.stem)


class RecordedFiles:
    """The files of one model, oldest first. Those of an earlier process are read once; unreadable ones are left out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = (known_segment(path) for path in segment_paths(folder))
        self.segments = {each.number: each for each in found if each is not None}
        self.incidents = {each.id: each for each in stored_incidents(folder)}

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(each.size for each in self.segments.values())

    @property
    def next_number(self) -> int:
        """The number of the next segment: above all that there are, whether readable or not."""
        return max((int(path.stem) for path in segment_paths(self.folder)), default=0) + 1

    def free_segments(self) -> Iterator[SegmentFile]:
        """The segments that belong to no incident, with the exception of the newest, oldest first."""
        newest = max(self.segments, default=0)
        for number, segment in sorted(self.segments.items()):
            if number != newest and not any(covers(each, number) for each in self.incidents.values()):
                yield segment

    def first_of_lead(self, scope: str, rows: int) -> int:
        """The first segment of an incident that begins now, at this number of rows of its first scope."""
        size, first = 0, max(self.segments)
        for number, segment in sorted(self.segments.items(), reverse=True):
            size += segment.size
            if size > MOST_LEAD_BYTES and number != first:
                break
            first = number
            if rows - segment.rows.get(scope, 0) >= LEAD_ROWS:
                break
        return first

    def drop_segment(self, segment: SegmentFile) -> None:
        """Delete a segment."""
        segment.path.unlink(missing_ok=True)
        self.segments.pop(segment.number, None)

    def drop_incident(self, incident: Incident) -> None:
        """Delete an incident; its segments are free then, if they belong to no other one."""
        (self.folder / INCIDENTS_FOLDER / f"{incident.id}.json").unlink(missing_ok=True)
        self.incidents.pop(incident.id, None)


def covers(incident: Incident, number: int) -> bool:
    """Whether a segment belongs to an incident."""
    return incident.first <= number and (incident.last is None or number <= incident.last)


def segment_paths(folder: Path) -> list[Path]:
    """The segments of a model, oldest first."""
    return sorted(path for path in folder.glob(f"*{JOURNAL_SUFFIX}") if path.stem.isdecimal())


def segment_path(folder: Path, number: int) -> Path:
    """The path of a segment."""
    return folder / f"{number:08d}{JOURNAL_SUFFIX}"


def known_segment(path: Path) -> SegmentFile | None:
    """The facts in a segment's file; None where it cannot be read."""
    try:
        data = path.read_bytes()
        begin, *others = read_entries(data)
    except (OSError, WireError, ValueError) as error:
        log.warning("%s is left out: %s", path, error)
        return None
    if not isinstance(begin, SegmentBegin):
        return None
    positions = [each.position for each in others if isinstance(each, RecordedInput)]
    return SegmentFile(path, len(data), begin.time, begin.rows, positions[-1] if positions else begin.position)


def stored_incidents(folder: Path) -> Iterator[Incident]:
    """The incidents of a model, oldest first; unreadable ones are left out."""
    found = []
    for path in (folder / INCIDENTS_FOLDER).glob("*.json"):
        try:
            found.append(read_incident(path.read_bytes()))
        except (OSError, IncidentError) as error:
            log.warning("%s is left out: %s", path, error)
    return iter(sorted(found, key=lambda each: each.opened))
