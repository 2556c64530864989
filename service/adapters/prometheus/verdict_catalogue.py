"""The metrics of verdicts, of reliability curves, of the review and of the record; `catalogue.py` contains them. A
curve's bin has a number, so that series stay bounded.
"""

from collections.abc import Mapping
from functools import partial

from tightrope.monitors.observations import TENTHS
from tightrope.monitors.records import Outcome, Role
from tightrope.monitors.review.opinions import Opinion
from tightrope.service.adapters.prometheus.metric import Component, LabelValues, Metric, MetricKind
from tightrope.service.adapters.prometheus.recording.catalogue import AUDIT_METRICS, RECORD_METRICS

MODEL_LABELS: LabelValues = {"model": ()}
CELL_LABELS: LabelValues = {"model": (), "scope": (), "monitor": ()}

CURVE_LABELS: LabelValues = {"model": (), "role": tuple(Role)}

BIN_NUMBERS = tuple(f"{number:02d}" for number in range(1, len(TENTHS) + 2))
"""The bins of the model from the lowest confidence on, in digits that sort as text."""

SUBGROUP_BINS = ("low", "high")
"""The two bins of a subgroup."""

_gauge = partial(Metric, MetricKind.GAUGE, Component.JUDGE)

_of_bin = partial(
    Metric, MetricKind.GAUGE, Component.JUDGE, unit="probability", labels={**CURVE_LABELS, "bin": BIN_NUMBERS}
)

RELIABILITY_METRICS: Mapping[str, Metric] = {
    "reliability_confidence": _of_bin("Mean confidence of a model's labelled rows in a bin of its confidence."),
    "reliability_accuracy": _of_bin("Share of right answers of a model in a bin of its confidence."),
    "reliability_lower": _of_bin("Lower end of the 95 % band of confidence minus accuracy."),
    "reliability_upper": _of_bin("Upper end of the 95 % band of confidence minus accuracy."),
    "calibration_error": Metric(
        MetricKind.GAUGE,
        Component.JUDGE,
        "Mean distance of a model's confidence and accuracy over its bins.",
        "probability",
        {**CURVE_LABELS, "scope": ()},
    ),
    "subgroup_overconfidence": Metric(
        MetricKind.GAUGE,
        Component.JUDGE,
        "Confidence minus accuracy of a model in the lower or higher half of confidence of a subgroup.",
        "probability",
        {**CURVE_LABELS, "scope": (), "bin": SUBGROUP_BINS},
    ),
}
"""The metrics of both models' curves."""

REVIEW_METRICS: Mapping[str, Metric] = {
    "review_skipped_rows": Metric(
        MetricKind.COUNTER,
        Component.WORKER,
        "Drawn rows that could not be kept for a review.",
        "rows",
        MODEL_LABELS,
    ),
    "reviews": Metric(
        MetricKind.COUNTER,
        Component.GATEWAY,
        "Rows about which a reviewer's answer is final.",
        "rows",
        {**MODEL_LABELS, "outcome": tuple(Opinion)},
    ),
}
"""The metrics of the review by people."""

VERDICT_METRICS: Mapping[str, Metric] = {
    **RECORD_METRICS,
    **AUDIT_METRICS,
    "evidence": _gauge("Log10 of a monitor's evidence; the alarm is at the budget.", "log10", CELL_LABELS),
    "evidence_budget": _gauge("Log10 of the samples per budgeted false alarm.", "log10", MODEL_LABELS),
    "monitor_mean": _gauge("Mean of a monitor over the rows that it shows.", "the monitor's", CELL_LABELS),
    "monitor_lower": _gauge("Lower end of the 95 % interval of that mean.", "the monitor's", CELL_LABELS),
    "monitor_upper": _gauge("Upper end of the 95 % interval of that mean.", "the monitor's", CELL_LABELS),
    "monitor_limit": _gauge("A monitor's tolerated limit.", "the monitor's", CELL_LABELS),
    "verdict": _gauge("1 for the current outcome of a monitor.", "0 or 1", {**CELL_LABELS, "outcome": tuple(Outcome)}),
    **RELIABILITY_METRICS,
    **REVIEW_METRICS,
}
"""The metrics of verdicts, and of the curves beside them."""
