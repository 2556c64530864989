"""Adapter of river: its change detectors, fed one row at a time."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from river import drift

from benchmarks.power.method import CellSpec, Cost, Rows
from tightrope.monitors.records import Ints

VERSION = version("river")


@dataclass(frozen=True, slots=True)
class Adwin:
    """ADWIN (Bifet, Gavalda, SDM 2007) with river's defaults; its window keeps the rows since the last change."""

    name: str = "ADWIN (river)"
    cost: Cost = Cost.LOOP

    def alarms(self, _: CellSpec, rows: Rows, stop: int) -> Ints:
        """Indices of detected changes. The limit is ignored: ADWIN has no parameter for it."""
        return _feed(drift.ADWIN(), rows, stop)


@dataclass(frozen=True, slots=True)
class PageHinkley:
    """Page-Hinkley, with river's defaults; it resets itself after an alarm."""

    name: str = "Page-Hinkley (river)"
    threshold: float = 50.0
    delta: float = 0.005
    alpha: float = 0.9999
    cost: Cost = Cost.LOOP

    def alarms(self, _: CellSpec, rows: Rows, stop: int) -> Ints:
        """Indices of detected changes. The limit is ignored."""
        return _feed(drift.PageHinkley(threshold=self.threshold, delta=self.delta, alpha=self.alpha), rows, stop)


BUDGETED = PageHinkley("Page-Hinkley, at Tightrope's budget", threshold=10.5, delta=0.015, alpha=1.0)
"""Tuned to a rate that goes from 2 to 5 %: delta is half of the change, there is no forgetting, and at the threshold
simulation found Tightrope's number of false alarms at 2 %. With forgetting, no larger delta keeps that budget.
"""


def _feed(detector: Any, rows: Rows, stop: int) -> Ints:  # noqa: ANN401 - river ships no types
    alarmed: list[int] = []
    for index, value in zip(rows.indices.tolist(), rows.y.tolist(), strict=True):
        detector.update(value)
        if detector.drift_detected:
            alarmed.append(index)
            if index >= stop:
                break
    return np.array(alarmed, dtype=np.int64)
