"""The ports: what Tightrope asks of a log, of a model, of a store. Each has one adapter a file beside this one."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import NamedTuple, Protocol

from tightrope.monitors.records import Comparisons, Event, Floats, Held, Label, Role, Tensors
from tightrope.service.errors import TightropeError
from tightrope.service.protocol.tensors import TensorSpec


class BusFullError(TightropeError):
    """The log cannot take more until its readers have caught up; nothing was written."""


class BusAwayError(TightropeError):
    """The log cannot be asked now; it may be there again in a moment."""


class UndeliveredError(TightropeError):
    """Something published before could not be made safe: whatever depends on it has to be done again."""


class RecordTooLargeError(TightropeError):
    """The log will never take a record of this size; nothing was written."""


class RunFailedError(TightropeError):
    """A model could not answer."""


class ProviderError(TightropeError):
    """A model is to be run by something that this process has not."""


class UnreachableError(RunFailedError):
    """A model that lives elsewhere is not there, or not in time: it never saw the input, or nobody knows."""


class Record(NamedTuple):
    """One entry of a log: where it stands, its key, its bytes; ``time`` is when it was published, in seconds since the
    epoch, 0 where the bus does not tell.
    """

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes
    time: float = 0.0


Place = tuple[str, int]
"""A partition of a topic."""

Begin = Callable[[Sequence[Place]], Mapping[Place, int]]
"""Told which places a reader has from now on; answers from which offset to read those that it knows better than its
group does.
"""


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

    def mine(self) -> bool:
        """Whether what was polled is still this reader's to deal with; another of its group may have taken over."""

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
            BusFullError: when it can take no more just now.
            RecordTooLargeError: when it never will.
        """

    def flush(self, timeout: float) -> None:
        """Wait until everything published is safe.

        Raises:
            TimeoutError: when it is not within ``timeout`` seconds.
            UndeliveredError: when something never will be.
        """

    def subscribe(self, *topics: str, group: str | None = None, begin: Begin | None = None) -> Subscription:
        """Read topics, from where ``group`` had got to; without a group, from the oldest record that is kept.

        A reader that keeps its own position is asked for it by ``begin`` before the first record of a place, and
        again whenever the group's places are dealt out anew.
        """

    def span(self, topic: str, partition: int, since: float, until: int) -> Iterator[list[Record]]:
        """The records of one place that were published from ``since`` on (seconds since the epoch), as far as offset
        ``until``, in portions that may be empty: so that the reader has its turn while they are waited for, or the log
        is away.
        """

    def partition(self, topic: str, key: str) -> int:
        """Where the records of a key stand.

        Raises:
            BusAwayError: when the log cannot be asked.
        """


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


class Trail(Protocol):
    """Where the audit trail can be read."""

    def events(self, model: str | None = None, after: int = 0, limit: int = 100) -> list[tuple[int, Event]]:
        """Events in the order they were saved, each with its sequence number; those beyond ``after`` only."""


class Store(Protocol):
    """Where the judge's state and the audit trail survive a restart."""

    def positions(self, log: str, models: Sequence[str]) -> Mapping[str, Mapping[Place, int]]:
        """Whoever asks judges these models from now on, and no others: for each the next offset of each place of a log
        that its snapshot stands for.
        """

    def snapshot(self, model: str) -> bytes | None:
        """The latest snapshot of a model's judgement."""

    def save(
        self,
        log: str,
        positions: Mapping[Place, int],
        snapshots: Mapping[str, bytes],
        events: Sequence[Event],
        pending: Mapping[str, Changes] | None = None,
    ) -> None:
        """Snapshots, events, what waits for labels, and the position all that stands for: all of it, or nothing.

        Without events and ``pending`` it may be put off: what follows from the same records again needs no keeping.
        """

    def rest(self, still: Callable[[], bool]) -> None:
        """Nothing happens just now: time to write what was put off, where ``still`` says that it is ours to write."""

    def past(self, model: str, name: str, since: float) -> Iterator[Sequence[Record]]:
        """What this store does not know of rows and labels though the model's snapshot stands for it: the records of
        one topic from a time on (seconds since the epoch), in portions that may be empty.
        """

    def held(self, model: str, keys: Sequence[Key]) -> dict[Key, Held]:
        """The compared rows of these keys (request id, row) that wait for a label, or have got it lately."""

    def waiting(self, model: str, keys: Sequence[Key]) -> dict[Key, Label]:
        """The labels of these keys that wait for their row."""

    def overdue(self, model: str, before: float) -> tuple[int, int]:
        """How many rows without a label, and labels without a row, are older than ``before``."""


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


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that people must know of a scope: since when (seconds since the epoch, None for now), and why."""

    name: str
    model: str
    scope: str
    since: float | None
    told: Mapping[str, str]


class Pager(Protocol):
    """Tells people what stands."""

    def stand(self, model: str, alerts: Sequence[Alert]) -> None:
        """These are all the alerts of a model from now on: what is new is told, what is gone is over. Waits for
        nobody but the disk.
        """

    def mind(self, models: Collection[str]) -> None:
        """Only these models are ours from now on: of the others somebody else tells."""

    def start(self) -> None:
        """Begin to tell."""

    def stop(self, timeout: float) -> None:
        """End; what has not been told yet is told after the next start."""


class NoPager:
    """Implements `Pager`: tells nobody."""

    def stand(self, model: str, alerts: Sequence[Alert]) -> None:
        """Forget these alerts."""

    def mind(self, models: Collection[str]) -> None:
        """Do nothing."""

    def start(self) -> None:
        """Do nothing."""

    def stop(self, timeout: float) -> None:
        """Do nothing."""
