"""Observations of the monitors: one function each, from comparisons to numbers."""

import numpy as np

from tightrope.monitors.records import Bools, Comparisons, Fault, Floats

Observed = tuple[Bools, Floats]
"""For n comparisons and V variants: the rows that count (n, V), and their values (n, V), NaN allowed elsewhere."""


def _sound(rows: Comparisons) -> Bools:
    return np.asarray(rows.fault == Fault.NONE)[:, None]


def disagreement(rows: Comparisons, _: int) -> Observed:
    """1 where the two decisions differ."""
    return _sound(rows), rows.disagree[:, None].astype(np.float64)


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


def mix(rows: Comparisons, variants: int) -> Observed:
    """Difference of the indicators "predicts class k", compressed minus baseline; with two classes only for class 1."""
    classes = np.arange(variants) if variants > 1 else np.array([1])
    y = (rows.top_compressed[:, None] == classes).astype(float) - (rows.top_baseline[:, None] == classes)
    return np.repeat(_sound(rows), variants, axis=1), y


def refusals(rows: Comparisons, _: int) -> Observed:
    """Difference of the refusals, compressed minus baseline."""
    return _sound(rows), (rows.refused_compressed.astype(np.float64) - rows.refused_baseline)[:, None]


def persistence(rows: Comparisons, _: int) -> Observed:
    """On rows that the baseline refuses: 1 if the compressed model answers."""
    return _sound(rows) & rows.refused_baseline[:, None], (~rows.refused_compressed[:, None]).astype(np.float64)


def _labelled(rows: Comparisons) -> Bools:
    return np.asarray(_sound(rows) & np.isfinite(rows.correct_baseline)[:, None])


def accuracy(rows: Comparisons, _: int) -> Observed:
    """Difference of being right, baseline minus compressed."""
    return _labelled(rows), (rows.correct_baseline - rows.correct_compressed)[:, None]


def excess(rows: Comparisons, _: int) -> Observed:
    """On rows where the two disagree: difference of being right, baseline minus compressed."""
    return _labelled(rows) & rows.disagree[:, None], (rows.correct_baseline - rows.correct_compressed)[:, None]


def brier(rows: Comparisons, _: int) -> Observed:
    """Difference of the squared errors of confidence (Brier score), compressed minus baseline."""
    compressed = (rows.confidence_compressed - rows.correct_compressed) ** 2
    return _labelled(rows), (compressed - (rows.confidence_baseline - rows.correct_baseline) ** 2)[:, None]


CALIBRATION_BINS = 10
"""The number of equal bins of confidence."""


def calibration(rows: Comparisons, variants: int) -> Observed:
    """In the bin of the compressed model's confidence: that confidence minus 1 if the model is right."""
    sure = np.where(np.isfinite(rows.confidence_compressed), rows.confidence_compressed, 0.0)
    bin_index = np.minimum((sure * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    y = np.repeat((rows.confidence_compressed - rows.correct_compressed)[:, None], variants, axis=1)
    return _labelled(rows) & (bin_index[:, None] == np.arange(variants)), y
