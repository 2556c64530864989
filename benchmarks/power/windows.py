"""Windows, the usual method of monitoring: with common settings, and at Tightrope's false-alarm budget."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, norm

from benchmarks.power.method import CellSpec, Cost, Rows, first_spaced, until_stop
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.records import Bools, Floats, Ints

Z = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class Tumbling:
    """Compares the mean of each tumbling window with the limit."""

    name: str = "tumbling window, mean over the limit"
    cost: Cost = Cost.ARRAYS

    def alarms(self, spec: CellSpec, rows: Rows, stop: int) -> Ints:
        """The last row of each window over the limit."""
        windows = len(rows.y) // spec.window
        mean = rows.y[: windows * spec.window].reshape(windows, spec.window).mean(axis=1)
        over = (mean if spec.kind is Hypothesis.RATE else np.abs(mean)) > spec.limit
        return until_stop(rows.indices[(np.flatnonzero(over) + 1) * spec.window - 1], stop)


@dataclass(frozen=True, slots=True)
class Sliding:
    """Compares the lower end of a 95 % interval over the latest rows with the limit after every row: Wilson's interval
    for a rate, the normal one for a mean. After an alarm the window starts empty.
    """

    name: str = "sliding window, 95 % lower bound"
    cost: Cost = Cost.ARRAYS

    def alarms(self, spec: CellSpec, rows: Rows, stop: int) -> Ints:
        """Each row whose window is full and over the limit."""
        mean, square = _moving(rows.y, spec.window), _moving(rows.y**2, spec.window)
        if spec.kind is Hypothesis.RATE:
            lowest = wilson(mean, spec.window)
        else:
            lowest = np.abs(mean) - Z * np.sqrt(np.maximum(square - mean**2, 0.0) / spec.window)
        full = first_spaced(np.flatnonzero(lowest > spec.limit), spec.window)
        return until_stop(rows.indices[full + spec.window - 1], stop)


SLIDING_FACTOR = 8
"""Alarms of a sliding window for each alarm of a tumbling window of the same level, from simulations at limits of 2, 4
and 7 % with windows of 200 and 1,000 rows.
"""


@dataclass(frozen=True, slots=True)
class Budgeted:
    """Windows whose test has Tightrope's false-alarm budget: exact for a rate, by the normal approximation for a mean.
    Tumbling windows, or with ``sliding`` a window that is tested after every row.
    """

    name: str
    sliding: bool
    cost: Cost = Cost.ARRAYS

    def alarms(self, spec: CellSpec, rows: Rows, stop: int) -> Ints:
        """The last row of each window over the limit."""
        step, factor = (1, SLIDING_FACTOR) if self.sliding else (spec.window, 1)
        mean, square = (_moving(values, spec.window)[::step] for values in (rows.y, rows.y**2))
        level = spec.window / SAMPLES_PER_FALSE_ALARM / factor
        over = first_spaced(np.flatnonzero(_exceeds(spec, mean, square, level)) * step, spec.window)
        return until_stop(rows.indices[over + spec.window - 1], stop)


def _exceeds(spec: CellSpec, mean: Floats, square: Floats, level: float) -> Bools:
    """Test each window at ``level``: True where its mean is too extreme for a rate or mean at the limit."""
    if spec.kind is Hypothesis.RATE:
        return np.asarray(np.rint(mean * spec.window) > binom.isf(level, spec.window, spec.limit))
    error = np.sqrt(np.maximum(square - mean**2, 0.0) / spec.window)
    return np.asarray(np.abs(mean) - norm.isf(level) * error > spec.limit)


def _moving(y: Floats, window: int) -> Floats:
    """The mean of each full window."""
    total = np.concatenate([[0.0], np.cumsum(y)])
    return np.asarray((total[window:] - total[:-window]) / window)


def wilson(rate: Floats, n: int) -> Floats:
    """The lower end of Wilson's 95 % interval for a rate from ``n`` rows."""
    middle = rate + Z**2 / (2 * n)
    return np.asarray((middle - Z * np.sqrt(rate * (1 - rate) / n + Z**2 / (4 * n**2))) / (1 + Z**2 / n))
