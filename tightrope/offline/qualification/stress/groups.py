"""Reports that gate nothing: where both models differ by the baseline's margin, and by group against all others."""

import msgspec
import numpy as np

from tightrope.monitors import observations
from tightrope.monitors.records import Bools, Comparisons

BOUNDARY_BINS = 10


class BoundaryBin(msgspec.Struct, frozen=True):
    """A tenth of the rows by the baseline's margin: up to which ``margin``, and the share on which both differ."""

    margin: float
    rows: int
    differ: float


class DisparityFigures(msgspec.Struct, frozen=True):
    """``boundary`` is empty for decisions without margins; ``disparity`` is for each scope the share of its rows on
    which both models differ, less that of all other rows.
    """

    boundary: list[BoundaryBin]
    disparity: dict[str, float]


def measure_disparity(rows: Comparisons, scopes: list[str], member: Bools) -> DisparityFigures:
    """Report on n compared rows; ``member`` (n, S) tells which rows belong to which of the ``scopes`` (S)."""
    differ = np.nan_to_num(observations.losses(rows))
    disparity = {
        scope: float(differ[own].mean() - differ[~own].mean())
        for scope, own in zip(scopes, member.T, strict=True)
        if own.any() and not own.all()
    }
    margin = rows.margin_baseline
    if not np.isfinite(margin).all():
        return DisparityFigures([], disparity)
    parts = [part for part in np.array_split(np.argsort(margin, kind="stable"), BOUNDARY_BINS) if len(part)]
    bins = [BoundaryBin(float(margin[part[-1]]), len(part), float(differ[part].mean())) for part in parts]
    return DisparityFigures(bins, disparity)
