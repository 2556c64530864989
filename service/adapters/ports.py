"""The ports: what Tightrope asks of a log, of a model, of a store. Each has one adapter a file beside this one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import NamedTuple, Protocol

from monitors.records import Comparisons, Event, Floats, Held, Label, Role, Tensors
from service.errors import TightropeError
from service.tensors import TensorSpec


class BusFullError(TightropeError):
    """The log cannot take more until its readers have caught up; nothing was written."""


class RunFailedError(TightropeError):
    """A model could not answer."""


class UnreachableError(RunFailedError):
    """A model that lives elsewhere is not there, or not in time: it never saw the input, or nobody knows."""


class Record(NamedTuple):
    """One entry of a log: where it stands, its key, its bytes."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes


class Subscription(Protocol):
    """A reader's place in some topics. Not shared between threads."""

    def poll(self, limit: int, timeout: float) -> list[Record]:
        """The next records, at most ``limit``, waiting up to ``timeout`` seconds for the first one."""

    def commit(self) -> None:
        """Everything polled so far has been dealt with: the group goes on from here, whoever reads for it."""

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on from ``offset``, the next record to be polled."""

    def lag(self) -> int:
        """Records published and not polled yet."""

    def close(self) -> None:
        """Leave."""


class Bus(Protocol):
    """Ordered, re-readable logs of bytes. ``log`` names this incarnation: offsets of another one mean nothing here."""

    @property
    def log(self) -> str:
        """The name of the incarnation."""

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Append a record.

        Raises:
            BusFullError: when readers are too far behind.
        """

    def flush(self, timeout: float) -> None:
        """Wait until everything published is safe.

        Raises:
            TimeoutError: when it is not within ``timeout`` seconds.
        """

    def subscribe(self, *topics: str, group: str | None = None) -> Subscription:
        """Read topics, from where ``group`` had got to; without a group, from the oldest record that is kept."""


PAUSE = 0.02
"""Seconds between two tries at a bus that is full."""


def insist(bus: Bus, topic: str, value: bytes, key: str | None, stopping: Flag) -> bool:
    """Publish, and while the bus is full wait: so a slow reader slows its writers down, and nothing is lost.

    False when ``stopping`` was set before there was room.
    """
    while True:
        try:
            bus.publish(topic, value, key)
        except BusFullError:
            if stopping.wait(PAUSE):
                return False
        else:
            return True


class Model(Protocol):
    """What answers: an ONNX file that is loaded here, or a model that another server has."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file, or of what a model elsewhere goes by; hexadecimal."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What it takes; nothing where that is not known."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What it gives."""

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer one batch with the named outputs.

        Raises:
            RunFailedError: when it cannot; `UnreachableError` when it was not there to try.
        """


Key = tuple[str, int]


@dataclass(slots=True)
class Changes:
    """What one round changes of one model: rows that wait from now on, rows and labels that do no longer, labels that
    wait from now on, and the event time before which both are given up.
    """

    held: dict[Key, Held] = field(default_factory=dict)
    joined: set[Key] = field(default_factory=set)
    waiting: dict[Key, Label] = field(default_factory=dict)
    matched: set[Key] = field(default_factory=set)
    before: float = float("-inf")


class Store(Protocol):
    """Where the judge's state and the audit trail survive a restart."""

    def snapshot(self, model: str) -> bytes | None:
        """The latest snapshot of a model's judgement."""

    def positions(self, log: str) -> Mapping[tuple[str, int], int]:
        """The next offset for each (topic, partition) of a log, as of the latest save."""

    def save(
        self,
        log: str,
        positions: Mapping[tuple[str, int], int],
        snapshots: Mapping[str, bytes],
        events: Sequence[Event],
        pending: Mapping[str, Changes] | None = None,
    ) -> None:
        """Snapshots, events, what waits for labels, and the position all that stands for: all of it, or nothing."""

    def held(self, model: str, keys: Sequence[Key]) -> dict[Key, Held]:
        """The compared rows of these keys (request id, row) that wait for a label, or have got it lately."""

    def waiting(self, model: str, keys: Sequence[Key]) -> dict[Key, Label]:
        """The labels of these keys that wait for their row."""

    def overdue(self, model: str, before: float) -> tuple[int, int]:
        """How many rows without a label, and labels without a row, are older than ``before``."""

    def events(self, model: str | None = None, after: int = 0, limit: int = 100) -> list[tuple[int, Event]]:
        """Events in the order they were saved, each with its sequence number; those beyond ``after`` only."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A batch of comparisons with what they were made of: ``inputs`` sample by sample, together as many rows.

    ``decided`` has shape (rows,) for each role: the class that it decided for, or the first value of a regression;
    NaN where it could not be read.
    """

    comparisons: Comparisons
    inputs: Sequence[Tensors]
    decided: Mapping[Role, Floats]


class Archive(Protocol):
    """Where compared rows are kept for people to read about."""

    def append(self, batch: Compared) -> None:
        """Keep these rows, if that is possible: never waits, never fails."""


class NoArchive:
    """Implements `Archive`: keeps nothing."""

    def append(self, batch: Compared) -> None:
        """Forget these rows."""
