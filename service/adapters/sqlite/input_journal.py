"""Records judged since the snapshots on disk: a table of the state file that takes the place of new snapshots.

How it works. A snapshot is large and changes little, so a round of a judge appends the records that it applied: after a
crash they are applied again, at the same time on the clock, and lead to the same state. The next snapshot of a model
replaces its records; it is written with every decision, and when they are many, large or old. Rows and labels that wait
for each other are put off with the snapshot: judged again, a row must find its label as before.

Each entry names the digest of what it follows: the snapshot, and the entries since. Where one does not follow, another
is missing, twice or damaged, or something else wrote the snapshot since, as an older Tightrope does: what was judged is
unknown. Bodies are read as bytes, because damage may have made them a text that cannot be decoded.
"""

import logging
import sqlite3
import time
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import msgspec

from tightrope.monitors.label_records import Label, PendingRow, RowKey
from tightrope.service.adapters.ports import JudgedInputs, LogPartition, PendingChanges, Record
from tightrope.service.adapters.sqlite.state_file import StoreError

log = logging.getLogger(__name__)

JOURNAL_TABLE = """
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY, model TEXT NOT NULL, base BLOB NOT NULL, body BLOB NOT NULL
);
"""
MOST_ROUNDS = 1_000
"""Rounds after which a model's snapshot is written: about as many can be judged again in two seconds."""

MOST_SHARE, LEAST_BYTES = 4.0, 1 << 20
"""A model's snapshot is written when its records are this much larger than it, and at least this large."""

LEAST_ROUND_BYTES = 1 << 16
"""Records of one round up to this size are written even where the snapshot is smaller."""

MOST_SECONDS = 300.0
"""The time for which a model's snapshot is put off at most."""

COMPRESSION = 1
"""Level of zlib: half of the bytes for a tenth of a millisecond."""

DIGEST_BYTES = 8


@dataclass(slots=True)
class PutOff:
    """The latest state of a model that is not in its snapshot on disk; that one has ``size`` bytes and a digest.

    The next entry follows the digest ``last``; ``unread`` entries are still to be judged again. ``since`` is on the
    monotonic clock, ``oldest`` the first time of a row or label in ``pending``.
    """

    base: bytes
    size: int
    last: bytes
    unread: int = 0
    snapshots: Mapping[str, bytes] = field(default_factory=dict)
    pending: list[PendingChanges] = field(default_factory=list)
    rounds: int = 0
    written: int = 0
    since: float = float("inf")
    oldest: float = float("inf")


class InputJournal:
    """The snapshots that are put off, by model; not shared between threads. ``clock`` is monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.begun = False
        self._clock = clock
        self._models: dict[str, PutOff] = {}

    def begin(self, db: sqlite3.Connection) -> None:
        """Forget what is in memory: a judge begins with what is on disk."""
        self.begun = True
        rows = db.execute("SELECT model, CAST(body AS BLOB) FROM snapshots")
        self._models = {model: _written(body) for model, body in rows}

    def portions(
        self, changed: Collection[str], with_events: Collection[str], inputs: JudgedInputs | None
    ) -> dict[str, bytes]:
        """The records of each model whose snapshot is put off, of those that a round has ``changed``: not those with an
        event, those that changed without a record of their own, and those with more records than a snapshot is large.
        """
        if inputs is None:
            return {}
        records: dict[str, list[Record]] = {}
        for record in inputs.records:
            records.setdefault(_model_of(record), []).append(record)
        kept = [
            m
            for m in sorted(changed)
            if m in records and m not in with_events and m in self._models and not self._is_due_after(m, records[m])
        ]
        return {model: packed(inputs.now, records[model]) for model in kept}

    def _is_due_after(self, model: str, records: Sequence[Record]) -> bool:
        """Whether the snapshot is due, or smaller than the records in its place."""
        size = sum(len(record.value) for record in records)
        return self.is_due(model) or size > max(self._models[model].size, LEAST_ROUND_BYTES)

    def is_due(self, model: str) -> bool:
        """Whether the snapshot of a model must be put off no longer."""
        put_off = self._models[model]
        return (
            put_off.rounds >= MOST_ROUNDS
            or put_off.written >= max(MOST_SHARE * put_off.size, LEAST_BYTES)
            or self._clock() - put_off.since >= MOST_SECONDS
        )

    def due(self) -> list[str]:
        """The models whose snapshots must be put off no longer."""
        return [model for model, put_off in self._models.items() if put_off.snapshots and self.is_due(model)]

    def models(self) -> list[str]:
        """The models whose snapshots are put off; not those with entries that are still to be judged again."""
        known = [(model, put_off) for model, put_off in self._models.items() if not put_off.unread]
        return [model for model, put_off in known if put_off.snapshots or put_off.pending]

    def add(
        self, model: str, snapshots: Mapping[str, bytes], pending: PendingChanges | None, entry: bytes | None = None
    ) -> None:
        """Note a round that was written as an ``entry``, or judged again; ``snapshots`` has the model's state after it,
        if that changed.
        """
        put_off = self._models[model]
        if entry is None:
            put_off.unread = max(put_off.unread - 1, 0)
        else:
            put_off.last = chained_digest(put_off.last + entry)
            put_off.written += len(entry)
        if model in snapshots:
            put_off.snapshots = snapshots
        if pending is not None:
            times = [row.time for row in pending.held.values()] + [label.time for label in pending.waiting.values()]
            put_off.oldest = min([put_off.oldest, *times])
            put_off.pending = _merged(put_off.pending, pending)
        put_off.rounds += 1
        put_off.since = min(put_off.since, self._clock())

    def replaced(self, model: str, body: bytes) -> None:
        """Note that a model's snapshot was written."""
        self._models[model] = _written(body)

    def snapshot(self, model: str) -> bytes | None:
        """The latest state of a model, if it is put off."""
        put_off = self._models.get(model)
        return put_off.snapshots[model] if put_off and put_off.snapshots else None

    def pending(self, model: str) -> Sequence[PendingChanges]:
        """The changes of a model's pending rows and labels that are put off, in order."""
        put_off = self._models.get(model)
        return put_off.pending if put_off else ()

    def has_before(self, model: str, time: float) -> bool:
        """Whether a row or label with a time before this one is put off."""
        return model in self._models and self._models[model].oldest < time

    def append(
        self, cursor: sqlite3.Cursor, portions: Mapping[str, bytes], log_id: str, positions: "Positions"
    ) -> dict[str, bytes]:
        """Write the records of a round, and the positions of the log after it; returns the entry of each model."""
        listed = [[name, partition, offset] for (name, partition), offset in positions.items()]
        head = msgspec.msgpack.encode([log_id, listed])
        entries = {model: msgspec.msgpack.encode([head, body]) for model, body in portions.items()}
        rows = [(model, self._models[model].last, entry) for model, entry in entries.items()]
        cursor.executemany("INSERT INTO journal (model, base, body) VALUES (?, ?, ?)", rows)
        return entries

    def inputs(self, db: sqlite3.Connection, model: str) -> list[JudgedInputs]:
        """The records that follow a model's snapshot on disk.

        Raises:
            StoreError: when an entry cannot be read, or does not follow the snapshot and the entries before it.
        """
        put_off, found = self._models.get(model, PutOff(b"", 0, b"")), []
        last = put_off.base
        rows = db.execute(
            "SELECT seq, CAST(base AS BLOB), CAST(body AS BLOB) FROM journal WHERE model = ? ORDER BY seq", (model,)
        )
        for seq, base, body in rows:
            if base != last:
                raise StoreError(f"round {seq} of {model} does not follow its snapshot and the rounds that are here")
            try:
                found.append(_unpack(msgspec.msgpack.decode(body)[1]))
            except (ValueError, TypeError, IndexError, zlib.error, msgspec.MsgspecError) as error:
                raise StoreError(f"round {seq} of {model} after its snapshot cannot be read: {error}") from error
            last = chained_digest(last + body)
        put_off.last, put_off.unread = last, len(found)
        return found


Positions = Mapping[LogPartition, int]


def latest_positions(db: sqlite3.Connection, log_id: str) -> dict[LogPartition, int]:
    """The next offsets of a log after all entries."""
    found: dict[LogPartition, int] = {}
    for (body,) in db.execute("SELECT CAST(body AS BLOB) FROM journal ORDER BY seq"):
        try:
            entry_log, positions = msgspec.msgpack.decode(msgspec.msgpack.decode(body)[0])
            if entry_log == log_id:
                found |= {(name, partition): offset for name, partition, offset in positions}
        except (ValueError, TypeError, IndexError, msgspec.MsgspecError):
            log.warning("an entry of the journal cannot be read; its model begins in safe mode")
    return found


def add_put_off_rows(
    rows: Mapping[RowKey, PendingRow], keys: Sequence[RowKey], changes: Sequence[PendingChanges]
) -> dict[RowKey, PendingRow]:
    """The rows of these keys, those on disk with what is put off."""
    found = dict(rows)
    for change in changes:
        for key in keys:
            if key in change.held:
                found.setdefault(key, change.held[key])
            if key in change.joined and key in found:
                found[key] = replace(found[key], joined=True)
    return found


def add_put_off_labels(
    labels: Mapping[RowKey, Label], keys: Sequence[RowKey], changes: Sequence[PendingChanges]
) -> dict[RowKey, Label]:
    """The labels of these keys that wait for a row, those on disk with what is put off."""
    found = dict(labels)
    for change in changes:
        for key in keys:
            if key in change.waiting:
                found.setdefault(key, change.waiting[key])
            if key in change.matched:
                found.pop(key, None)
    return found


def _merged(before: Sequence[PendingChanges], then: PendingChanges) -> list[PendingChanges]:
    """Two changes as one, or both in order, if a label waits again whose place was taken."""
    if not before or before[-1].matched & then.waiting.keys():
        return [*before, replace(then)]
    last = before[-1]
    for key, row in then.held.items():
        last.held.setdefault(key, row)
    last.joined |= then.joined
    for key, label in then.waiting.items():
        last.waiting.setdefault(key, label)
    last.matched |= then.matched
    return list(before)


def _model_of(record: Record) -> str:
    return (record.key or "").partition("/")[0]


def _written(body: bytes) -> PutOff:
    digest = chained_digest(body)
    return PutOff(digest, len(body), digest)


def packed(now: float, records: Sequence[Record]) -> bytes:
    """The records of a round as an entry has them."""
    return zlib.compress(msgspec.msgpack.encode([now, records]), COMPRESSION)


def _unpack(body: bytes) -> JudgedInputs:
    now, records = msgspec.msgpack.decode(zlib.decompress(body))
    return JudgedInputs(now, [Record(*record) for record in records])


def chained_digest(body: bytes) -> bytes:
    """The digest of a snapshot, or of a digest and the entry after it: the next entry follows it."""
    return blake2b(body, digest_size=DIGEST_BYTES).digest()
