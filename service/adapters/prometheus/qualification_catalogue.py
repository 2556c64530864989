"""The metrics of what lets a model serve, and of who answers for it; `catalogue.py` contains them."""

from collections.abc import Mapping

from tightrope.monitors.records import Role
from tightrope.service.adapters.prometheus.metric import Component, LabelValues, Metric, MetricKind

QUALIFICATION_VERDICTS = ("qualified", "breach", "insufficient", "error", "unqualified")
"""The verdict of the statement in force; unqualified where no statement lets the compressed model serve."""

PAGE_POLICIES, WRITTEN_MODES = ("large", "always", "never"), ("armed", "advisory", "unset")
"""The values of a model's keys `page` and `mode`; unset where no mode is written."""

OF_STATEMENT: LabelValues = {"model": ()}
OF_ANSWERS: LabelValues = {**OF_STATEMENT, "role": tuple(Role)}


def _gauge(text: str, unit: str, labels: LabelValues) -> Metric:
    return Metric(MetricKind.GAUGE, Component.GATEWAY, text, unit, labels)


QUALIFICATION_METRICS: Mapping[str, Metric] = {
    "model_info": _gauge(
        "1 for the owner of a model and its keys `page` and `mode`, by which its alerts are labelled and page.",
        "0 or 1",
        {**OF_STATEMENT, "owner": (), "page": PAGE_POLICIES, "mode": WRITTEN_MODES},
    ),
    "qualification_info": _gauge(
        "1 for the verdict of the statement by which the model serves; breach and insufficient were accepted by those "
        "who approved it.",
        "0 or 1",
        {**OF_STATEMENT, "verdict": QUALIFICATION_VERDICTS},
    ),
    "qualification_expiry_timestamp_seconds": _gauge(
        "Time at which the statement of qualification expires.", "seconds since 1970", OF_STATEMENT
    ),
    "requalification_changed": _gauge(
        "1 if the verdict of the newest statement on kept rows is not that of the statement by which the model serves; "
        "without one, not that of the statement on kept rows before.",
        "0 or 1",
        OF_STATEMENT,
    ),
    "requalification_failed": _gauge(
        "1 if the latest attempt to make a statement on kept rows failed.", "0 or 1", OF_STATEMENT
    ),
    "requalification_timestamp_seconds": _gauge(
        "Time of the newest statement on kept rows.", "seconds since 1970", OF_STATEMENT
    ),
    "numerics_distance": _gauge(
        "Largest difference of this host's answers from the golden ones, at the start or the latest deployment.",
        "unit of the output",
        OF_ANSWERS,
    ),
    "numerics_bound": _gauge("Difference from the golden answers that is accepted.", "unit of the output", OF_ANSWERS),
}
"""The metrics of what lets a model serve, and of who answers for it."""
