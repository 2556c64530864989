"""Reliability curves for people: accuracy by confidence for each model, with bands, and calibration errors."""

from dataclasses import dataclass

import numpy as np

from tightrope.monitors.intervals.ladder import ALPHA
from tightrope.monitors.intervals.sequences import mean_interval, proof_needed
from tightrope.monitors.records import Floats, Role
from tightrope.monitors.reliability.curve_bins import CurveBins
from tightrope.monitors.reliability.curve_sums import GAP_BOUND, CellSums, CurveSums
from tightrope.monitors.verdict import Interval

FEWEST_SPREAD_STEPS = 2
"""The steps that a variance takes."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The labelled rows whose confidence lies in a bin: from ``start`` up to ``end``, which belongs to the next bin.

    ``low`` and ``high`` are the ends of the band of confidence minus accuracy: above 0 the model is surer than it is
    right. They are None without labels, and while rows depend on each other. ``name`` is as in the monitor's variants.

    >>> ReliabilityBin("0.9 to 1", 0.9, 1.0, 200, 0.95, 0.94, -0.05, 0.07).rows
    200
    """

    name: str
    start: float
    end: float
    rows: int
    confidence: float | None
    accuracy: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ReliabilityCurve:
    """The curve of one model, ``role``: all its bands hold together with 95 %.

    ``ece`` is the expected calibration error, the mean distance of confidence and accuracy over the bins; ``ece_upper``
    its upper end by the bands. ``ece_debiased`` is the square root of its square without the part that chance adds:
    the plain one is above 0 for a perfect model, too. None without labels.

    >>> ReliabilityCurve(Role.BASELINE, (), None, None, None).role.value
    'baseline'
    """

    role: Role
    bins: tuple[ReliabilityBin, ...]
    ece: float | None
    ece_upper: float | None
    ece_debiased: float | None


@dataclass(frozen=True, slots=True)
class ScopeReliability:
    """Both curves of a scope, from the same ``labels``. ``gap`` is by how much more the compressed model's confidence
    exceeds its accuracy than the baseline's does, on the same rows, with its 95 % interval.

    >>> ScopeReliability("model", 0, (), None).labels
    0
    """

    scope: str
    labels: int
    curves: tuple[ReliabilityCurve, ...]
    gap: Interval | None


def scope_reliability(bins: CurveBins, sums: CurveSums, scope: int, name: str) -> ScopeReliability:
    """The curves of one scope by its index and name, from the older cohort."""
    first, count = bins.first_cell(scope), len(bins.edges(scope)) + 1
    trusted = not sums.dependent[0]
    starts = {Role.BASELINE: first + 1, Role.COMPRESSED: first + 1 + count}
    curves = tuple(
        _curve(role, bins.names(scope), bins.edges(scope), figures, trusted=trusted)
        for role, start in starts.items()
        for figures in [_Figures.of_cells(sums.cells, start, count, count)]
    )
    gap = _Figures.of_cells(sums.cells, first, 1, 1)
    labels, mean = int(gap.rows[0]), float(gap.error[0]) * GAP_BOUND
    low, high = (float(end[0]) * GAP_BOUND for end in gap.band)
    return ScopeReliability(name, labels, curves, Interval(mean, low, high, labels) if labels and trusted else None)


@dataclass(frozen=True, slots=True)
class _Figures:
    """The figures of B cells, each (B,): rows, steps, mean confidence, mean error of it, variance of being right, and
    both ends of the band of the error, which hold for all cells together.
    """

    rows: Floats
    steps: Floats
    confidence: Floats
    error: Floats
    variance: Floats
    band: tuple[Floats, Floats]

    @classmethod
    def of_cells(cls, cells: CellSums, first: int, count: int, together: int) -> "_Figures":
        own = slice(first, first + count)
        steps, total = cells.steps[0, own], cells.total[0, own]
        known = np.maximum(steps, 1.0)
        confidence, error = cells.confidence[0, own] / known, 2 * total / known - 1
        accuracy = confidence - error
        squares = cells.squares[0, own] - steps * accuracy**2
        ends = mean_interval(steps, total, np.maximum(cells.spread[0, own], 0.0), proof_needed(ALPHA / together))
        band = 2 * ends[0] - 1, 2 * ends[1] - 1
        return cls(cells.rows[0, own], steps, confidence, error, squares / np.maximum(steps - 1, 1.0), band)

    def expected_error(self) -> float:
        """The mean distance of confidence and accuracy."""
        return float(self.steps @ np.abs(self.error) / self.steps.sum())

    def expected_error_upper(self) -> float:
        """The upper end of it by the bands."""
        return float(self.steps @ np.maximum(*map(np.abs, self.band)) / self.steps.sum())

    def debiased_square(self) -> float:
        """The mean squared distance without what chance adds, of bins with a variance; it may lie below 0."""
        known = self.steps >= FEWEST_SPREAD_STEPS
        square = self.error**2 - self.variance / np.maximum(self.steps, 1.0)
        return float((self.steps * square)[known].sum() / self.steps.sum())


def _curve(
    role: Role, names: tuple[str, ...], edges: tuple[float, ...], figures: _Figures, *, trusted: bool
) -> ReliabilityCurve:
    ends = (0.0, *edges, 1.0)
    bins = tuple(
        _bin(name, ends[index], ends[index + 1], figures, index, trusted=trusted) for index, name in enumerate(names)
    )
    if not figures.rows.any():
        return ReliabilityCurve(role, bins, None, None, None)
    upper = figures.expected_error_upper() if trusted else None
    debiased = float(np.sqrt(max(figures.debiased_square(), 0.0)))
    return ReliabilityCurve(role, bins, figures.expected_error(), upper, debiased)


def _bin(name: str, start: float, end: float, figures: _Figures, index: int, *, trusted: bool) -> ReliabilityBin:
    rows, confidence = int(figures.rows[index]), float(figures.confidence[index])
    if not rows:
        return ReliabilityBin(name, start, end, 0, None, None, None, None)
    low, high = (float(each[index]) for each in figures.band)
    accuracy = confidence - float(figures.error[index])
    return ReliabilityBin(
        name, start, end, rows, confidence, accuracy, low if trusted else None, high if trusted else None
    )
