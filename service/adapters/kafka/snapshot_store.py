"""The judges' store in a cluster: snapshots in a compacted topic, each in one record with the offsets that it covers.

A judge that is assigned a model continues from its latest snapshot and judges the later records again: the judgement
depends on the rows alone, so the result is the same. Snapshots may therefore be deferred, except those with a decision:
events are stored before the snapshot that follows from them, and the snapshot before anyone is notified.

Rows that wait for labels are in this process's memory and in the log: the next judge replays them from there.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tightrope.monitors.records import Event
from tightrope.service.adapters.audit.event_publisher import EventPublisher
from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.adapters.kafka.published_modes import PublishedModes
from tightrope.service.adapters.ports import (
    Bus,
    JudgedInputs,
    LogPartition,
    LogReset,
    PendingChanges,
    Record,
)
from tightrope.service.adapters.sqlite.state_file import UNREADABLE_MARK
from tightrope.service.adapters.topics import (
    COMPARISONS,
    CONTROL,
    LABELS,
    POSITION_TOPICS,
    SAMPLES,
    SNAPSHOTS,
    topic,
)
from tightrope.service.adapters.waiting.waiting_in_memory import PendingCallback, WaitingInMemory
from tightrope.service.adapters.wire.bounds import position_violation
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
    """A model's state after all records before ``positions``. ``topics`` has the id of each topic that the positions
    and the state refer to, and is empty in the release before; ``log`` is the id of the samples topic.
    """

    log: str
    state: bytes
    positions: Mapping[LogPartition, int]
    topics: Mapping[str, str] = field(default_factory=dict)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """A snapshot as a record."""
    positions = [[name, partition, offset] for (name, partition), offset in snapshot.positions.items()]
    topics = dict(snapshot.topics)
    return pack(
        SNAPSHOT_SCHEMA, {"log": snapshot.log, "state": snapshot.state, "positions": positions, "topics": topics}
    )


def decode_snapshot(data: bytes) -> Snapshot:
    """The snapshot of a record.

    Raises:
        WireError: when the record is not a snapshot of this version.
    """
    body = mapping(unpack(data, SNAPSHOT_SCHEMA), "snapshot")
    try:
        positions = {(str(name), partition): offset for name, partition, offset in body["positions"]}
        topics = {str(name): str(id_) for name, id_ in mapping(body.get("topics", {}), "topics").items()}
        log_id, state = str(body["log"]), body["state"]
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"snapshot: {error}") from error
    if type(state) is not bytes:  # bytes() of a number would allocate that many
        raise WireError("snapshot.state: must be bytes")
    if violation := position_violation(positions):
        raise WireError(f"positions: {violation}")
    return Snapshot(log_id, state, positions, topics)


class SnapshotStore(WaitingInMemory):
    """Implements `ports.Store` over a bus, for one judge. A model without a snapshot is lost if one is ``required``;
    ``labels`` are the rows and labels that wait for each other, in memory; ``on_pending`` is told of their changes.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        required: bool = False,
        keys: AuditKeys | None = None,
        on_pending: PendingCallback = lambda _: None,
    ) -> None:
        super().__init__(on_pending)
        self._bus = bus
        self._events = EventPublisher(bus, keys)
        self.redacted = self._events.redacted
        self._required = required
        self._resets: dict[str, list[LogReset]] = {}
        self._latest: dict[str, Snapshot] = {}
        self._mine: dict[str, Snapshot] = {}
        self._unwritten: set[str] = set()
        self._written: dict[str, float] = {}
        self._open_readers()

    def _open_readers(self) -> None:
        """Read the topics from their start. What this judge knew of its models counts as their latest snapshots until
        others are read.
        """
        self._before = {**self._latest, **self._mine}
        self._latest = {}
        self._lost: dict[str, str] = {}
        self._generation = self._bus.generation(*POSITION_TOPICS)
        self._reader = self._bus.subscribe(topic(SNAPSHOTS))
        self._published = PublishedModes(self._bus)

    def positions(self, log: str, models: Sequence[str]) -> Mapping[str, Mapping[LogPartition, int]]:
        """From the topic, read to its end: the previous judge of these models has written it."""
        del log  # the identities are requested now
        topics = self._bus.identities(POSITION_TOPICS)
        if self._bus.generation(*POSITION_TOPICS) != self._generation:
            self._close_readers()
            self._open_readers()
        # The judge before may write until now: modes follow the snapshot that they are of, and ends its positions.
        self._published.catch_up()
        self._catch_up()
        ends = self._bus.ends(POSITION_TOPICS)
        self._unwritten.clear()
        self.forget_waiting()
        self._resets.clear()
        self._mine = {model: self._starting_snapshot(topics, ends, model) for model in models}
        return {model: snapshot.positions for model, snapshot in self._mine.items()}

    def _starting_snapshot(self, topics: Mapping[str, str], ends: Mapping[LogPartition, int], model: str) -> Snapshot:
        """The latest snapshot of a model. Without one, all kept records are judged; they are, too, if it does not fit
        the logs, with the exception of orders that it covers.
        """
        partition = self._bus.partition(topic(COMPARISONS), model)
        control = (topic(CONTROL), partition)
        start = {(topic(name), partition): 0 for name in JUDGE_TOPICS}
        latest = self._latest.get(model) or self._before.get(model)
        if latest is None and self._published.epoch(model) < 0:
            return Snapshot(topics[topic(SAMPLES)], b"", start, topics)
        latest = latest or Snapshot("", b"", {control: self._published.position(partition)})
        covered = {source: latest.positions.get(source, 0) for source in start}
        known = {topic(SAMPLES): latest.log, **latest.topics}
        if resets := self._published.resets(model, latest.state, covered, known, topics, ends):
            self._resets[model] = resets
            fits = topic(CONTROL) not in {reset.topic for reset in resets}
            covered = {**start, control: covered[control] if fits else 0}
        return Snapshot(topics[topic(SAMPLES)], latest.state, covered, topics)

    def resets(self, model: str) -> Sequence[LogReset]:
        """The logs that the snapshot does not fit, as of `positions`."""
        return self._resets.get(model, ())

    def published_epoch(self, model: str) -> int:
        """The epoch of the newest modes on the control topic."""
        return self._published.epoch(model)

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
        """Keep the latest readable snapshot of a model, or the first unreadable one; note if one of those follows."""
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
        inputs: JudgedInputs | None = None,
    ) -> None:
        """Write events first: each decision of a snapshot must have its event. The logs are those of `positions`: a
        topic made anew since then must not pass for the one that was read.
        """
        del inputs  # they are in the log
        for model, before in self._mine.items():
            covered = {source: max(offset, positions.get(source, 0)) for source, offset in before.positions.items()}
            self._mine[model] = Snapshot(before.log, snapshots.get(model, before.state), covered, before.topics)
        self._unwritten |= set(snapshots)
        if pending:  # never deferred: judged again, a row would find its label matched already
            self.save_waiting(log, pending)
        self._events.publish(events)
        if events:
            self._bus.flush(SNAPSHOT_FLUSH_SECONDS)
        self._write(self._unwritten | self._due() if events or pending else self._due())

    def judged_inputs(self, model: str) -> Iterable[JudgedInputs]:  # noqa: ARG002 - the same for each
        """None: they are in the log, and judged again from there."""
        return ()

    def take_over(self, model: str, snapshots: Mapping[str, bytes], pending: Mapping[str, PendingChanges]) -> None:
        """Do nothing: there are no such inputs."""

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

    def close(self) -> None:
        """Close the readers and the labels."""
        self._close_readers()
        self.labels.close()

    def _close_readers(self) -> None:
        self._reader.close()
        self._published.close()
