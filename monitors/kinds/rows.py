"""Arrays of rows that several kinds share: reading tensors, probabilities of single labels, and losses by class.

Every figure of a row is the same, bit by bit, alone and among others: sums go along the last axis of arrays whose rows
are contiguous, and no product of matrices mixes rows.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.compare import ROUNDING, Scale
from tightrope.monitors.intake.sample_batch import tensor_layout
from tightrope.monitors.kinds.seam import MOST_CLASSES, KindReading
from tightrope.monitors.records import Bools, Fault, Floats, Ints, Tensors

Faults = NDArray[np.int8]

_NOT_FINITE = np.int8(Fault.NOT_FINITE)

_FEW_CLASSES = 24
"""The largest number of classes whose pairs are counted at once."""


def find_rows(tensors: Tensors, name: str, rows: int) -> NDArray[Any] | None:
    """A tensor of numbers as it is; None where it is missing, holds no numbers, or has not one entry a row."""
    tensor = tensors.get(name)
    if tensor is None or tensor.ndim == 0 or len(tensor) != rows or tensor.dtype.kind not in "fiub":
        return None
    return tensor


def as_matrix(tensor: NDArray[Any]) -> NDArray[Any]:
    """A tensor with all sides of a row in one.

    >>> as_matrix(np.zeros((2, 3, 4))).shape, as_matrix(np.zeros(2)).shape
    ((2, 12), (2, 1))
    """
    return tensor.reshape(len(tensor), prod(tensor.shape[1:]))


def find_matrix(tensors: Tensors, name: str, rows: int, width: int | None = None) -> NDArray[Any] | None:
    """`find_rows` as (rows, k); None where k is 0 or not ``width``."""
    tensor = find_rows(tensors, name, rows)
    if tensor is None:
        return None
    matrix = as_matrix(tensor)
    return matrix if matrix.shape[1] and width in {None, matrix.shape[1]} else None


def as_floats(tensor: NDArray[Any]) -> Floats:
    """A copy as contiguous float64."""
    return np.array(tensor, np.float64, order="C")


def faults_of(values: Floats) -> Faults:
    """The faults of rows (n, k): those that are not finite."""
    return np.asarray(~np.isfinite(values).all(axis=1) * _NOT_FINITE)


def read_probabilities(values: Floats, scale: Scale) -> tuple[Floats, Faults]:
    """Read numbers (n, k) as probabilities, each of its own; rows with a fault hold NaN.

    >>> p, fault = read_probabilities(np.array([[0.5, 1.001], [0.5, 7.0]]), Scale.PROBABILITIES)
    >>> p.tolist(), fault.tolist()
    ([[0.5, 1.0], [nan, nan]], [0, 2])
    """
    fault = faults_of(values)
    if fault.any():
        values = np.where(fault[:, None] == 0, values, 0.0)
    elif scale is Scale.PROBABILITIES and values.size and values.min() >= 0 and values.max() <= 1:
        return values + 0.0, fault
    if scale is Scale.LOGITS:
        powers = np.exp(-np.abs(values))
        p = np.where(values >= 0, 1.0, powers) / (1 + powers)
    else:
        inside = ((values >= -ROUNDING) & (values <= 1 + ROUNDING)).all(axis=1)
        fault[~inside & (fault == Fault.NONE)] = Fault.OUT_OF_RANGE
        p = np.minimum(np.maximum(values, 0.0), 1.0) + 0.0  # no zero is negative, on either path
    p[fault != Fault.NONE] = np.nan
    return p, fault


def exceeds(tensor: NDArray[Any], p: Floats, thresholds: Floats, scale: Scale) -> Bools:
    """Mask the probabilities above their threshold, both as precise as the output: 0.6 in float32 is not above 0.6."""
    if scale is Scale.PROBABILITIES and tensor.dtype.kind == "f":
        return np.asarray(tensor > thresholds.astype(tensor.dtype))
    return np.asarray(p > thresholds)


def label_entropy(p: Floats) -> Floats:
    """The entropy of each label in nats, from its probability.

    >>> label_entropy(np.array([0.0, 0.5])).round(4).tolist()
    [0.0, 0.6931]
    """
    entropy = _weighted_logarithm(p)
    entropy += _weighted_logarithm(1 - p)
    return np.abs(entropy, out=entropy)


def _weighted_logarithm(p: Floats) -> Floats:
    logarithm = np.maximum(p, np.finfo(p.dtype).tiny)
    np.log(logarithm, out=logarithm)
    logarithm *= p
    return logarithm


def label_distance(p: Floats, q: Floats) -> Floats:
    """The Jensen-Shannon distance of each label's two probabilities, base 2, in [0, 1]."""
    divergence = label_entropy((p + q) / 2) - (label_entropy(p) + label_entropy(q)) / 2
    return np.asarray(np.sqrt(np.minimum(np.maximum(divergence, 0.0) / np.log(2), 1.0)))


def column(reading: KindReading, name: str) -> NDArray[Any]:
    """A column of a reading."""
    return reading.columns[name]


def pair_faults(baseline: KindReading, compressed: KindReading) -> Faults:
    """The graver fault of each row."""
    return np.maximum(baseline.fault, compressed.fault)


def are_comparable(baseline: KindReading, compressed: KindReading) -> bool:
    """Whether both readings have columns, and of equal layout."""
    return bool(baseline.columns) and tensor_layout(baseline.columns) == tensor_layout(compressed.columns)


def compare_classes(baseline: Bools, compressed: Bools) -> dict[str, Floats]:
    """The mix, the missed and the gained classes, from the classes that each model said, (n, C).

    >>> compare_classes(np.array([[True, False]]), np.array([[True, True]]))["gained"].tolist()
    [[0.0, 1.0]]
    """
    if baseline.shape[1] > MOST_CLASSES:
        return {}
    return {
        "mix": compressed.astype(np.float64) - baseline,
        "missed": np.where(baseline, ~compressed, np.nan),
        "gained": np.where(compressed, ~baseline, np.nan),
    }


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """The number of entries of each row that each model put into each class, and that both put there, all (n, C).

    >>> ids = np.array([[0, 1, 1]]), np.array([[0, 1, 0]])
    >>> counts = count_classes(*ids, np.ones((1, 3), bool), 2)
    >>> counts.baseline.tolist(), counts.compressed.tolist(), counts.both.tolist()
    ([[1, 2]], [[2, 1]], [[1, 1]])
    """

    baseline: Ints
    compressed: Ints
    both: Ints

    def by_class(self) -> dict[str, Floats]:
        """The mix, the missed and the gained share of each class; NaN where a row has no entries."""
        if self.both.shape[1] > MOST_CLASSES:
            return {}
        entries = self.baseline.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "mix": (self.compressed - self.baseline) / entries,
                "missed": 1 - self.both / np.where(self.baseline, self.baseline, np.nan),
                "gained": 1 - self.both / np.where(self.compressed, self.compressed, np.nan),
            }


def count_classes(baseline: Ints, compressed: Ints, kept: Bools, classes: int) -> ClassCounts:
    """Count the kept entries (n, k) of each row by class."""
    rows = len(baseline)
    if classes <= _FEW_CLASSES:
        pairs = baseline.astype(np.int64) * classes + compressed
        counts = _count(pairs, kept, classes**2).reshape(rows, classes, classes)
        return ClassCounts(counts.sum(axis=2), counts.sum(axis=1), np.diagonal(counts, axis1=1, axis2=2))
    both = kept & (baseline == compressed)
    return ClassCounts(
        _count(baseline, kept, classes), _count(compressed, kept, classes), _count(baseline, both, classes)
    )


def _count(numbers: Ints, kept: Bools, most: int) -> Ints:
    """How often each number below ``most`` stands among the kept entries of each row, (n, most)."""
    rows = len(numbers)
    numbers = numbers if rows == 1 else numbers + (np.arange(rows) * most)[:, None]
    counts = np.bincount(numbers.ravel() if kept.all() else numbers[kept], minlength=rows * most)
    return np.asarray(counts.reshape(rows, most), np.int64)
