"""Reports that gate nothing: where both models differ by the baseline's margin, and by group against all others."""

import msgspec
import numpy as np

from tightrope.monitors import observations
from tightrope.monitors.qualification.decision_margins import DecisionMargins
from tightrope.monitors.records import Bools, Comparisons

BOUNDARY_BINS = 10


class BoundaryBin(msgspec.Struct, frozen=True):
    """A tenth of the rows by the baseline's margin: up to which ``margin``, and the share on which both differ."""

    margin: float
    rows: int
    differ: float


class DisparityFigures(msgspec.Struct, frozen=True):
    """``boundary`` is by the margins that ``by`` names; it is empty where ``no_boundary`` says why. ``disparity`` is
    for each scope the share of its rows on which both models differ, less that of all other rows.
    """

    boundary: list[BoundaryBin]
    disparity: dict[str, float]
    by: str = "margin"
    no_boundary: str = ""


def measure_disparity(
    rows: Comparisons, scopes: list[str], member: Bools, margins: DecisionMargins | str
) -> DisparityFigures:
    """Report on n compared rows; ``member`` (n, S) tells which rows belong to which of the ``scopes`` (S), and
    ``margins`` how near each is to another answer, or why none is.
    """
    differ = np.nan_to_num(observations.losses(rows))
    disparity = {
        scope: float(differ[own].mean() - differ[~own].mean())
        for scope, own in zip(scopes, member.T, strict=True)
        if own.any() and not own.all()
    }
    if isinstance(margins, str):
        return DisparityFigures([], disparity, no_boundary=margins)
    values = margins.values
    parts = [part for part in np.array_split(np.argsort(values, kind="stable"), BOUNDARY_BINS) if len(part)]
    bins = [BoundaryBin(float(values[part[-1]]), len(part), float(differ[part].mean())) for part in parts]
    return DisparityFigures(bins, disparity, margins.name)
