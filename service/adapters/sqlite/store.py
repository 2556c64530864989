"""The embedded store: snapshots, events and positions in one SQLite file, saved in one transaction."""

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tightrope.monitors.label_records import Label, PendingRow, RowKey
from tightrope.monitors.records import Event
from tightrope.service.adapters.audit.key_files import keys_beside, keys_of_process
from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.adapters.ports import (
    JudgedInputs,
    LogPartition,
    OverduePortion,
    OwnLogs,
    PendingChanges,
    Record,
)
from tightrope.service.adapters.sqlite import input_journal, pending_labels
from tightrope.service.adapters.sqlite.database import give_back, is_full, opened
from tightrope.service.adapters.sqlite.event_chain import EventChain
from tightrope.service.adapters.sqlite.event_table import NO_RETENTION, EventPruning, EventRetention
from tightrope.service.adapters.sqlite.given_up_rows import given_up_among
from tightrope.service.adapters.sqlite.rows_to_label import RowsToLabel
from tightrope.service.adapters.sqlite.state_file import StoreError, lock_state
from tightrope.service.adapters.sqlite.stored_trail import StoredTrail
from tightrope.service.adapters.sqlite.transactions import transaction

IN_MEMORY = Path(":memory:")
"""The path of a state that ends with the process."""


class SqliteStore(OwnLogs, RowsToLabel, StoredTrail):
    """Implements `ports.Store`. Safe to share between threads.

    ``exclusive`` is for the process that judges: a second one on the same file is refused. ``loss`` says why an earlier
    state is not in this file; ``keys`` sign the chain of events, by default the file's own.

    Raises:
        StoreError: when the file cannot be used, or another process holds it.
    """

    def __init__(
        self,
        path: Path,
        *,
        exclusive: bool = False,
        loss: str = "",
        retention: EventRetention = NO_RETENTION,
        keys: AuditKeys | None = None,
    ) -> None:
        self.loss = loss
        self.make_room: Callable[[], bool] = lambda: False
        self._lock = threading.Lock()
        self._journal = input_journal.InputJournal()
        self._positions: tuple[str, dict[LogPartition, int]] = ("", {})
        self._file_lock = lock_state(path) if exclusive else None
        self._chain = EventChain(keys or (keys_beside(path) if exclusive else keys_of_process()))
        self._pruning = EventPruning(retention, self._chain)
        try:
            self._db = opened(path, self._chain, check=exclusive)
        except StoreError:
            if self._file_lock is not None:
                self._file_lock.close()
            raise

    @property
    def empty(self) -> bool:
        """Whether no snapshot of any model was saved yet."""
        return not self._all("SELECT 1 FROM snapshots LIMIT 1")

    def lost(self, model: str) -> str:
        """The reason for which an earlier state is not here, until a snapshot is saved; else an empty text."""
        del model
        return self.loss if self.loss and self.empty else ""

    def set_aside(self, model: str, name: str) -> None:
        """Keep a copy of a model's snapshot under another name."""
        with self._lock:
            self._db.execute(
                "INSERT OR IGNORE INTO snapshots SELECT ?, body FROM snapshots WHERE model = ?", (name, model)
            )

    def snapshot(self, model: str) -> bytes | None:
        """The latest snapshot of a model."""
        if (put_off := self._journal.snapshot(model)) is not None:
            return put_off
        row = self._all("SELECT CAST(body AS BLOB) FROM snapshots WHERE model = ?", model)
        return bytes(row[0][0]) if row else None

    def positions(self, log: str, models: Sequence[str]) -> Mapping[str, Mapping[LogPartition, int]]:
        """The next offsets of a log; they are the same for all models. A judge begins with what is on disk."""
        with self._lock:
            self._journal.begin(self._db)
            rows = self._db.execute("SELECT topic, partition, next FROM positions WHERE log = ?", (log,)).fetchall()
            known = [
                {(topic, partition): offset for topic, partition, offset in rows},
                input_journal.latest_positions(self._db, log),
            ]
        known += [self._positions[1]] if self._positions[0] == log else []
        latest = {source: max(each.get(source, 0) for each in known) for source in {*known[0], *known[1], *known[-1]}}
        return dict.fromkeys(models, latest)

    def judged_inputs(self, model: str) -> Iterable[JudgedInputs]:
        """The records after a model's snapshot on disk.

        Raises:
            StoreError: when they cannot be read.
        """
        with self._lock:
            return self._journal.inputs(self._db, model)

    def take_over(self, model: str, snapshots: Mapping[str, bytes], pending: Mapping[str, PendingChanges]) -> None:
        """Note the outcome of one of `judged_inputs`."""
        with self._lock:
            self._journal.add(model, snapshots, pending.get(model))

    def save(
        self,
        log: str,
        positions: Mapping[LogPartition, int],
        snapshots: Mapping[str, bytes],
        events: Sequence[Event],
        pending: Mapping[str, PendingChanges] | None = None,
        inputs: JudgedInputs | None = None,
    ) -> None:
        """Save everything in one transaction, and delete the positions of other logs: those logs are gone. Of a model
        without an event ``inputs`` are written instead of its snapshot, until the snapshot is due.

        If the disk is full, rows for people are deleted by `make_room`, and the save is made once more.
        """
        offsets = {**(self._positions[1] if self._positions[0] == log else {}), **positions}
        self._with_room(lambda: self._save(log, offsets, snapshots, events, pending or {}, inputs))
        self._positions = (log, offsets)

    def _with_room(self, write: Callable[[], None]) -> None:
        try:
            write()
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
            self.make_room()
            with self._lock:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # the journal takes room, too
            write()

    def _save(
        self,
        log: str,
        offsets: Mapping[LogPartition, int],
        snapshots: Mapping[str, bytes],
        events: Sequence[Event],
        pending: Mapping[str, PendingChanges],
        inputs: JudgedInputs | None,
    ) -> None:
        changed = {*snapshots, *pending}
        if inputs is not None and not changed and not events:
            return
        with self._lock:
            portions = self._journal.portions(changed, {event.model for event in events}, inputs)
            with transaction(self._db) as cursor:
                if inputs is None or events or portions.keys() != changed:
                    cursor.execute("DELETE FROM positions WHERE log <> ?", (log,))
                    rows = [(log, topic, partition, offset) for (topic, partition), offset in offsets.items()]
                    cursor.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)", rows)
                self._add_events(cursor, events)
                bodies = self._write(cursor, {*(changed - portions.keys()), *self._journal.due()}, snapshots, pending)
                entries = self._journal.append(cursor, portions, log, offsets)
            for model, body in bodies.items():
                self._journal.replaced(model, body)
            for model, entry in entries.items():
                self._journal.add(model, snapshots, pending.get(model), entry)
            if self._pruning.step(self._db) or any(change.before > float("-inf") for change in pending.values()):
                give_back(self._db)

    def _write(
        self,
        cursor: sqlite3.Cursor,
        models: Iterable[str],
        snapshots: Mapping[str, bytes],
        pending: Mapping[str, PendingChanges],
    ) -> dict[str, bytes]:
        """Write the latest snapshots of these models, with all that was put off; returns the snapshots."""
        bodies = {}
        for model in models:
            body = snapshots[model] if model in snapshots else self._journal.snapshot(model)
            if body is not None:
                bodies[model] = body
            for change in [*self._journal.pending(model), *([pending[model]] if model in pending else [])]:
                pending_labels.apply_changes(cursor, {model: change})
            if self._journal.begun:  # else they are not in the snapshot, and what was judged becomes unknown
                cursor.execute("DELETE FROM journal WHERE model = ?", (model,))
        cursor.executemany("INSERT OR REPLACE INTO snapshots VALUES (?, ?)", list(bodies.items()))
        return bodies

    def _write_put_off(self, models: Iterable[str]) -> None:
        """Write what was put off of these models."""
        with self._lock:
            with transaction(self._db) as cursor:
                bodies = self._write(cursor, models, {}, {})
            for model, body in bodies.items():
                self._journal.replaced(model, body)

    def flush_deferred(self, still_owned: Callable[[], bool]) -> None:
        """Write what was put off for long enough, and give unused pages back to the disk."""
        if (due := self._journal.due()) and still_owned():
            self._with_room(lambda: self._write_put_off(due))
        with self._lock:
            self._pruning.step(self._db)
            give_back(self._db)

    def past_records(self, model: str, name: str, since: float) -> Iterator[Sequence[Record]]:
        """Nothing: all rows and labels are in the file."""
        del model, name, since
        return iter(())

    def pending_rows(self, model: str, keys: Sequence[RowKey]) -> dict[RowKey, PendingRow]:
        """Compared rows by key."""
        with self._lock:
            found = pending_labels.select_rows(self._db, model, keys)
            return input_journal.add_put_off_rows(found, keys, self._journal.pending(model))

    def pending_labels(self, model: str, keys: Sequence[RowKey]) -> dict[RowKey, Label]:
        """Labels without a row, by key."""
        with self._lock:
            found = pending_labels.select_labels(self._db, model, keys)
            return input_journal.add_put_off_labels(found, keys, self._journal.pending(model))

    def given_up(self, model: str, keys: Collection[RowKey]) -> set[RowKey]:
        """Those of the keys whose row was given up, as far as that is remembered."""
        with self._lock:
            return given_up_among(self._db, model, keys)

    def overdue_portion(self, model: str, before: float, latest: float, size: int) -> OverduePortion | None:
        """The oldest rows and labels with a time before ``before``, about ``size`` of them; None without any. What was
        put off is written first.
        """
        if self._journal.has_before(model, before):
            self._with_room(lambda: self._write_put_off([model]))
        with self._lock:
            portion = pending_labels.overdue_portion(self._db, model, before, latest, size)
        if portion is not None and self._journal.pending(model):
            self._with_room(lambda: self._write_put_off([model]))
        return portion

    def count_overdue(self, model: str, before: float) -> tuple[int, int]:
        """The number of rows without a label, and of labels without a row, older than ``before``."""
        with self._lock:
            return pending_labels.count_overdue(self._db, model, before)

    def close(self) -> None:
        """Write what was put off, and close the file. What cannot be written is judged again at the next start."""
        with suppress(sqlite3.Error):
            self._write_put_off(self._journal.models())
        with self._lock:
            self._db.close()
        if self._file_lock is not None:
            self._file_lock.close()

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(query, values).fetchall()
