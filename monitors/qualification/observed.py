"""The observations of the criteria that are no monitors: values for n compared rows, and the rows that count."""

import numpy as np

from tightrope.monitors import observations
from tightrope.monitors.records import Bools, Comparisons, Fault, Floats

CLEAR_QUANTILE = 0.1
"""The share of rows with the smallest margins of the baseline, which are not clear."""

CONFIDENT_AT = 0.9
"""The confidence above which an answer counts as confident, if the criterion names none."""

RowValues = tuple[Bools, Floats]
"""The rows that count, (n,), and their values, (n,)."""


def clear_margin(margin: Floats) -> float | None:
    """The margin of the baseline above which a row is clear, from the margins (n,) of all rows; None if none is known.

    >>> clear_margin(np.array([0.1, 0.5, 0.9])), clear_margin(np.array([np.nan]))
    (0.18, None)
    """
    known = margin[np.isfinite(margin)]
    return round(float(np.quantile(known, CLEAR_QUANTILE)), 12) if len(known) else None


def clear_disagreement(rows: Comparisons, margin: float) -> RowValues:
    """The disagreement of the rows in which the baseline's two largest probabilities lie further apart."""
    with np.errstate(invalid="ignore"):
        clear = (rows.fault == Fault.NONE) & (rows.margin_baseline > margin)
    return np.asarray(clear), observations.losses(rows)


def confident_wrong(rows: Comparisons, at: float) -> RowValues:
    """1 where the compressed model alone is confident and wrong, -1 where the baseline alone is; by labels."""
    labelled = (rows.fault == Fault.NONE) & np.isfinite(rows.correct_baseline)
    with np.errstate(invalid="ignore"):
        compressed = (rows.confidence_compressed > at) & (rows.correct_compressed == 0)
        baseline = (rows.confidence_baseline > at) & (rows.correct_baseline == 0)
    return labelled, compressed.astype(np.float64) - baseline


def confident_and_different(rows: Comparisons, at: float) -> RowValues:
    """1 where the compressed model is confident and decides differently; what stands for being wrong without labels."""
    known = (rows.fault == Fault.NONE) & np.isfinite(rows.confidence_compressed)
    with np.errstate(invalid="ignore"):
        return known, ((rows.confidence_compressed > at) & rows.disagree).astype(np.float64)


def flip_gap(compressed: Floats, baseline: Floats) -> Floats:
    """How much more of each row's answer the compressed model changes than the baseline, (n,) in [-1, 1], when the row
    changes a little, from how far each model's two answers differ, (n,).
    """
    return compressed - baseline
