"""Erases the id of a request from a state folder, and tells what is left elsewhere: `tightrope erase`."""

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tightrope.service.adapters.archive.row_erasure import erase_kept_rows, files_without_identity
from tightrope.service.adapters.sqlite.erasure import erase_from_alerts, renamed, renaming
from tightrope.service.adapters.sqlite.review_table import ReviewTable
from tightrope.service.adapters.sqlite.state_file import UNREADABLE_MARK, StoreError
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.topics import COMPARISONS, DEAD, EVENTS, LABELS, PAYLOADS, SAMPLES, SNAPSHOTS, topic
from tightrope.service.app import ROWS_FOLDER
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.errors import UnavailableError
from tightrope.wiring.audit_keys import audit_keys
from tightrope.wiring.embedded import DATABASE
from tightrope.wiring.review import REVIEW_DATABASE

ALERT_FILES = ("alerts.db", "marks.db")
PLACEHOLDER_BYTES = 8

TOPICS_WITH_IDS = (SAMPLES, COMPARISONS, LABELS, PAYLOADS, DEAD, EVENTS)
"""The topics with request ids that retention ends; events only as an older Tightrope wrote them."""

LEAST_SCANNED = 6
"""Characters of an id from which its bytes in a file mean that the id is there."""


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """The outcome: the ``rows`` and labels that waited, for each other or for a review, or were kept, and are deleted,
    the files that still have the ``id``, and a line for each topic that may have it, with the date at which retention
    ends that. ``unknown`` are files of kept rows that tell no request, because an earlier version wrote them.
    """

    rows: int
    left: Sequence[Path]
    topics: Sequence[str]
    unknown: Sequence[Path] = ()


def erase(settings: Settings, request_id: str, now: datetime) -> ErasureReport:
    """Erase an id from the state folder. Nothing may run on it.

    Raises:
        ConfigError: when a process runs on the state, or a part of it cannot be read.
    """
    if not request_id:
        raise ConfigError(["--id: is empty; it should be the id of a request"])
    folder, placeholder, rows = settings.state.folder, f"erased-{secrets.token_hex(PLACEHOLDER_BYTES)}", 0
    try:
        if (folder / DATABASE).exists():
            store = SqliteStore(folder / DATABASE, exclusive=True, keys=audit_keys(settings))
            try:
                rows = store.erase(request_id, placeholder)
            finally:
                store.close()
        if (folder / REVIEW_DATABASE).exists():
            with closing(ReviewTable(folder / REVIEW_DATABASE)) as table:
                rows += table.erase(request_id)
        for name in ALERT_FILES:
            if (folder / name).exists():
                erase_from_alerts(folder / name, request_id, placeholder)
    except (StoreError, UnavailableError) as error:
        raise ConfigError([f"{error}; nothing may run on a state while an id is erased from it"]) from error
    try:
        rows += erase_kept_rows(folder / ROWS_FOLDER, audit_keys(settings).request_digest(request_id))
    except OSError as error:
        raise ConfigError([f"{folder / ROWS_FOLDER}: kept rows cannot be erased: {error.strerror}"]) from error
    for path in folder.glob("events-*.jsonl"):
        _rewrite_lines(path, request_id, placeholder)
    unknown = files_without_identity(folder / ROWS_FOLDER)
    return ErasureReport(rows, list(_files_with(folder, request_id)), list(_topics(settings, now)), unknown)


def _rewrite_lines(path: Path, request_id: str, placeholder: str) -> None:
    """Rewrite the events in a file of retention, as an older Tightrope wrote them; a line that cannot be read stays."""
    rename, lines = renaming(request_id, placeholder), path.read_text().splitlines()
    new = []
    for line in lines:
        try:
            new.append(json.dumps(renamed(json.loads(line), rename)))
        except ValueError:
            new.append(line)
    if new != lines:
        path.write_text("".join(f"{line}\n" for line in new))


def _files_with(folder: Path, request_id: str) -> Iterator[Path]:
    """The files that still have the bytes of the id, as those that were moved aside."""
    if len(request_id) < LEAST_SCANNED:
        yield from (path for path in folder.glob(f"*{UNREADABLE_MARK}*"))
        return
    forms = {request_id.encode(), json.dumps(request_id)[1:-1].encode()}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and any(form in path.read_bytes() for form in forms):
            yield path


def _topics(settings: Settings, now: datetime) -> Iterator[str]:
    """A line for each topic whose records may have the id."""
    if settings.bus is None:
        return
    kafka = settings.bus.kafka
    for name in TOPICS_WITH_IDS:
        hours: float = getattr(kafka.retention_hours, name)
        ends = now + timedelta(hours=hours)
        yield f"{kafka.prefix}{topic(name)}: until {ends:%Y-%m-%d %H:%M} UTC ({hours:g} h)"
    yield f"{kafka.prefix}{topic(SNAPSHOTS)}: until the next snapshot of the model, and its compaction"
