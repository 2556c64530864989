"""The windows that most monitoring is made of: as they are used, and at the false alarms that Tightrope may raise."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, norm

from benchmarks.power.method import Cost, Rows, Watch, spaced, until
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from tightrope.monitors.catalogue import Kind
from tightrope.monitors.records import Bools, Floats, Ints

Z = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class Tumbling:
    """The mean of every full window against the limit."""

    name: str = "tumbling window, mean over the limit"
    cost: Cost = Cost.ARRAYS

    def alarms(self, watch: Watch, rows: Rows, stop: int) -> Ints:
        """At the last row of each window that is over."""
        windows = len(rows.y) // watch.window
        mean = rows.y[: windows * watch.window].reshape(windows, watch.window).mean(axis=1)
        over = (mean if watch.kind is Kind.RATE else np.abs(mean)) > watch.limit
        return until(rows.places[(np.flatnonzero(over) + 1) * watch.window - 1], stop)


@dataclass(frozen=True, slots=True)
class Sliding:
    """The lower end of a 95 % interval over the latest rows, looked at after every row: Wilson's for a rate, the
    normal one for a mean. After an alarm the window fills anew.
    """

    name: str = "sliding window, 95 % lower bound"
    cost: Cost = Cost.ARRAYS

    def alarms(self, watch: Watch, rows: Rows, stop: int) -> Ints:
        """At each row whose window is full and over."""
        mean, square = _moving(rows.y, watch.window), _moving(rows.y**2, watch.window)
        if watch.kind is Kind.RATE:
            lowest = wilson(mean, watch.window)
        else:
            lowest = np.abs(mean) - Z * np.sqrt(np.maximum(square - mean**2, 0.0) / watch.window)
        full = spaced(np.flatnonzero(lowest > watch.limit), watch.window)
        return until(rows.places[full + watch.window - 1], stop)


LOOKS = 8
"""Alarms of a sliding window for one of a tumbling window of the same level: found by simulation at limits of 2, 4 and
7 %, with windows of 200 and 1,000 rows.
"""


@dataclass(frozen=True, slots=True)
class Budgeted:
    """Windows whose test is set so that they too raise one false alarm in so many samples: exact for a rate, normal for
    a mean. Tumbling windows, or with ``sliding`` one that is looked at after every row.
    """

    name: str
    sliding: bool
    cost: Cost = Cost.ARRAYS

    def alarms(self, watch: Watch, rows: Rows, stop: int) -> Ints:
        """At the last row of each window that is over."""
        step, looks = (1, LOOKS) if self.sliding else (watch.window, 1)
        mean, square = (_moving(values, watch.window)[::step] for values in (rows.y, rows.y**2))
        level = watch.window / SAMPLES_PER_FALSE_ALARM / looks
        over = spaced(np.flatnonzero(_exceeds(watch, mean, square, level)) * step, watch.window)
        return until(rows.places[over + watch.window - 1], stop)


def _exceeds(watch: Watch, mean: Floats, square: Floats, level: float) -> Bools:
    """Which windows, had they been within the limit, would be so far out with a chance of at most ``level``."""
    if watch.kind is Kind.RATE:
        return np.asarray(np.rint(mean * watch.window) > binom.isf(level, watch.window, watch.limit))
    error = np.sqrt(np.maximum(square - mean**2, 0.0) / watch.window)
    return np.asarray(np.abs(mean) - norm.isf(level) * error > watch.limit)


def _moving(y: Floats, window: int) -> Floats:
    """The mean of every full window."""
    total = np.concatenate([[0.0], np.cumsum(y)])
    return np.asarray((total[window:] - total[:-window]) / window)


def wilson(rate: Floats, n: int) -> Floats:
    """The lower end of Wilson's interval."""
    middle = rate + Z**2 / (2 * n)
    return np.asarray((middle - Z * np.sqrt(rate * (1 - rate) / n + Z**2 / (4 * n**2))) / (1 + Z**2 / n))
