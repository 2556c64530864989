"""What each monitor observes: for n comparisons, which rows speak to its question, and what they say."""

import numpy as np

from monitors.records import Bools, Comparisons, Fault, Floats

MOST_CLASSES = 20
"""Beyond so many classes their mix is not watched class by class."""

Observed = tuple[Bools, Floats]
"""For n comparisons and V variants: which rows speak to the question (n, V), what they say (n, V), NaN where not."""


def one(_: int) -> tuple[str, ...]:
    """A question without variants."""
    return ("",)


def _sound(rows: Comparisons) -> Bools:
    return np.asarray(rows.fault == Fault.NONE)[:, None]


def disagreement(rows: Comparisons, _: int) -> Observed:
    """Whether the decisions differ."""
    return _sound(rows), rows.disagree[:, None].astype(np.float64)


def confidence(rows: Comparisons, _: int) -> Observed:
    """How much surer the compressed model is."""
    return _sound(rows), (rows.confidence_compressed - rows.confidence_baseline)[:, None]


QUANTILES = tuple(round(0.1 * step, 1) for step in range(1, 10))
"""Confidences at which the two distribution functions are held against each other."""


def shape(rows: Comparisons, variants: int) -> Observed:
    """Which of the two confidences is below each point."""
    at = np.array(QUANTILES)
    y = (rows.confidence_compressed[:, None] <= at).astype(float) - (rows.confidence_baseline[:, None] <= at)
    return np.repeat(_sound(rows), variants, axis=1), y


def classes(classes: int) -> tuple[str, ...]:
    """Of two classes one says it all."""
    if classes == 2:  # noqa: PLR2004 - binary
        return ("class 1",)
    return tuple(f"class {index}" for index in range(classes)) if classes <= MOST_CLASSES else ()


def mix(rows: Comparisons, variants: int) -> Observed:
    """Which of the two said each class."""
    classes = np.arange(variants) if variants > 1 else np.array([1])
    y = (rows.top_compressed[:, None] == classes).astype(float) - (rows.top_baseline[:, None] == classes)
    return np.repeat(_sound(rows), variants, axis=1), y


def refusals(rows: Comparisons, _: int) -> Observed:
    """Which of the two refused."""
    return _sound(rows), (rows.refused_compressed.astype(np.float64) - rows.refused_baseline)[:, None]


def persistence(rows: Comparisons, _: int) -> Observed:
    """Of what the baseline refuses: what the compressed model does not."""
    return _sound(rows) & rows.refused_baseline[:, None], (~rows.refused_compressed[:, None]).astype(np.float64)


def _labelled(rows: Comparisons) -> Bools:
    return np.asarray(_sound(rows) & np.isfinite(rows.correct_baseline)[:, None])


def accuracy(rows: Comparisons, _: int) -> Observed:
    """Which of the two was right."""
    return _labelled(rows), (rows.correct_baseline - rows.correct_compressed)[:, None]


def excess(rows: Comparisons, _: int) -> Observed:
    """The same, where they disagree."""
    return _labelled(rows) & rows.disagree[:, None], (rows.correct_baseline - rows.correct_compressed)[:, None]


def brier(rows: Comparisons, _: int) -> Observed:
    """How much worse the compressed forecast was, squared."""
    compressed = (rows.confidence_compressed - rows.correct_compressed) ** 2
    return _labelled(rows), (compressed - (rows.confidence_baseline - rows.correct_baseline) ** 2)[:, None]


BINS = 10


def bins(_: int) -> tuple[str, ...]:
    """Tenths of confidence."""
    return tuple(f"{low / BINS:g} to {(low + 1) / BINS:g}" for low in range(BINS))


def calibration(rows: Comparisons, variants: int) -> Observed:
    """Confidence minus being right, in its tenth."""
    sure = np.where(np.isfinite(rows.confidence_compressed), rows.confidence_compressed, 0.0)
    of = np.minimum((sure * BINS).astype(int), BINS - 1)
    y = np.repeat((rows.confidence_compressed - rows.correct_compressed)[:, None], variants, axis=1)
    return _labelled(rows) & (of[:, None] == np.arange(variants)), y
