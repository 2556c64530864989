"""The ports: protocols for logs, models, stores and pagers, with their errors and records. Adapters implement them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import NamedTuple, Protocol, cast, runtime_checkable

from tightrope.monitors.folding.inputs import FoldStep
from tightrope.monitors.label_records import Label, PendingRow, RowKey
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Comparisons, Event, Floats, Role, Tensors
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.service.errors import TightropeError
from tightrope.service.protocol.tensors import TensorSpec


class BusFullError(TightropeError):
    """The bus is full until its readers catch up; the record was not written."""


class BusUnavailableError(TightropeError):
    """The bus cannot be reached now; a later attempt may succeed."""


class NotPermittedError(BusUnavailableError):
    """The brokers refuse an operation, because this process lacks a permission: the text names it and the command that
    grants it.
    """


class MadeAnewError(BusUnavailableError):
    """A topic was made anew: what was read of it, and each position in it, means nothing now. Its readers begin again,
    which is no failure of theirs.
    """


class UndeliveredError(TightropeError):
    """A record published earlier could not be delivered: work that depends on it has to be repeated."""


class RecordTooLargeError(TightropeError):
    """The record exceeds the maximum size of the bus and was not written."""


class RunFailedError(TightropeError):
    """A model failed to answer."""


class ProviderError(TightropeError):
    """A model is configured for an execution provider that this process does not have."""


class UnreachableError(RunFailedError):
    """A remote model did not answer in time, or could not be reached: it may or may not have seen the input."""


class NotQualifiedError(UnreachableError):
    """A model is not asked: no statement of qualification lets it serve."""


class RunDeadlineError(UnreachableError):
    """A model did not answer within the seconds of a run, or is kept from requests because it did not lately."""


class EventLoopHeldError(TightropeError):
    """A run on the event loop was ended, because it took much longer than expected: it is to be made in a thread."""


class Record(NamedTuple):
    """One entry of a log. ``time`` is when it was published, in seconds since the epoch; 0 if the bus does not say.
    ``genuine`` is False where the bus checks signatures and this record, which needs none, has no valid one.
    """

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes
    time: float = 0.0
    genuine: bool = True


LogPartition = tuple[str, int]
"""A partition of a topic: (topic, number)."""


class LogReset(NamedTuple):
    """A log that a stored position does not fit: ``cause`` is `made_anew`, `beyond_end`, `lost` or `older`, ``reason``
    is for people.
    """

    topic: str
    cause: str
    reason: str


StartOffsets = Callable[[Sequence[LogPartition]], Mapping[LogPartition, int]]
"""Called with the partitions a reader has from now on; returns start offsets for those whose position the caller keeps
itself. The others start at the group's committed offset.
"""


class Subscription(Protocol):
    """A reader's position in some topics. Not shared between threads."""

    def poll(self, limit: int, timeout: float) -> list[Record]:
        """The next records, at most ``limit``; wait up to ``timeout`` seconds for the first one."""

    def commit(self) -> None:
        """Mark everything polled so far as processed: the group continues from here, also with another member."""

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Continue from ``offset``, the next record to be polled."""

    def lag(self) -> int:
        """Records published and not polled yet."""

    def owns_partitions(self) -> bool:
        """Whether the polled records are still this reader's to process; another member may have taken over."""

    def close(self) -> None:
        """Leave the group."""


class Bus(Protocol):
    """Ordered, re-readable logs of bytes."""

    @property
    def log(self) -> str:
        """The id of this incarnation of the log: offsets of another incarnation mean nothing here."""

    def generation(self, *topics: str) -> int:
        """How often one of these topics was made anew while this bus was in use; makes no request."""

    def identities(self, topics: Sequence[str]) -> Mapping[str, str]:
        """The id of each topic's present incarnation, requested now.

        Raises:
            BusUnavailableError: when the log cannot be reached, or a topic is missing.
        """

    def ends(self, topics: Sequence[str]) -> Mapping[LogPartition, int]:
        """The offset after the last record of each partition of these topics, requested now.

        Raises:
            BusUnavailableError: when the log cannot be reached, or a topic is missing.
        """

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Append a record. In topics of `topics.DELETABLE` an empty value deletes the record of its key.

        Raises:
            BusFullError: when there is no room at the moment.
            RecordTooLargeError: when the record exceeds the maximum size.
        """

    def flush(self, timeout: float) -> None:
        """Wait until every published record is stored.

        Raises:
            TimeoutError: when it takes longer than ``timeout`` seconds.
            UndeliveredError: when a record never will be.
        """

    def subscribe(
        self, *topics: str, group: str | None = None, start_offsets: StartOffsets | None = None
    ) -> Subscription:
        """Read topics from the committed offsets of ``group``, or from the oldest record without a group.

        ``start_offsets`` is called before the first record of a partition, and again after every rebalance.
        """

    def replay(self, topic: str, partition: int, since: float, until: int) -> Iterator[list[Record]]:
        """The records of one partition published from ``since`` (seconds since the epoch) on, up to offset ``until``.

        They come in batches, which may be empty: so the caller keeps control while the log is slow or unreachable.
        """

    def partition(self, topic: str, key: str) -> int:
        """The partition that holds the records of a key.

        Raises:
            BusUnavailableError: when the log cannot be reached.
        """


def require_generation(bus: Bus, generation: int, *topics: str) -> None:
    """Require that none of these topics was made anew since ``generation`` was read.

    Raises:
        MadeAnewError: when one was.
    """
    if bus.generation(*topics) != generation:
        raise MadeAnewError(f"one of {', '.join(topics)} was made anew: its readers begin again")


FULL_RETRY_SECONDS = 0.02
"""Seconds between two attempts to publish to a full bus."""


def publish_blocking(bus: Bus, topic: str, value: bytes, key: str | None, stopping: Flag) -> bool:
    """Publish, waiting while the bus is full: a slow reader slows its writers down, and no record is lost.

    False when ``stopping`` was set before there was room.
    """
    while True:
        try:
            bus.publish(topic, value, key)
        except BusFullError:
            if stopping.wait(FULL_RETRY_SECONDS):
                return False
        else:
            return True


REMOTE_HOST_CLASS = "remote"
"""The host class of a model on another server, whose processor is unknown."""


def host_class_of(model: "Model") -> str:
    """The class of the host that runs a model; empty where it is unknown."""
    return str(getattr(model, "host_class", ""))


class Model(Protocol):
    """A model that answers batches: a local ONNX file, or a model on another server."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file, or of the address of a remote model; hexadecimal."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The input tensors; empty where they are unknown."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The output tensors; empty where they are unknown."""

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer one batch with the named outputs.

        Raises:
            RunFailedError: when the run fails; `UnreachableError` when a remote model could not be reached.
        """


class _MappedModel(Protocol):
    """A model that maps the tensors of callers to those of ``loaded``."""

    loaded: Model

    def with_loaded(self, loaded: Model) -> Model:
        """The mapping, with another copy behind it."""


def loaded_model(model: Model) -> Model:
    """The model as it was loaded, behind all mappings of its tensors."""
    while (loaded := getattr(model, "loaded", None)) is not None:
        model = loaded
    return model


def replace_loaded(model: Model, loaded: Model) -> Model:
    """The model with another copy of the loaded one, behind the same mappings."""
    if not hasattr(model, "loaded"):
        return loaded
    mapped = cast(_MappedModel, model)
    return mapped.with_loaded(replace_loaded(mapped.loaded, loaded))


@dataclass(slots=True)
class PendingChanges:
    """Changes of one round to the rows and labels of one model that wait for each other.

    ``held`` rows start to wait, ``joined`` rows have their label; ``waiting`` labels start to wait, ``matched`` labels
    have their row. Rows and labels with an event time before ``before`` are given up; one after ``now`` counts as now.
    Labels that come for such rows within ``late_seconds`` are late.
    """

    held: dict[RowKey, PendingRow] = field(default_factory=dict)
    joined: set[RowKey] = field(default_factory=set)
    waiting: dict[RowKey, Label] = field(default_factory=dict)
    matched: set[RowKey] = field(default_factory=set)
    before: float = float("-inf")
    now: float = float("inf")
    late_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class JudgedInputs:
    """Records that a judge applied in one round at ``now`` (seconds since the epoch), without those that it refused.

    Applied to the states before the round, they lead to the states after it again.
    """

    now: float
    records: Sequence[Record]


class OverduePortion(NamedTuple):
    """The oldest rows and labels: their first time, the time before which all of them lie, and whether it is full."""

    oldest: float
    before: float
    full: bool


NO_BOUND = 2**63 - 1
"""Above every sequence number of an event."""


class AuditTrail(Protocol):
    """Read access to the audit trail."""

    def events(self, model: str | None = None, after: int = 0, limit: int = 100) -> list[tuple[int, Event]]:
        """Events with a sequence number beyond ``after``, each with its number, in the order they were saved."""

    def latest_events(
        self, model: str | None = None, before: int = NO_BOUND, limit: int = 100
    ) -> list[tuple[int, Event]]:
        """Events with a sequence number below ``before``, each with its number, newest first."""


@runtime_checkable
class LabelLists(Protocol):
    """Read access to the rows that wait for labels."""

    def rows_to_label(self, model: str, draw: LabelDraw, limit: int) -> list[PendingRow]:
        """At most ``limit`` rows of a model that were drawn and wait for their label, oldest first."""


class Store(Protocol):
    """Storage of the judge's state and of the audit trail across restarts."""

    def positions(self, log: str, models: Sequence[str]) -> Mapping[str, Mapping[LogPartition, int]]:
        """Start to judge these models, and no others: the next offset of each partition that each model's snapshot
        covers.
        """

    def snapshot(self, model: str) -> bytes | None:
        """The latest readable snapshot of a model's judgement."""

    def lost(self, model: str) -> str:
        """The reason for which a later state of this model cannot be read; empty if `snapshot` is the latest."""

    def resets(self, model: str) -> Sequence[LogReset]:
        """The logs that a model's snapshot does not fit any more, as of `positions`: it begins again with the kept
        records of all logs.
        """

    def published_epoch(self, model: str) -> int:
        """The epoch of the newest modes that a judge has published for a model, as of `positions`; -1 if unknown."""

    def set_aside(self, model: str, name: str) -> None:
        """Keep a copy of a model's snapshot under another name, because the next one replaces it."""

    def redacted(self, events: Sequence[Event]) -> Sequence[Event]:
        """The events as they are saved: with keyed digests in place of request ids."""

    def save(
        self,
        log: str,
        positions: Mapping[LogPartition, int],
        snapshots: Mapping[str, bytes],
        events: Sequence[Event],
        pending: Mapping[str, PendingChanges] | None = None,
        inputs: JudgedInputs | None = None,
    ) -> None:
        """Save snapshots, events, pending rows and labels, and the position they cover: all of it, or nothing.

        A store whose log can be read again may defer snapshots without events and ``pending``: the same records lead to
        the same state again. One that keeps ``inputs`` may write them instead of the snapshots of models without an
        event.
        """

    def judged_inputs(self, model: str) -> Iterable[JudgedInputs]:
        """The inputs that were written instead of a model's snapshot, as of `positions`, in order. The judge applies
        them to the snapshot before anything else, and tells `take_over`.
        """

    def take_over(self, model: str, snapshots: Mapping[str, bytes], pending: Mapping[str, PendingChanges]) -> None:
        """Note the outcome of one of `judged_inputs` for a model: it is written with the model's next snapshot."""

    def flush_deferred(self, still_owned: Callable[[], bool]) -> None:
        """Write deferred snapshots while the judge is idle, if ``still_owned`` says that they are still ours."""

    def past_records(self, model: str, name: str, since: float) -> Iterator[Sequence[Record]]:
        """The rows or labels that a model's snapshot covers and this store does not hold: records of one topic from a
        time on (seconds since the epoch), in batches that may be empty.
        """

    def pending_rows(self, model: str, keys: Sequence[RowKey]) -> dict[RowKey, PendingRow]:
        """The compared rows of these keys that wait for a label, or got it lately."""

    def pending_labels(self, model: str, keys: Sequence[RowKey]) -> dict[RowKey, Label]:
        """The labels of these keys that wait for their row."""

    def given_up(self, model: str, keys: Collection[RowKey]) -> set[RowKey]:
        """Those of the keys whose row was given up, as far as that is remembered."""

    def overdue_portion(self, model: str, before: float, latest: float, size: int) -> OverduePortion | None:
        """The oldest rows and labels with a time before ``before``, about ``size`` of them; None without any, unless
        one has a time after ``latest``, which no clock can have given.
        """

    def count_overdue(self, model: str, before: float) -> tuple[int, int]:
        """The number of rows without a label, and of labels without a row, older than ``before``."""


class OwnLogs:
    """The part of `Store` about logs, for a store whose logs end with its process."""

    def resets(self, model: str) -> Sequence[LogReset]:
        """None."""
        del model
        return ()

    def published_epoch(self, model: str) -> int:
        """Unknown."""
        del model
        return -1


@dataclass(frozen=True, slots=True)
class ComparedBatch:
    """Comparisons with the inputs and decisions behind them. ``inputs`` has one entry a sample, together as many rows
    as ``comparisons``.

    ``decisions`` has shape (rows,) for each role: the decided class, or the first value of a regression; NaN where the
    output could not be read.
    """

    comparisons: Comparisons
    inputs: Sequence[Tensors]
    decisions: Mapping[Role, Floats]


class LabelKeeper(Protocol):
    """Storage of labels beside the compared rows that they belong to."""

    def keep_labels(self, labels: Sequence[Label]) -> None:
        """Keep these labels if their rows are kept: never waits, never raises."""


class NoLabelKeeper:
    """Implements `LabelKeeper`: keeps nothing."""

    def keep_labels(self, labels: Sequence[Label]) -> None:
        """Discard these labels."""


class Archive(Protocol):
    """Storage of compared rows for drift reports, and for qualifying again."""

    def append(self, batch: ComparedBatch) -> None:
        """Keep these rows if possible: never waits, never raises."""


class NoArchive:
    """Implements `Archive`: keeps nothing."""

    def append(self, batch: ComparedBatch) -> None:
        """Discard these rows."""


LABEL_ANNOTATION = "labels"
"""The annotation about what labels show, which changes while an alert is active."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert about a scope. ``since`` is in seconds since the epoch, None for now; ``cause`` is the event that moved
    the scope, where it is at hand, and ``share`` the scope's share of the compared rows, None where it is not known.
    ``severity`` is page, ticket or info; ``labels`` are more labels than those that follow from the other fields.
    """

    name: str
    model: str
    scope: str
    since: float | None
    annotations: Mapping[str, str]
    cause: Event | None = None
    share: float | None = None
    severity: str = "page"
    labels: Mapping[str, str] = field(default_factory=dict)


class EnergyMeter(Protocol):
    """Counts the energy of this host's processors."""

    def joules(self) -> float | None:
        """The energy since the meter was opened; None where the host does not tell any more."""


class StepRecorder(Protocol):
    """Keeps the steps of the fold, so that they can be repeated."""

    def note(self, plan: Plan, before: State, steps: Sequence[FoldStep]) -> None:
        """Note the steps of one model that followed a state and are saved; never blocks and never raises."""


class NoRecorder:
    """Keeps nothing."""

    def note(self, plan: Plan, before: State, steps: Sequence[FoldStep]) -> None:
        """Do nothing."""


NO_RECORDER = NoRecorder()


class Pager(Protocol):
    """Notifies people of alerts."""

    def set_alerts(self, model: str, alerts: Sequence[Alert]) -> None:
        """Replace the active alerts of a model: new ones are sent, missing ones end. Waits only for the disk."""

    def set_models(self, models: Collection[str]) -> None:
        """Report these models only from now on: another judge reports the others."""

    def start(self) -> None:
        """Start to send."""

    def stop(self, timeout: float) -> None:
        """Stop; unsent alerts are sent after the next start."""


class NoPager:
    """Implements `Pager`: sends nothing."""

    def set_alerts(self, model: str, alerts: Sequence[Alert]) -> None:
        """Discard these alerts."""

    def set_models(self, models: Collection[str]) -> None:
        """Do nothing."""

    def start(self) -> None:
        """Do nothing."""

    def stop(self, timeout: float) -> None:
        """Do nothing."""
