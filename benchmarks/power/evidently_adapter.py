"""The one door to evidently: its default drift test, on tumbling windows against healthy rows."""

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests import get_stattest
from evidently.metrics import ValueDrift

from benchmarks.power.method import Cost, Rows, Watch
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from tightrope.monitors.catalogue import Kind
from tightrope.monitors.records import Floats, Ints

VERSION = version("evidently")


@dataclass(frozen=True, slots=True)
class Evidently:
    """The test that evidently chooses by itself: for up to 1,000 reference rows a p-value (Z test for a rate,
    Kolmogorov-Smirnov for a mean), for more a distance (Jensen-Shannon, Wasserstein). ``reference`` None: all rows.
    ``budgeted`` sets the p-value so that windows like the reference raise as few alarms as Tightrope may.
    """

    name: str = "evidently's default"
    reference: int | None = None
    budgeted: bool = False
    cost: Cost = Cost.REPORT

    def alarms(self, watch: Watch, rows: Rows, stop: int) -> Ints:
        """At the last row of each window that drifted. The limit is not asked: the test has no place for one."""
        healthy = watch.healthy[: self.reference]
        threshold = watch.window / SAMPLES_PER_FALSE_ALARM if self.budgeted else None
        found: list[int] = []
        for end in range(watch.window, len(rows.y) + 1, watch.window):
            if drifted(watch.kind, healthy, rows.y[end - watch.window : end], threshold):
                found.append(int(rows.places[end - 1]))
                if found[-1] >= stop:
                    break
        return np.array(found, dtype=np.int64)


def drifted(kind: Kind, healthy: Floats, window: Floats, threshold: float | None = None) -> bool:
    """What a report's `ValueDrift` says, without the report: that takes 50 ms a window."""
    column = "cat" if kind is Kind.RATE else "num"
    reference, current = pd.Series(healthy), pd.Series(window)
    test = get_stattest(reference, current, column, None)
    return bool(test(reference, current, column, threshold).drifted)


def reported(kind: Kind, healthy: Floats, window: Floats) -> bool:
    """The same from the public report, slowly: the benchmark checks that both say the same."""
    columns = {"categorical_columns": ["y"]} if kind is Kind.RATE else {"numerical_columns": ["y"]}
    reference, current = (
        Dataset.from_pandas(pd.DataFrame({"y": values}), DataDefinition(**columns)) for values in (healthy, window)
    )
    said = Report([ValueDrift(column="y")], include_tests=True).run(current, reference).dict()
    return str(said["tests"][0]["status"]).endswith("FAIL")
