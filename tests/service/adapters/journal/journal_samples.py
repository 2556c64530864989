"""Segments of a record without inputs, for tests of the files."""

from dataclasses import replace
from pathlib import Path

from tightrope.service.adapters.journal.entries import SegmentBegin, encode_entry
from tightrope.service.adapters.journal.segments import segment_path

BEGIN = SegmentBegin(b"state", "k", 1.0, (0, 0, 0), {"model": 0}, {"numpy": "2"}, "host", has_columns=False)


def segment(folder: Path, number: int, rows: int) -> None:
    """Write a segment that begins at this number of rows."""
    begin = replace(BEGIN, time=float(number), position=(rows, 0, 0), rows={"model": rows})
    segment_path(folder, number).write_bytes(encode_entry(begin))
