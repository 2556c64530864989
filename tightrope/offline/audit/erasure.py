"""Erases the id of a request from a state folder, and tells what is left elsewhere: `tightrope erase`."""

import json
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tightrope.offline.audit.erasure_event import record_erasure
from tightrope.service.adapters.archive.row_erasure import erase_kept_rows, files_without_identity
from tightrope.service.adapters.journal.erasure import erase_from_record
from tightrope.service.adapters.journal.id_digests import (
    CMAC_FORM,
    DIGEST_FORMS,
    available_form,
    id_digest,
    stored_forms,
)
from tightrope.service.adapters.journal.recorder import IDS_FILE, IDS_SECRET_BYTES, JOURNAL_FOLDER
from tightrope.service.adapters.journal.segments import JOURNAL_SUFFIX
from tightrope.service.adapters.secret_file import kept_secret
from tightrope.service.adapters.sqlite.erasure import erase_from_alerts, renamed, renaming
from tightrope.service.adapters.sqlite.review_table import ReviewTable
from tightrope.service.adapters.sqlite.state_file import UNREADABLE_MARK, StoreError
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.state_use.holders import unused_state
from tightrope.service.adapters.topics import (
    COMPARISONS,
    DEAD,
    EVENTS,
    INCIDENTS,
    LABELS,
    PAYLOADS,
    SAMPLES,
    SNAPSHOTS,
    topic,
)
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
    the ``recorded`` rows that lost their id and input in the record of incidents, the files that still have the ``id``,
    and a line for each topic that may have it, with the date at which retention ends that. ``unknown`` are files of
    kept rows that tell no request, because an earlier version wrote them. ``untold`` says why the audit trail has no
    event of this erasure.
    """

    rows: int
    recorded: int
    left: Sequence[Path]
    topics: Sequence[str]
    unknown: Sequence[Path] = ()
    untold: str = ""


def erase(settings: Settings, request_id: str, now: datetime, actor: str) -> ErasureReport:
    """Erase an id from the state folder, and note in the audit trail who did. Nothing may run on the state.

    Raises:
        ConfigError: when a process runs on it, which is named, or a part of it cannot be read.
    """
    if not request_id:
        raise ConfigError(["--id: is empty; it should be the id of a request"])
    folder, placeholder = settings.state.folder, f"erased-{secrets.token_hex(PLACEHOLDER_BYTES)}"
    try:
        with unused_state(folder):
            return _erase(settings, request_id, placeholder, now, actor)
    except (StoreError, UnavailableError) as error:
        text = "a process would write the id again from its memory: stop it, erase the id, and start it again"
        raise ConfigError([f"{error}; {text}"]) from error


def _erase(settings: Settings, request_id: str, placeholder: str, now: datetime, actor: str) -> ErasureReport:
    folder, rows = settings.state.folder, Counter[str]()
    digest = audit_keys(settings).request_digest(request_id)
    names = [request_id, *_recorded_names(folder, request_id)]
    rows += _erase_from_databases(settings, request_id, placeholder)
    try:
        rows += erase_kept_rows(folder / ROWS_FOLDER, digest)
        note = f"rows were erased on {now:%Y-%m-%d}"
        recorded = erase_from_record(folder / JOURNAL_FOLDER, names, placeholder, note)
    except OSError as error:
        raise ConfigError([f"{error.filename or folder}: cannot be erased: {error.strerror}"]) from error
    for path in folder.glob("events-*.jsonl"):
        _rewrite_lines(path, request_id, placeholder)
    untold = record_erasure(settings, digest, rows, recorded, actor, now)
    unknown = files_without_identity(folder / ROWS_FOLDER)
    left, topics = list(_files_with(folder, names)), list(_topics(settings, now))
    return ErasureReport(rows.total(), recorded.total(), left, topics, unknown, untold)


def _recorded_names(folder: Path, request_id: str) -> Iterator[str]:
    """The digests that stand for the id in the record of incidents, where `ids: hash` has written any.

    Raises:
        ConfigError: when a segment has digests that cannot be made here.
    """
    if not (folder / IDS_FILE).exists():
        return
    key, own = kept_secret(folder / IDS_FILE, IDS_SECRET_BYTES), available_form()
    if own != CMAC_FORM:
        for path in (folder / JOURNAL_FOLDER).rglob(f"*{JOURNAL_SUFFIX}"):
            if CMAC_FORM.encode() in path.read_bytes():
                wanted = "to find the id needs more: pip install 'tightrope[signed]'"
                raise ConfigError([f"{path}: has digests of ids by AES-CMAC; {wanted}"])
    yield from (id_digest(key, request_id, form) for form in DIGEST_FORMS if own in {CMAC_FORM, form})


def _erase_from_databases(settings: Settings, request_id: str, placeholder: str) -> Counter[str]:
    """Erase the id from the state, the rows under review, and the alerts; returns the number of rows by model.

    Raises:
        StoreError: when one of them cannot be read.
    """
    folder, rows = settings.state.folder, Counter[str]()
    if (folder / DATABASE).exists():
        with closing(SqliteStore(folder / DATABASE, exclusive=True, keys=audit_keys(settings))) as store:
            rows += store.erase(request_id, placeholder)
    if (folder / REVIEW_DATABASE).exists():
        with closing(ReviewTable(folder / REVIEW_DATABASE)) as table:
            rows += table.erase(request_id)
    for name in ALERT_FILES:
        if (folder / name).exists():
            erase_from_alerts(folder / name, request_id, placeholder)
    return rows


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


def _files_with(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """The files that still have the bytes of the id or of a digest of it, as those that were moved aside."""
    forms = {form for name in names for form in _forms(name)} | set[bytes]().union(*map(stored_forms, names[1:]))
    if len(names[0]) < LEAST_SCANNED:
        yield from (path for path in folder.glob(f"*{UNREADABLE_MARK}*"))
        forms -= _forms(names[0])
    for path in sorted(folder.rglob("*")) if forms else ():
        if path.is_file() and any(form in path.read_bytes() for form in forms):
            yield path


def _forms(name: str) -> set[bytes]:
    return {name.encode(), json.dumps(name)[1:-1].encode()}


def _topics(settings: Settings, now: datetime) -> Iterator[str]:
    """A line for each topic whose records may have the id."""
    if settings.bus is None:
        return
    kafka = settings.bus.kafka
    for name in TOPICS_WITH_IDS:
        hours: float = getattr(kafka.retention_hours, name)
        ends = now + timedelta(hours=hours)
        yield f"{kafka.prefix}{topic(name)}: until {ends:%Y-%m-%d %H:%M} UTC ({hours:g} h)"
    if settings.record is not None:
        yield f"{kafka.prefix}{topic(INCIDENTS)}: until the judge of this state has started again, and its compaction"
    yield f"{kafka.prefix}{topic(SNAPSHOTS)}: until the next snapshot of the model, and its compaction"
