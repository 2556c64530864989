"""Writes an incident to a file."""

from pathlib import Path

from tightrope.service.adapters.journal.record import JudgementRecord
from tightrope.service.api.incidents.export import export_bytes


def export_incident(record: JudgementRecord, path: Path) -> None:
    """Write the record of an incident as a file."""
    write_file(export_bytes(record), path)


def write_file(content: bytes, path: Path) -> None:
    """Write a file as a whole: it has its name once it is complete."""
    draft = path.with_name(f"{path.name}.part")
    draft.write_bytes(content)
    draft.replace(path)
