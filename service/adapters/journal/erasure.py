"""Erases the id of a request from the record of the judgement, together with what the record has of its input.

How it works. A segment that has the id, as it is or as a digest, is written anew. In its rows, and in those that wait
in its state, a random placeholder takes the place of the id; trace, caller, hash and columns of the row become unknown.
Each entry notes the placeholders of its rows, so that a replay can tell that the states after it are others. The fold
compares ids for equality only, so the moves mostly stay.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tightrope.monitors.folding.inputs import ComparedRows, LabelledRows
from tightrope.monitors.records import Comparisons, Stream
from tightrope.service.adapters.journal.entries import (
    Entry,
    Position,
    RecordedInput,
    SegmentBegin,
    encode_entry,
    raw_entries,
    read_entry,
)
from tightrope.service.adapters.journal.id_digests import stored_forms
from tightrope.service.adapters.journal.incident import INCIDENTS_FOLDER, write_incident
from tightrope.service.adapters.journal.record import BEFORE_ALL, is_covered, last_position
from tightrope.service.adapters.journal.segments import covers, segment_paths, stored_incidents
from tightrope.service.adapters.sqlite.erasure import ROW_MARK
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.adapters.wire.record_codec import decode_state, encode_state

log = logging.getLogger(__name__)

UNKNOWN_COLUMNS = {"trace_id": "", "caller": 0, "twin": 0, "features": np.nan}
"""The columns of a row that could lead to its caller or its input, each with the value of one that is unknown."""


class ErasedRows:
    """Counts the rows whose ids were erased, over segments in their order. A row is in the record up to three times:
    compared, in a state in which it waits, and with its label; and once more after a restart. It counts once.
    """

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}
        self._covered: Position = BEFORE_ALL

    def add(self, begin: SegmentBegin, others: Sequence[Entry]) -> None:
        """Count the rows of the next segment."""
        self._counts["waiting"] = self._counts.get("waiting", Counter()) | Counter(begin.erased)
        for entry in others:
            if isinstance(entry, RecordedInput) and entry.erased and not is_covered(entry.position, self._covered):
                self._counts.setdefault(type(entry.item).__name__, Counter()).update(entry.erased)
        self._covered = last_position(begin, others)

    @property
    def by_name(self) -> Counter[str]:
        """The number of rows so far, by the name that stands for their request."""
        most: Counter[str] = Counter()
        for each in self._counts.values():
            most |= each
        return most


def erase_from_record(folder: Path, names: Sequence[str], placeholder: str, note: str) -> Counter[str]:
    """Erase the request with these ``names``, its id and the digests of it, from the records of all models in a folder.
    The ``note`` is the reason for which incidents with its rows are not complete any more. Returns the number of rows
    by model. A segment that cannot be read stays, and a warning tells it.

    Raises:
        OSError: when a file cannot be read or written.
    """
    if not folder.is_dir():
        return Counter()
    erasure = _Erasure(names, placeholder, note)
    models = sorted(path for path in folder.iterdir() if path.is_dir())
    return +Counter({path.name: erasure.erase_from_model(path) for path in models})


class _Erasure:
    """Erases one request from records."""

    def __init__(self, names: Sequence[str], placeholder: str, note: str) -> None:
        self._forms = set[bytes]().union(*map(stored_forms, names))
        self._names, self._placeholder, self._note = frozenset(names), placeholder, note

    def erase_from_model(self, folder: Path) -> int:
        """Erase it from a model's record; returns the number of its rows."""
        counted, changed = ErasedRows(), set[int]()
        for path in segment_paths(folder):
            data = path.read_bytes()
            if self._is_in(data):
                try:
                    begin, others = self._rewrite(path, data)
                except WireError as error:
                    log.warning("%s cannot be read, so it may still have an id: %s", path, error)
                else:
                    counted.add(begin, others)
                    changed.add(int(path.stem))
        for incident in stored_incidents(folder):
            if any(covers(incident, number) for number in changed):
                write_incident(folder / INCIDENTS_FOLDER, incident.without(self._note))
        return counted.by_name[self._placeholder]

    def _is_in(self, data: bytes) -> bool:
        return any(form in data for form in self._forms)

    def _rewrite(self, path: Path, data: bytes) -> tuple[SegmentBegin, Sequence[Entry]]:
        """Write a segment without the request; what follows a damaged entry is left out, as a replay does."""
        contents: list[bytes] = []
        entries: list[Entry] = []
        for raw in raw_entries(data):
            entry = read_entry(raw)
            new = self._without(entry) if self._is_in(raw) else entry
            contents.append(raw if new is entry else encode_entry(new))
            entries.append(new)
        if not entries or not isinstance(entries[0], SegmentBegin):
            raise WireError("it has no begin")
        draft = path.with_suffix(".part")
        draft.write_bytes(b"".join(contents))
        draft.replace(path)
        return entries[0], entries[1:]

    def _without(self, entry: Entry) -> Entry:
        if isinstance(entry, SegmentBegin):
            state = decode_state(entry.state)
            parts = {
                stream: self._rows(rows, numbered=stream is Stream.LABELS) for stream, rows in state.pending.items()
            }
            waiting = Counter[str]()
            for _, erased in parts.values():
                waiting |= Counter(erased)
            pending = {stream: rows for stream, (rows, _) in parts.items()}
            encoded = encode_state(replace(state, pending=pending))
            return replace(entry, state=encoded, erased=(*entry.erased, *waiting.elements()))
        if isinstance(entry, RecordedInput) and isinstance(entry.item, ComparedRows | LabelledRows):
            rows, erased = self._rows(entry.item.rows, numbered=isinstance(entry.item, LabelledRows))
            return replace(entry, item=replace(entry.item, rows=rows), erased=(*entry.erased, *erased))
        return entry

    def _rows(self, rows: Comparisons, *, numbered: bool) -> tuple[Comparisons, list[str]]:
        """Rows without the request, and the placeholder for each of its rows; the ids of those that are ``numbered``
        end with the number of the row.
        """
        parts = [name.rpartition(ROW_MARK) if numbered else (name, "", "") for name in rows.request_id]
        own = np.array([name in self._names for name, *_ in parts], dtype=bool)
        if not own.any():
            return rows, []
        names = tuple(
            self._placeholder + mark + row if name in self._names else name + mark + row for name, mark, row in parts
        )
        columns = {name: getattr(rows, name).copy() for name in UNKNOWN_COLUMNS}
        for name, unknown in UNKNOWN_COLUMNS.items():
            columns[name][own] = unknown
        return replace(rows, request_id=names, **columns), [self._placeholder] * int(own.sum())
