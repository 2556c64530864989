"""What rows say to the monitors' questions: one function each, from comparisons to numbers."""

import numpy as np

from tightrope.monitors.records import Bools, Comparisons, Fault, Floats

Observed = tuple[Bools, Floats]
"""For n comparisons and V variants: which rows speak to the question (n, V), what they say (n, V), NaN where not."""


def _sound(rows: Comparisons) -> Bools:
    return np.asarray(rows.fault == Fault.NONE)[:, None]


def disagreement(rows: Comparisons, _: int) -> Observed:
    """1 where the two decided differently."""
    return _sound(rows), rows.disagree[:, None].astype(np.float64)


def confidence(rows: Comparisons, _: int) -> Observed:
    """How much surer the compressed model is."""
    return _sound(rows), (rows.confidence_compressed - rows.confidence_baseline)[:, None]


QUANTILES = tuple(round(0.1 * step, 1) for step in range(1, 10))
"""Confidences at which the two distribution functions are held against each other."""


def shape(rows: Comparisons, variants: int) -> Observed:
    """Which of the two confidences is at most each of `QUANTILES`, for every variant one."""
    at = np.array(QUANTILES)
    y = (rows.confidence_compressed[:, None] <= at).astype(float) - (rows.confidence_baseline[:, None] <= at)
    return np.repeat(_sound(rows), variants, axis=1), y


def mix(rows: Comparisons, variants: int) -> Observed:
    """Which of the two models said each class; of two classes only class 1 is asked for."""
    classes = np.arange(variants) if variants > 1 else np.array([1])
    y = (rows.top_compressed[:, None] == classes).astype(float) - (rows.top_baseline[:, None] == classes)
    return np.repeat(_sound(rows), variants, axis=1), y


def refusals(rows: Comparisons, _: int) -> Observed:
    """Which of the two refused."""
    return _sound(rows), (rows.refused_compressed.astype(np.float64) - rows.refused_baseline)[:, None]


def persistence(rows: Comparisons, _: int) -> Observed:
    """Where the baseline refuses: 1 if the compressed model does not."""
    return _sound(rows) & rows.refused_baseline[:, None], (~rows.refused_compressed[:, None]).astype(np.float64)


def _labelled(rows: Comparisons) -> Bools:
    return np.asarray(_sound(rows) & np.isfinite(rows.correct_baseline)[:, None])


def accuracy(rows: Comparisons, _: int) -> Observed:
    """Which of the two was right."""
    return _labelled(rows), (rows.correct_baseline - rows.correct_compressed)[:, None]


def excess(rows: Comparisons, _: int) -> Observed:
    """Where the two disagree: which of them was right."""
    return _labelled(rows) & rows.disagree[:, None], (rows.correct_baseline - rows.correct_compressed)[:, None]


def brier(rows: Comparisons, _: int) -> Observed:
    """How much worse a forecast the compressed model's confidence was."""
    compressed = (rows.confidence_compressed - rows.correct_compressed) ** 2
    return _labelled(rows), (compressed - (rows.confidence_baseline - rows.correct_baseline) ** 2)[:, None]


BINS = 10


def calibration(rows: Comparisons, variants: int) -> Observed:
    """By the tenth of its confidence: how much surer the compressed model was than right."""
    sure = np.where(np.isfinite(rows.confidence_compressed), rows.confidence_compressed, 0.0)
    of = np.minimum((sure * BINS).astype(int), BINS - 1)
    y = np.repeat((rows.confidence_compressed - rows.correct_compressed)[:, None], variants, axis=1)
    return _labelled(rows) & (of[:, None] == np.arange(variants)), y
