"""The judges' store in a cluster: snapshots in a compacted topic, each in one record with the place that it stands for.

Whoever gets a model goes on from its latest snapshot and judges the records after it again: the judgement depends on
the rows alone, so it comes out the same. Therefore a snapshot may be put off, but never one with a decision in it:
events are safe before the snapshot that follows from them, and that before anybody is told.

Rows that wait for labels are in this process's memory, and in the log: whoever takes over reads them there again.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tightrope.monitors.records import Event, Held, Label
from tightrope.service.adapters.ports import Bus, Changes, Key, Place, Record
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, EVENTS, LABELS, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError, mapping, pack, unpack

log = logging.getLogger(__name__)

SNAPSHOT = "tightrope.snapshot"
JUDGED = (COMPARISONS, LABELS, CONTROL)
"""The topics that a judge in a cluster reads; they have equal partitions."""

EVERY = 2.0
"""Seconds for which a snapshot without a decision is put off."""

IDLE = 60.0
"""Seconds after which the snapshot of an unchanged model is written again, because its place has moved on."""

SAFE_WITHIN = 30.0
"""Seconds to wait until what was written is safe."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A model's state as it was when everything before ``positions`` had been judged."""

    log: str
    state: bytes
    positions: Mapping[Place, int]


def encode(snapshot: Snapshot) -> bytes:
    """One snapshot."""
    places = [[name, partition, offset] for (name, partition), offset in snapshot.positions.items()]
    return pack(SNAPSHOT, {"log": snapshot.log, "state": snapshot.state, "positions": places})


def decode(data: bytes) -> Snapshot:
    """One snapshot.

    Raises:
        WireError: when it is none of this version.
    """
    body = mapping(unpack(data, SNAPSHOT), "snapshot")
    try:
        places = {(str(name), int(partition)): int(offset) for name, partition, offset in body["positions"]}
        return Snapshot(str(body["log"]), bytes(body["state"]), places)
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"snapshot: {error}") from error


class SnapshotStore:
    """Implements `ports.Store` over a bus, for one judge."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._reader = bus.subscribe(topic(SNAPSHOTS))
        self._latest: dict[str, Snapshot] = {}
        self._mine: dict[str, Snapshot] = {}
        self._unwritten: set[str] = set()
        self._written: dict[str, float] = {}
        self._labels = SqliteStore(Path(":memory:"))

    def positions(self, log: str, models: Sequence[str]) -> Mapping[str, Mapping[Place, int]]:
        """From the topic, read to its end: whoever had these models before has written it."""
        self._catch_up()
        self._unwritten.clear()
        self._labels.close()
        self._labels = SqliteStore(Path(":memory:"))
        self._mine = {model: self._found(log, model) for model in models}
        return {model: snapshot.positions for model, snapshot in self._mine.items()}

    def _found(self, log: str, model: str) -> Snapshot:
        """Without a snapshot, or one of another log, all that is kept is judged."""
        partition = self._bus.partition(topic(COMPARISONS), model)
        start = {(topic(name), partition): 0 for name in JUDGED}
        found = self._latest.get(model)
        if found is None:
            return Snapshot(log, b"", start)
        return Snapshot(log, found.state, {**start, **found.positions} if found.log == log else start)

    def snapshot(self, model: str) -> bytes | None:
        """The latest, as of `positions`."""
        return self._mine[model].state or None

    def _catch_up(self) -> None:
        while self._reader.lag():
            for record in self._reader.poll(100, 1.0):
                self._learn(record)

    def _learn(self, record: Record) -> None:
        """What cannot be read is passed over; where nothing is older, whoever asks for the state is to see that."""
        try:
            self._latest[str(record.key)] = decode(record.value)
        except WireError as error:
            self._latest.setdefault(str(record.key), Snapshot("", record.value, {}))
            log.warning("%s, offset %d passed over: %s", record.topic, record.offset, error)

    def save(
        self,
        log: str,
        positions: Mapping[Place, int],
        snapshots: Mapping[str, bytes],
        events: Sequence[Event],
        pending: Mapping[str, Changes] | None = None,
    ) -> None:
        """Events first, so that none is missing where a snapshot says that it happened."""
        for model, before in self._mine.items():
            known = before.positions
            moved = {place: max(at, positions.get(place, 0)) for place, at in known.items()}
            self._mine[model] = Snapshot(log, snapshots.get(model, before.state), moved)
        self._unwritten |= set(snapshots)
        if pending:  # what is known of labels cannot be put off: judged again, a row would find its label used
            self._labels.save(log, {}, {}, [], pending)
        for event in events:
            self._bus.publish(topic(EVENTS), record_codec.encode_event(event), event.model)
        if events:
            self._bus.flush(SAFE_WITHIN)
        self._write(self._unwritten | self._due() if events or pending else self._due())

    def rest(self, still: Callable[[], bool]) -> None:
        """Write what was put off for long enough."""
        due = self._due()
        if due and still():
            self._write(due)

    def _due(self) -> set[str]:
        now = time.monotonic()
        age = {model: now - self._written.get(model, 0.0) for model in self._mine}
        return {m for m, s in self._mine.items() if s.state and age[m] > (EVERY if m in self._unwritten else IDLE)}

    def _write(self, models: set[str]) -> None:
        for model in sorted(models):
            self._bus.publish(topic(SNAPSHOTS), encode(self._mine[model]), model)
            self._written[model] = time.monotonic()
        if models:
            self._bus.flush(SAFE_WITHIN)
        self._unwritten -= models

    def past(self, model: str, name: str, since: float) -> Iterator[Sequence[Record]]:
        """From the log: rows and labels that another judge knew, or this one before the models were dealt out anew."""
        place = (topic(name), self._bus.partition(topic(name), model))
        return self._bus.span(*place, since, self._mine[model].positions[place])

    def held(self, model: str, keys: Sequence[Key]) -> dict[Key, Held]:
        """Compared rows by key."""
        return self._labels.held(model, keys)

    def waiting(self, model: str, keys: Sequence[Key]) -> dict[Key, Label]:
        """Labels without a row, by key."""
        return self._labels.waiting(model, keys)

    def overdue(self, model: str, before: float) -> tuple[int, int]:
        """How many rows without a label, and labels without a row, are older than ``before``."""
        return self._labels.overdue(model, before)

    def close(self) -> None:
        """Read no more."""
        self._reader.close()
        self._labels.close()
