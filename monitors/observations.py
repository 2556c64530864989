"""Observations of the monitors: one function each, from comparisons to numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tightrope.monitors.records import Bools, Comparisons, Fault, Floats, Ints

Observed = tuple[Bools, Floats]
"""For n comparisons and V variants: the rows that count (n, V), and their values (n, V), NaN allowed elsewhere."""


def _sound(rows: Comparisons) -> Bools:
    return np.asarray(rows.fault == Fault.NONE)[:, None]


def disagreement(rows: Comparisons, _: int) -> Observed:
    """1 where the two decisions differ."""
    return _sound(rows), rows.disagree[:, None].astype(np.float64)


def loss(rows: Comparisons, _: int) -> Observed:
    """How far the two decisions differ, in [0, 1]; a row without a loss does not speak."""
    return _sound(rows) & np.isfinite(rows.loss)[:, None], rows.loss[:, None]


def losses(rows: Comparisons) -> Floats:
    """The disagreement of each row in [0, 1], (n,): its loss where it has one, else whether the decisions differ."""
    return np.where(np.isfinite(rows.loss), rows.loss, rows.disagree.astype(np.float64))


def summed_losses(loss: Floats, disagree: Bools, member: Bools) -> Ints | Floats:
    """The disagreement of the rows of each scope together, (S,), from the losses (n,), or whether decisions differ
    (n,), and membership (n, S): the number of rows where it is all or nothing.
    """
    known = np.isfinite(loss)
    if not known.any():
        return np.asarray(member[disagree].sum(axis=0))
    return np.asarray(np.where(known, loss, disagree) @ member)


def own_noise(rows: Comparisons, member: Bools) -> Ints | Floats:
    """Rows of each scope on which the baseline ran twice, and how far it contradicted itself on them together, (S, 2):
    their number where disagreement is all or nothing.
    """
    repeated = np.isfinite(rows.self_disagree)
    own, twice = rows.self_disagree[repeated], member[repeated]
    lost = twice[own > 0].sum(axis=0) if np.isnan(rows.loss).all() else own @ twice
    return np.stack([twice.sum(axis=0), lost], axis=1)


def bias(rows: Comparisons, _: int) -> Observed:
    """How far the compressed model's value lies above the baseline's, as a share of the cap."""
    return _sound(rows) & np.isfinite(rows.bias)[:, None], rows.bias[:, None]


def confidence(rows: Comparisons, _: int) -> Observed:
    """Confidence of the compressed model minus that of the baseline."""
    return _sound(rows), (rows.confidence_compressed - rows.confidence_baseline)[:, None]


CONFIDENCE_POINTS = tuple(round(0.1 * step, 1) for step in range(1, 10))
"""The confidences at which the two distribution functions are compared."""


def shape(rows: Comparisons, variants: int) -> Observed:
    """Difference of the indicators "confidence is at most p", compressed minus baseline, for each point p."""
    points = np.array(CONFIDENCE_POINTS)
    y = (rows.confidence_compressed[:, None] <= points).astype(float) - (rows.confidence_baseline[:, None] <= points)
    return np.repeat(_sound(rows), variants, axis=1), y


CONFIDENCE_JUMP = 0.15
"""The difference of two confidences of one row beyond which it is a jump."""


def jump(rows: Comparisons, _: int) -> Observed:
    """1 where the compressed model's confidence lies far below the baseline's; and where it lies far above."""
    moved = rows.confidence_compressed - rows.confidence_baseline
    y = np.stack([moved < -CONFIDENCE_JUMP, moved > CONFIDENCE_JUMP], axis=1).astype(np.float64)
    y[np.isnan(moved)] = np.nan
    return np.repeat(_sound(rows), 2, axis=1), y


def mix(rows: Comparisons, variants: int) -> Observed:
    """Difference of the indicators "predicts class k", compressed minus baseline; with two classes only for class 1."""
    classes = np.arange(variants) if variants > 1 else np.array([1])
    y = (rows.top_compressed[:, None] == classes).astype(float) - (rows.top_baseline[:, None] == classes)
    return np.repeat(_sound(rows), variants, axis=1), y


def class_mix(rows: Comparisons, variants: int) -> Observed:
    """How much more the compressed model says class k than the baseline, of kinds that give it for each class; with one
    variant only for the last class.
    """
    missing = max(variants - rows.mix.shape[1], 0)
    y = np.pad(rows.mix, ((0, 0), (0, missing)), constant_values=np.nan)[:, -variants:]
    return _sound(rows) & np.isfinite(y), y


def baseline_class(rows: Comparisons) -> Ints:
    """The class that the baseline says, (n,)."""
    return rows.top_baseline


def compressed_class(rows: Comparisons) -> Ints:
    """The class that the compressed model says, (n,)."""
    return rows.top_compressed


def differs(rows: Comparisons, _: int) -> Observed:
    """1 where the two say different classes, of rows on which both say one."""
    says = _sound(rows) & ((rows.top_baseline >= 0) & (rows.top_compressed >= 0))[:, None]
    return says, (rows.top_baseline != rows.top_compressed)[:, None].astype(np.float64)


def missed(rows: Comparisons, variants: int) -> Observed:
    """The loss by the class that the baseline says, of kinds that give it for each class."""
    return _by_class(rows, rows.missed, variants)


def gained(rows: Comparisons, variants: int) -> Observed:
    """The loss by the class that the compressed model says, of kinds that give it for each class."""
    return _by_class(rows, rows.gained, variants)


def _by_class(rows: Comparisons, matrix: Floats, variants: int) -> Observed:
    absent = max(variants - matrix.shape[1], 0)
    y = np.pad(matrix, ((0, 0), (0, absent)), constant_values=np.nan)[:, :variants]
    return _sound(rows) & np.isfinite(y), y


def refusals(rows: Comparisons, _: int) -> Observed:
    """Difference of the refusals, compressed minus baseline."""
    return _sound(rows), (rows.refused_compressed.astype(np.float64) - rows.refused_baseline)[:, None]


def persistence(rows: Comparisons, _: int) -> Observed:
    """On rows that the baseline refuses: 1 if the compressed model answers."""
    return _sound(rows) & rows.refused_baseline[:, None], (~rows.refused_compressed[:, None]).astype(np.float64)


def _labelled(rows: Comparisons) -> Bools:
    return np.asarray(_sound(rows) & np.isfinite(rows.correct_baseline)[:, None])


def accuracy(rows: Comparisons, _: int) -> Observed:
    """Difference of being right, baseline minus compressed, over the probability with which the row was drawn."""
    probability = np.where(drawn_for_label(rows), rows.inclusion, 1.0)
    return _labelled(rows), ((rows.correct_baseline - rows.correct_compressed) / probability)[:, None]


def agreements(rows: Comparisons) -> Floats:
    """The rows that enter accuracy as zeros with each labelled row, (n, S), or (n, 0) where none does: those since the
    drawn disagreement before it.
    """
    return np.where(drawn_for_label(rows)[:, None], np.nan_to_num(rows.agreed), 0.0)


def drawn_for_label(rows: Comparisons) -> Bools:
    """Mask the disagreements that were labelled because they were drawn, (n,)."""
    return np.asarray(rows.disagree & np.isfinite(rows.inclusion) & (rows.agreed.shape[1] > 0))


def excess(rows: Comparisons, _: int) -> Observed:
    """On rows where the two disagree: difference of being right, baseline minus compressed."""
    return _labelled(rows) & rows.disagree[:, None], (rows.correct_baseline - rows.correct_compressed)[:, None]


def brier(rows: Comparisons, _: int) -> Observed:
    """Difference of the squared errors of confidence (Brier score), compressed minus baseline."""
    compressed = (rows.confidence_compressed - rows.correct_compressed) ** 2
    y = compressed - (rows.confidence_baseline - rows.correct_baseline) ** 2
    return sampled_for_label(rows)[:, None], y[:, None]


def sampled_for_label(rows: Comparisons) -> Bools:
    """Mask the labelled rows of a sample of all rows, (n,): others, drawn because they disagree, have no confidence
    here.
    """
    return np.asarray(_labelled(rows)[:, 0] & np.isfinite(rows.confidence_compressed))


TENTHS = tuple(round(0.1 * step, 1) for step in range(1, 10))
"""The inner edges of ten equal bins of confidence."""


def bin_names(edges: Sequence[float]) -> tuple[str, ...]:
    """Name the bins between inner edges, from the lowest confidence on.

    >>> bin_names((0.6, 1.0))
    ('0 to 0.6', '0.6 to 1', '1')
    """
    ends = (0.0, *edges, 1.0)
    return tuple(f"{low:g} to {high:g}" if low < high else f"{low:g}" for low, high in pairwise(ends))


def bin_of(confidence: Floats, edges: Sequence[float]) -> Ints:
    """The bin of each confidence, (n,), between inner edges; a confidence at an edge is in the bin above it."""
    return np.searchsorted(np.asarray(edges, dtype=np.float64), confidence, side="right")


@dataclass(frozen=True, slots=True)
class CalibrationGap:
    """In the bin of the compressed model's confidence: that confidence minus 1 if the model is right.

    >>> rows = Comparisons.from_columns(1, confidence_compressed=0.7, correct_baseline=1.0, correct_compressed=1.0)
    >>> valid, y = CalibrationGap((0.6,))(rows, 2)
    >>> valid.tolist(), y.round(1).tolist()
    ([[False, True]], [[-0.3, -0.3]])
    """

    edges: tuple[float, ...]

    def __call__(self, rows: Comparisons, variants: int) -> Observed:
        """The rows that count for each bin, and their values, both (n, V)."""
        y = np.repeat((rows.confidence_compressed - rows.correct_compressed)[:, None], variants, axis=1)
        own = bin_of(rows.confidence_compressed, self.edges)[:, None] == np.arange(variants)
        return sampled_for_label(rows)[:, None] & own, y


calibration = CalibrationGap(TENTHS)
"""Calibration by tenths of confidence, where no golden rows choose the bins."""
