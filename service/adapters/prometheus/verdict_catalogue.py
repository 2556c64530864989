"""The metrics of the monitors' verdicts; `catalogue.py` contains them."""

from collections.abc import Mapping
from functools import partial

from tightrope.monitors.records import Outcome
from tightrope.service.adapters.prometheus.metric import Component, LabelValues, Metric, MetricKind
from tightrope.service.adapters.prometheus.reliability_catalogue import RELIABILITY_METRICS

MODEL_LABELS: LabelValues = {"model": ()}
CELL_LABELS: LabelValues = {"model": (), "scope": (), "monitor": ()}

_gauge = partial(Metric, MetricKind.GAUGE, Component.JUDGE)

VERDICT_METRICS: Mapping[str, Metric] = {
    "evidence": _gauge("Log10 of a monitor's evidence; the alarm is at the budget.", "log10", CELL_LABELS),
    "evidence_budget": _gauge("Log10 of the samples per budgeted false alarm.", "log10", MODEL_LABELS),
    "monitor_mean": _gauge("Mean of a monitor over the rows that it shows.", "the monitor's", CELL_LABELS),
    "monitor_lower": _gauge("Lower end of the 95 % interval of that mean.", "the monitor's", CELL_LABELS),
    "monitor_upper": _gauge("Upper end of the 95 % interval of that mean.", "the monitor's", CELL_LABELS),
    "monitor_limit": _gauge("A monitor's tolerated limit.", "the monitor's", CELL_LABELS),
    "verdict": _gauge("1 for the current outcome of a monitor.", "0 or 1", {**CELL_LABELS, "outcome": tuple(Outcome)}),
    **RELIABILITY_METRICS,
}
"""The metrics of verdicts, and of the curves beside them."""
