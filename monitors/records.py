"""Records that processes exchange: samples, comparisons, verdicts, events. Frozen and typed; field names are public.

Rows travel as a struct of arrays, because a worker publishes one batch of comparisons per poll instead of one message
per row. The wire adapter turns records into bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum, StrEnum
from itertools import chain, compress
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.added_scopes.added_scope import AddedScope

MODEL_SCOPE = "model"
"""The scope that covers every request of a model; all other scopes are subgroups, written ``attribute=value``."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Features = NDArray[np.float32]
Hashes = NDArray[np.uint64]
Texts = NDArray[np.object_]
Tensors = Mapping[str, NDArray[np.generic]]


class Role(StrEnum):
    """The two roles of a model pair.

    >>> Role("baseline").other
    <Role.COMPRESSED: 'compressed'>
    """

    BASELINE = "baseline"
    COMPRESSED = "compressed"

    __hash__ = str.__hash__  # an enumeration's own is a call of Python, once or more a request

    @property
    def other(self) -> "Role":
        """The role that did not answer, which the shadow runs."""
        return Role.COMPRESSED if self is Role.BASELINE else Role.BASELINE


class Outcome(StrEnum):
    """The result of one monitor in one scope, from the best to the worst: a summary shows the worst.

    A verdict has no default outcome: its builder has to decide.
    """

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WATCH = "watch"
    INSUFFICIENT = "insufficient"
    UNSEEN = "unseen"
    ERROR = "error"
    BREACH = "breach"


class Stream(StrEnum):
    """The rows that a monitor's clock counts: compared rows, or rows whose label has arrived."""

    COMPARISONS = "comparisons"
    LABELS = "labels"


class Fault(IntEnum):
    """The reason why a row could not be compared; larger codes outweigh smaller ones."""

    NONE = 0
    NOT_FINITE = 1
    OUT_OF_RANGE = 2
    RUN_FAILED = 3
    UNREADABLE = 4


@dataclass(slots=True)  # not frozen: one is made for every request that is kept, and freezing takes most of that time
class Sample:
    """One served inference that the sampler kept; self-contained, so that a worker needs no other source.

    ``member`` (rows, scopes) marks the rows that belong to each of ``scopes``; ``draw`` and ``inclusion`` are in
    [0, 1]; ``time`` is the event time in seconds since the epoch. ``outputs`` holds the decision output of the role
    that answered, shape (rows, …), and ``seconds`` the time that this role took. ``caller`` is a keyed digest of the
    caller (0: unknown), ``host_class`` the class of the processor that ran the role (empty: unknown), ``trace_id``
    that of the request (empty: none). ``apart``: the gateway keeps requests apart, so this one shared no run.

    >>> sample = Sample(
    ...     model="m", request_id="r-1", time=0.0, served_by=Role.COMPRESSED,
    ...     baseline_digest="b", compressed_digest="c", inputs={"x": np.zeros((1, 4))},
    ...     outputs={"p": np.array([[0.2, 0.8]])}, scopes=("sex=f",), member=np.array([[True]]),
    ...     draw=0.03, inclusion=0.1, seconds=0.002,
    ... )
    >>> sample.served_by.other
    <Role.BASELINE: 'baseline'>
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
    caller: int = 0
    host_class: str = ""
    trace_id: str = ""
    apart: bool = False


_LEFT_OUT: Any = None
"""The default of a column that may be left out."""


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Paired results of n rows of one model, all arrays of length n (``member``: (n, scopes)).

    ``partition`` and ``offset`` locate each row's sample in log ``log``: the judge counts a row once, however often it
    is delivered. ``distance`` is the Jensen-Shannon distance in [0, 1] (base 2) for classifiers and the absolute
    difference for regression; entropies are in nats; ``fault`` holds `Fault` codes, and a row with a fault holds NaN.
    ``top`` is the class (-1 without one); ``twin`` a hash of the input (0: unknown); ``seconds`` the time that the
    serving model took for the request; ``self_disagree`` 1 where the baseline contradicted itself, NaN where it ran
    once; ``correct`` 1 or 0 once the label is known, NaN before. ``host_class`` and ``shadow_host_class`` are the
    classes of the processors that served the row and that ran the other model (empty: unknown); ``caller`` is a keyed
    digest (0: unknown). ``loss`` in [0, 1] is the disagreement of decisions that are not just equal or different (NaN:
    not given); ``missed`` and ``gained``, both (n, classes), hold the loss by the baseline's and by the compressed
    model's class, without columns where the classes are given by ``top`` alone; ``mix`` (n, classes) in [-1, 1] is how
    much more the compressed model said each class, and ``bias`` in [-1, 1] how far its value lies above the baseline's.
    ``apart`` is True where both models ran on the row's request alone, because the gateway keeps requests apart.
    ``features`` (n, columns) are the input columns that are searched for harmed groups, NaN where one is left out.
    Labelled rows alone have ``agreed`` and ``request_rows``, both (n, scopes): the rows since the drawn disagreement
    before, which are neither labelled nor drawn, and the rows of the request. ``chances`` (n, 2) are the probabilities
    with which a row is drawn for a label, as a disagreement and as any row, where a daily cap holds; without columns
    those of the plan hold. These columns may be left out.

    >>> rows = Comparisons.from_columns(3, model="m", disagree=[False, True, False])
    >>> len(rows), rows.take(rows.disagree).disagree.tolist(), len(rows.join(rows))
    (3, [True], 6)
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
    twin: Hashes
    seconds: Floats
    self_disagree: Floats
    correct_baseline: Floats
    correct_compressed: Floats
    fault: NDArray[np.int8]
    caller: Hashes = _LEFT_OUT
    host_class: Texts = _LEFT_OUT
    shadow_host_class: Texts = _LEFT_OUT
    trace_id: Texts = _LEFT_OUT
    loss: Floats = _LEFT_OUT
    missed: Floats = _LEFT_OUT
    gained: Floats = _LEFT_OUT
    mix: Floats = _LEFT_OUT
    bias: Floats = _LEFT_OUT
    apart: Bools = _LEFT_OUT
    features: Features = _LEFT_OUT
    agreed: Floats = _LEFT_OUT
    request_rows: Floats = _LEFT_OUT
    chances: Floats = _LEFT_OUT

    def __post_init__(self) -> None:
        """Fill the columns that were left out."""
        for name in ADDED_ARRAYS:
            if getattr(self, name) is _LEFT_OUT:
                object.__setattr__(self, name, unknown_column(name, len(self)))

    def __len__(self) -> int:
        return len(self.offset)

    @classmethod
    def from_columns(cls, n: int, **known: Any) -> Self:  # noqa: ANN401 - any column
        """Build n rows from the columns and fields that are given; all other columns hold NaN, 0 or False."""
        given = dict.fromkeys(_PER_BATCH, "") | {"scopes": (), "request_id": ("",) * n} | known
        member = np.asarray(given.pop("member", np.zeros((n, len(given["scopes"])))), dtype=bool)
        matrices: dict[str, Any] = {
            name: np.asarray(given.pop(name, np.zeros((n, 0))), dtype) for name, dtype in _NUMBER_MATRICES.items()
        }
        columns: dict[str, Any] = {
            name: np.broadcast_to(np.asarray(given.pop(name, unknown), dtype=np.asarray(unknown).dtype), n).copy()
            for name, unknown in _UNKNOWN_ENTRIES.items()
        }
        return cls(**given, **columns, **matrices, member=member)

    def take(self, rows: slice | Bools) -> Self:
        """Select rows by a slice or a mask, in order."""
        ids = self.request_id[rows] if isinstance(rows, slice) else tuple(compress(self.request_id, rows))
        return replace(self, request_id=ids, **{name: getattr(self, name)[rows] for name in ROW_ARRAYS})

    @property
    def group_key(self) -> tuple[object, ...]:
        """The fields that must be equal for two batches to be joined."""
        return self.model, self.log, self.scopes, self.baseline_digest, self.compressed_digest

    def join(self, *more: Self) -> Self:
        """Append the rows of ``more`` to this batch.

        Raises:
            ValueError: when a batch has another model, log, scopes or digests.
        """
        if other := next((part for part in more if part.group_key != self.group_key), None):
            wanted = "model, log, scopes and digests must be the same"
            raise ValueError(f"cannot join comparisons of {self.model} and {other.model}: {wanted}")
        joined: dict[str, Any] = {name: stacked([getattr(part, name) for part in (self, *more)]) for name in ROW_ARRAYS}
        return replace(self, request_id=tuple(chain.from_iterable(part.request_id for part in (self, *more))), **joined)


_PER_BATCH = ("model", "baseline_digest", "compressed_digest", "log")
_UNKNOWN: dict[object, Any] = {
    Floats: np.nan,
    Ints: np.int64(0),
    Bools: np.False_,
    Hashes: np.uint64(0),
    NDArray[np.int8]: np.int8(0),
    Texts: np.array("", dtype=object),
}
_DOUBLES = dict.fromkeys(("missed", "gained", "mix", "agreed", "request_rows", "chances"), np.float64)
_NUMBER_MATRICES = {**_DOUBLES, "features": np.float32}
MATRICES = ("member", *_NUMBER_MATRICES)
"""The fields of `Comparisons` that hold a row of entries per row."""

_UNKNOWN_ENTRIES = {
    f.name: _UNKNOWN[f.type] for f in fields(Comparisons) if f.type in _UNKNOWN and f.name not in MATRICES
}

ROW_ARRAYS = tuple(f.name for f in fields(Comparisons) if f.name in {*_UNKNOWN_ENTRIES, *MATRICES})
"""The fields of `Comparisons` that hold one array entry per row."""

ADDED_ARRAYS = tuple(f.name for f in fields(Comparisons) if f.name in ROW_ARRAYS and f.default is _LEFT_OUT)
"""Those of them that records of version 1 lack."""


def unknown_column(name: str, n: int) -> NDArray[Any]:
    """A column of `Comparisons` for n rows about which nothing is known.

    >>> unknown_column("loss", 2).tolist(), unknown_column("missed", 2).shape
    ([nan, nan], (2, 0))
    """
    if name in _NUMBER_MATRICES:
        return np.zeros((n, 0), _NUMBER_MATRICES[name])
    return np.full(n, _UNKNOWN_ENTRIES[name], np.asarray(_UNKNOWN_ENTRIES[name]).dtype)


def stacked(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Concatenate vectors, or matrices, of rows; narrower matrices get columns of NaN.

    >>> stacked([np.ones((1, 2)), np.ones((1, 1))]).tolist()
    [[1.0, 1.0], [1.0, nan]]
    """
    if len({part.shape[1:] for part in parts}) == 1:
        return np.concatenate(parts)
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(p, ((0, 0), (0, width - p.shape[1])), constant_values=np.nan) for p in parts])


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit trail. A redelivered event keeps its ``id``; ``time`` is in seconds since the epoch.

    >>> Event("m/1", 0.0, "m", "breach", "model", "judge", "disagreement 0.1").detail
    {}
    """

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
    """A gateway's notice: the number of requests of a model that it kept for the shadow since its last notice.

    ``since`` is the event time of the first of them and ``time`` now, both in seconds since the epoch; ``plan`` is the
    coverage of the gateway's plan (empty: a gateway of an older release).

    >>> Traffic("m", time=12.0, kept=40, since=7.0).kept
    40
    """

    model: str
    time: float
    kept: int
    since: float
    plan: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """An operator's order for one scope: force-safe, force-normal, release, or one about a found group, with a reason
    and a name.

    >>> Order("o-1", 0.0, "m", "model", "force-safe", "eve", "incident 7").order
    'force-safe'
    """

    id: str
    time: float
    model: str
    scope: str
    order: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Routes:
    """The scopes of a model that the baseline answers; gateways apply a record only if its ``epoch`` is newer.

    ``states`` gives every scope's state; ``order`` is the id of the operator's order behind the change, if any;
    ``plan`` is the coverage of the judge's plan (empty: a judge of an older release); of the scopes whose state
    is not normal, routed or not, those in ``ordered`` are so on an operator's word alone; ``added`` defines the scopes
    that no configuration declares. Where ``asked`` has classes, the model is safe for the answers of the compressed
    model that say one of them, which are asked again of the baseline; a reader that does not know it has the baseline
    answer all.

    >>> Routes("m", 3, ("sex=f",), {"model": "normal", "sex=f": "safe"}).safe
    ('sex=f',)
    """

    model: str
    epoch: int
    safe: tuple[str, ...]
    states: Mapping[str, str]
    order: str = ""
    plan: str = ""
    ordered: tuple[str, ...] = ()
    added: tuple[AddedScope, ...] = ()
    asked: tuple[int, ...] = ()
