"""The one door to river: its change detectors, fed one row at a time, as they are made to be."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from river import drift

from benchmarks.power.method import Cost, Rows, Watch
from tightrope.monitors.records import Ints

VERSION = version("river")


@dataclass(frozen=True, slots=True)
class Adwin:
    """ADWIN (Bifet, Gavalda, SDM 2007) with river's defaults; it keeps what it has seen since the last change."""

    name: str = "ADWIN (river)"
    cost: Cost = Cost.LOOP

    def alarms(self, _: Watch, rows: Rows, stop: int) -> Ints:
        """Where it saw a change. It is never told the limit: it has no place for one."""
        return _feed(drift.ADWIN(), rows, stop)


@dataclass(frozen=True, slots=True)
class PageHinkley:
    """Page-Hinkley; it resets itself after an alarm. Without more words it has river's defaults."""

    name: str = "Page-Hinkley (river)"
    threshold: float = 50.0
    delta: float = 0.005
    alpha: float = 0.9999
    cost: Cost = Cost.LOOP

    def alarms(self, _: Watch, rows: Rows, stop: int) -> Ints:
        """Where it saw a change. It is never told the limit."""
        return _feed(drift.PageHinkley(threshold=self.threshold, delta=self.delta, alpha=self.alpha), rows, stop)


BUDGETED = PageHinkley("Page-Hinkley, at Tightrope's budget", threshold=10.5, delta=0.015, alpha=1.0)
"""Made for a rate that goes from 2 to 5 %: delta is half of that, nothing is forgotten, and the threshold is where
simulation found as many false alarms at 2 % as Tightrope may raise. With forgetting no larger delta keeps that.
"""


def _feed(detector: Any, rows: Rows, stop: int) -> Ints:  # noqa: ANN401 - river ships no types
    found: list[int] = []
    for place, value in zip(rows.places.tolist(), rows.y.tolist(), strict=True):
        detector.update(value)
        if detector.drift_detected:
            found.append(place)
            if place >= stop:
                break
    return np.array(found, dtype=np.int64)
