"""The observations of the criteria that are no monitors: values for n compared rows, and the rows that count."""

import numpy as np

from tightrope.monitors.clear_rows.clear_margin import RowValues
from tightrope.monitors.records import Comparisons, Fault, Floats

CONFIDENT_AT = 0.9
"""The confidence above which an answer counts as confident, if the criterion names none."""


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
