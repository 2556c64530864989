"""The judges' store in a cluster: snapshots in a compacted topic, each in one record with the offsets that it covers.

A judge that is assigned a model continues from its latest snapshot and judges the later records again: the judgement
depends on the rows alone, so the result is the same. Snapshots may therefore be deferred, except those with a decision:
events are stored before the snapshot that follows from them, and the snapshot before anyone is notified.

Rows that wait for labels are in this process's memory and in the log: the next judge replays them from there.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tightrope.monitors.label_records import Label, PendingRow, RowKey
from tightrope.monitors.records import Event
from tightrope.service.adapters.ports import Bus, LogPartition, PendingChanges, Record
from tightrope.service.adapters.sqlite.state_file import UNREADABLE_MARK
from tightrope.service.adapters.sqlite.store import IN_MEMORY, SqliteStore
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, EVENTS, LABELS, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError, mapping, pack, unpack

log = logging.getLogger(__name__)

SNAPSHOT_SCHEMA = "tightrope.snapshot"
JUDGE_TOPICS = (COMPARISONS, LABELS, CONTROL)
"""The topics that a judge in a cluster reads; they have equal numbers of partitions."""

SNAPSHOT_INTERVAL_SECONDS = 2.0
"""Seconds for which a snapshot without a decision is deferred."""

IDLE_SNAPSHOT_SECONDS = 60.0
"""Seconds after which the snapshot of an unchanged model is written again, because its offsets have advanced."""

SNAPSHOT_FLUSH_SECONDS = 30.0
"""Seconds to wait for the acknowledgement of events and snapshots."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A model's state after all records before ``positions``."""

    log: str
    state: bytes
    positions: Mapping[LogPartition, int]


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """A snapshot as a record."""
    positions = [[name, partition, offset] for (name, partition), offset in snapshot.positions.items()]
    return pack(SNAPSHOT_SCHEMA, {"log": snapshot.log, "state": snapshot.state, "positions": positions})


def decode_snapshot(data: bytes) -> Snapshot:
    """The snapshot of a record.

    Raises:
        WireError: when the record is not a snapshot of this version.
    """
    body = mapping(unpack(data, SNAPSHOT_SCHEMA), "snapshot")
    try:
        positions = {(str(name), int(partition)): int(offset) for name, partition, offset in body["positions"]}
        return Snapshot(str(body["log"]), bytes(body["state"]), positions)
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"snapshot: {error}") from error


class SnapshotStore:
    """Implements `ports.Store` over a bus, for one judge. A model without a snapshot is lost if one is ``required``."""

    def __init__(self, bus: Bus, *, required: bool = False) -> None:
        self._bus = bus
        self._required = required
        self._lost: dict[str, str] = {}
        self._reader = bus.subscribe(topic(SNAPSHOTS))
        self._latest: dict[str, Snapshot] = {}
        self._mine: dict[str, Snapshot] = {}
        self._unwritten: set[str] = set()
        self._written: dict[str, float] = {}
        self._labels = SqliteStore(IN_MEMORY)

    def positions(self, log: str, models: Sequence[str]) -> Mapping[str, Mapping[LogPartition, int]]:
        """From the topic, read to its end: the previous judge of these models has written it."""
        self._catch_up()
        self._unwritten.clear()
        self._labels.close()
        self._labels = SqliteStore(IN_MEMORY)
        self._mine = {model: self._starting_snapshot(log, model) for model in models}
        return {model: snapshot.positions for model, snapshot in self._mine.items()}

    def _starting_snapshot(self, log: str, model: str) -> Snapshot:
        """The latest snapshot of a model. Without one, or with one of another log, all kept records are judged."""
        partition = self._bus.partition(topic(COMPARISONS), model)
        start = {(topic(name), partition): 0 for name in JUDGE_TOPICS}
        latest = self._latest.get(model)
        if latest is None:
            return Snapshot(log, b"", start)
        return Snapshot(log, latest.state, {**start, **latest.positions} if latest.log == log else start)

    def snapshot(self, model: str) -> bytes | None:
        """The latest snapshot, as of `positions`."""
        return self._mine[model].state or None

    def lost(self, model: str) -> str:
        """The reason for which the latest snapshot cannot be read, or is missing although one is required."""
        if self._required and not self._mine[model].state:
            return "no earlier state was found, and state_required is true"
        return self._lost.get(model, "")

    def set_aside(self, model: str, name: str) -> None:
        """Publish the snapshot's bytes under another key, which is never read."""
        self._bus.publish(topic(SNAPSHOTS), self._mine[model].state, name)

    def _catch_up(self) -> None:
        while self._reader.lag():
            for record in self._reader.poll(100, 1.0):
                self._remember(record)

    def _remember(self, record: Record) -> None:
        """Keep the latest readable snapshot of a model, and note whether an unreadable one follows it. An unreadable
        one is kept only if it is the first.
        """
        key = str(record.key)
        if UNREADABLE_MARK in key:
            return
        try:
            self._latest[key] = decode_snapshot(record.value)
            self._lost.pop(key, None)
        except WireError as error:
            self._latest.setdefault(key, Snapshot("", record.value, {}))
            self._lost[key] = f"its latest snapshot, offset {record.offset} of {record.topic}, cannot be read: {error}"
            log.warning("%s, offset %d skipped: %s", record.topic, record.offset, error)

    def save(
        self,
        log: str,
        positions: Mapping[LogPartition, int],
        snapshots: Mapping[str, bytes],
        events: Sequence[Event],
        pending: Mapping[str, PendingChanges] | None = None,
    ) -> None:
        """Write events first: each decision of a snapshot must have its event."""
        for model, before in self._mine.items():
            covered = {source: max(offset, positions.get(source, 0)) for source, offset in before.positions.items()}
            self._mine[model] = Snapshot(log, snapshots.get(model, before.state), covered)
        self._unwritten |= set(snapshots)
        if pending:  # never deferred: judged again, a row would find its label matched already
            self._labels.save(log, {}, {}, [], pending)
        for event in events:
            self._bus.publish(topic(EVENTS), record_codec.encode_event(event), event.model)
        if events:
            self._bus.flush(SNAPSHOT_FLUSH_SECONDS)
        self._write(self._unwritten | self._due() if events or pending else self._due())

    def flush_deferred(self, still_owned: Callable[[], bool]) -> None:
        """Write the snapshots that were deferred for long enough."""
        due = self._due()
        if due and still_owned():
            self._write(due)

    def _due(self) -> set[str]:
        now = time.monotonic()
        age = {model: now - self._written.get(model, 0.0) for model in self._mine}
        return {
            m
            for m, s in self._mine.items()
            if s.state and age[m] > (SNAPSHOT_INTERVAL_SECONDS if m in self._unwritten else IDLE_SNAPSHOT_SECONDS)
        }

    def _write(self, models: set[str]) -> None:
        for model in sorted(models):
            self._bus.publish(topic(SNAPSHOTS), encode_snapshot(self._mine[model]), model)
            self._written[model] = time.monotonic()
        if models:
            self._bus.flush(SNAPSHOT_FLUSH_SECONDS)
        self._unwritten -= models

    def past_records(self, model: str, name: str, since: float) -> Iterator[Sequence[Record]]:
        """Rows and labels that another judge had in memory, or this one before a rebalance, from the log."""
        source = (topic(name), self._bus.partition(topic(name), model))
        return self._bus.replay(*source, since, self._mine[model].positions[source])

    def pending_rows(self, model: str, keys: Sequence[RowKey]) -> dict[RowKey, PendingRow]:
        """Compared rows by key."""
        return self._labels.pending_rows(model, keys)

    def pending_labels(self, model: str, keys: Sequence[RowKey]) -> dict[RowKey, Label]:
        """Labels without a row, by key."""
        return self._labels.pending_labels(model, keys)

    def count_overdue(self, model: str, before: float) -> tuple[int, int]:
        """The number of rows without a label, and of labels without a row, older than ``before``."""
        return self._labels.count_overdue(model, before)

    def close(self) -> None:
        """Close the reader and the labels."""
        self._reader.close()
        self._labels.close()
