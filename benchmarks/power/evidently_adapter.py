"""Adapter of evidently: its default drift test on tumbling windows, with healthy rows as the reference."""

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests import get_stattest
from evidently.metrics import ValueDrift

from benchmarks.power.method import CellSpec, Cost, Rows
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.records import Floats, Ints

VERSION = version("evidently")


@dataclass(frozen=True, slots=True)
class Evidently:
    """The test that evidently chooses by default: for up to 1,000 reference rows a p-value (Z test for a rate,
    Kolmogorov-Smirnov for a mean), for more a distance (Jensen-Shannon, Wasserstein). ``reference`` None means all
    rows. ``budgeted`` sets the p-value to Tightrope's false-alarm budget.
    """

    name: str = "evidently's default"
    reference: int | None = None
    budgeted: bool = False
    cost: Cost = Cost.REPORT

    def alarms(self, spec: CellSpec, rows: Rows, stop: int) -> Ints:
        """The last row of each window that drifted. The limit is ignored: the test has no parameter for it."""
        healthy = spec.healthy[: self.reference]
        threshold = spec.window / SAMPLES_PER_FALSE_ALARM if self.budgeted else None
        alarmed: list[int] = []
        for end in range(spec.window, len(rows.y) + 1, spec.window):
            if drifted(spec.kind, healthy, rows.y[end - spec.window : end], threshold):
                alarmed.append(int(rows.indices[end - 1]))
                if alarmed[-1] >= stop:
                    break
        return np.array(alarmed, dtype=np.int64)


def drifted(kind: Hypothesis, healthy: Floats, window: Floats, threshold: float | None = None) -> bool:
    """The verdict of a report's `ValueDrift`, computed without the report, which takes 50 ms a window."""
    column = "cat" if kind is Hypothesis.RATE else "num"
    reference, current = pd.Series(healthy), pd.Series(window)
    test = get_stattest(reference, current, column, None)
    return bool(test(reference, current, column, threshold).drifted)


def reported(kind: Hypothesis, healthy: Floats, window: Floats) -> bool:
    """The verdict of the public report; slow, used to check `drifted`."""
    columns = {"categorical_columns": ["y"]} if kind is Hypothesis.RATE else {"numerical_columns": ["y"]}
    reference, current = (
        Dataset.from_pandas(pd.DataFrame({"y": values}), DataDefinition(**columns)) for values in (healthy, window)
    )
    result = Report([ValueDrift(column="y")], include_tests=True).run(current, reference).dict()
    return str(result["tests"][0]["status"]).endswith("FAIL")
