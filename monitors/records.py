"""What travels: samples, comparisons, verdicts, events. Frozen and typed; field names are a public contract.

Many rows are held as a struct of arrays, because a worker publishes one batch of comparisons per poll, not one
message a row. How records become bytes is the business of the wire adapter, not of this file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum, StrEnum
from itertools import chain, compress
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

MODEL_SCOPE = "model"
"""The scope that covers every request of a model; all other scopes are subgroups, written ``attribute=value``."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Tensors = Mapping[str, NDArray[np.generic]]


def layout(tensors: Tensors) -> tuple[object, ...]:
    """What tensors must have in common to lie one below the other: names, datatypes, and all sides but the first."""
    return tuple([(name, tensor.dtype.num, tensor.shape[1:]) for name, tensor in tensors.items()])


class Role(StrEnum):
    """The two roles of a model pair."""

    BASELINE = "baseline"
    COMPRESSED = "compressed"

    @property
    def other(self) -> "Role":
        """The role that did not answer: what the shadow runs."""
        return Role.COMPRESSED if self is Role.BASELINE else Role.BASELINE


class Outcome(StrEnum):
    """What a monitor says. There is no default: whoever builds a verdict must have found out."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    BREACH = "breach"
    INSUFFICIENT = "insufficient"
    ERROR = "error"


class Stream(StrEnum):
    """What a monitor's clock counts: compared rows, or rows whose truth became known."""

    COMPARISONS = "comparisons"
    LABELS = "labels"


class Fault(IntEnum):
    """Why a row could not be compared."""

    NONE = 0
    NOT_FINITE = 1
    OUT_OF_RANGE = 2
    RUN_FAILED = 3


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record stands in its log. ``log`` names one incarnation: a log that was made anew starts at zero
    again.
    """

    log: str
    partition: int
    offset: int


@dataclass(slots=True)  # not frozen: one is made of every request that is kept, and freezing takes most of that time
class Sample:
    """One served inference that the sampler kept; self-contained, so that a worker needs no other source.

    ``member`` has shape (rows, scopes) and says which rows belong to which of ``scopes``; ``draw`` and ``inclusion``
    are in [0, 1]; ``time`` is the event time in seconds since the epoch. ``outputs`` holds the decision output of the
    role that answered, shape (rows, …), which took ``seconds``.
    """

    model: str
    request_id: str
    time: float
    served_by: Role
    baseline_digest: str
    compressed_digest: str
    inputs: Tensors
    outputs: Tensors
    scopes: tuple[str, ...]
    member: Bools
    draw: float
    inclusion: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Paired results of n rows of one model, all arrays of length n (``member``: (n, scopes)).

    ``partition`` and ``offset`` say where each row's sample stands in log ``log``: the judge counts a row once,
    however often it is delivered. ``distance`` is the Jensen-Shannon distance in [0, 1] (base 2) for classifiers and
    the absolute difference for regression; entropies are in nats; ``fault`` holds `Fault` codes, and a row with a
    fault holds NaN. ``top`` is the class (-1 without one); ``twin`` a hash of the input, 0 where it is not known;
    ``seconds`` what the primary took for the request; ``self_disagree`` 1 where the baseline contradicted itself, NaN
    where it was not asked twice; ``correct`` 1 or 0 once the truth is known, NaN before.
    """

    model: str
    baseline_digest: str
    compressed_digest: str
    log: str
    scopes: tuple[str, ...]
    partition: Ints
    offset: Ints
    time: Floats
    request_id: tuple[str, ...]
    served_by_baseline: Bools
    member: Bools
    draw: Floats
    inclusion: Floats
    disagree: Bools
    confidence_baseline: Floats
    confidence_compressed: Floats
    entropy_baseline: Floats
    entropy_compressed: Floats
    margin_baseline: Floats
    margin_compressed: Floats
    refused_baseline: Bools
    refused_compressed: Bools
    distance: Floats
    top_baseline: Ints
    top_compressed: Ints
    twin: NDArray[np.uint64]
    seconds: Floats
    self_disagree: Floats
    correct_baseline: Floats
    correct_compressed: Floats
    fault: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.offset)

    def take(self, rows: slice | Bools) -> Self:
        """The same record with only some of its rows, in order."""
        picked: dict[str, Any] = {name: getattr(self, name)[rows] for name in ROW_ARRAYS}
        if isinstance(rows, slice):
            return replace(self, request_id=self.request_id[rows], **picked)
        return replace(self, request_id=tuple(compress(self.request_id, rows)), **picked)

    @property
    def kind(self) -> tuple[object, ...]:
        """What records must have in common to be one."""
        return self.model, self.log, self.scopes, self.baseline_digest, self.compressed_digest

    def join(self, *more: Self) -> Self:
        """This record's rows followed by those of ``more``; all must be of one kind."""
        if other := next((part for part in more if part.kind != self.kind), None):
            raise ValueError(
                f"cannot join comparisons of {self.model} and {other.model}: model, log, scopes and digests must be "
                "the same"
            )
        parts = (self, *more)
        joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ROW_ARRAYS}
        return replace(self, request_id=tuple(chain.from_iterable(part.request_id for part in parts)), **joined)


_WHOLE = {"model", "baseline_digest", "compressed_digest", "log", "scopes", "request_id"}
ROW_ARRAYS = tuple(f.name for f in fields(Comparisons) if f.name not in _WHOLE)
"""The fields of `Comparisons` that hold one array entry a row."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one monitor says of one scope, with its evidence so far.

    ``count`` is the number of rows that spoke to the question since its detector last started, ``needed`` how many a
    pass takes, ``mean`` their mean and ``recent`` that of the latest ticks. ``evidence`` and ``threshold`` are log10
    of the e-detector and of the samples that one false alarm is budgeted for; ``recovery`` against
    ``recovery_threshold`` likewise, once the monitor has tripped its scope. ``errors`` counts the scope's rows that
    could not be measured. A monitor with several variants (classes, bins) shows the one with the most evidence.
    ``note`` says why a monitor cannot be believed, if it cannot. ``coverage`` stands with what labels tell: the share
    of rows that got theirs, of those that got it or will not any more.
    """

    scope: str
    monitor: str
    outcome: Outcome
    count: int
    needed: float
    mean: float | None
    recent: float | None
    limit: float
    evidence: float
    threshold: float
    recovery: float | None
    recovery_threshold: float
    errors: int
    variant: str = ""
    note: str = ""
    coverage: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit trail. ``id`` is the same however often the event is delivered."""

    id: str
    time: float
    model: str
    kind: str
    scope: str
    actor: str
    reason: str
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Traffic:
    """How many requests of a model a gateway kept for the shadow since it last said so; ``since`` is the event time of
    the first of them, ``time`` now, both in seconds since the epoch.
    """

    model: str
    time: float
    kept: int
    since: float


@dataclass(frozen=True, slots=True)
class Label:
    """The truth about one row of a request, learnt late: the class; ``time`` in seconds since the epoch."""

    model: str
    request_id: str
    row: int
    label: int
    time: float


@dataclass(frozen=True, slots=True)
class Held:
    """One compared row that waits for its label: what label monitors need of it. ``member`` (S - 1,) its subgroups,
    ``digest`` the plan it was compared under, ``joined`` whether a label has come.
    """

    request_id: str
    row: int
    time: float
    digest: str
    member: Bools
    draw: float
    disagree: bool
    confidence_baseline: float
    confidence_compressed: float
    top_baseline: int
    top_compressed: int
    joined: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """What a label names it by."""
        return self.request_id, self.row


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator asks for one scope: force-safe, force-normal or release, with a reason and a name."""

    id: str
    time: float
    model: str
    scope: str
    order: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Routes:
    """Which scopes of a model the baseline answers; ``epoch`` only grows, and an older one is never applied.

    ``states`` gives every scope's state; ``order`` is the id of the operator's order that they carry out, if any.
    """

    model: str
    epoch: int
    safe: tuple[str, ...]
    states: Mapping[str, str]
    order: str = ""
