"""Every metric of Tightrope, as a table: name, help, unit, labels with their values, and the component that sets it.

`metrics.py` creates the metrics, and docs/metrics.md lists them. Units are base units, every rate has its counters, and
the configuration bounds all labels: a label is never a request id, a path or a free text.
"""

from collections.abc import Mapping, Sequence

from tightrope.monitors.intake.hosts import MAX_HOST_CLASSES
from tightrope.monitors.plan import STALE_REASONS
from tightrope.monitors.records import Role
from tightrope.monitors.safemode import Input, ModeState
from tightrope.service.adapters.prometheus.bus_catalogue import BUS_METRICS
from tightrope.service.adapters.prometheus.connection_catalogue import CONNECTION_METRICS
from tightrope.service.adapters.prometheus.metric import Component, LabelValues, Metric, MetricKind
from tightrope.service.adapters.prometheus.qualification_catalogue import QUALIFICATION_METRICS
from tightrope.service.adapters.prometheus.refusal_catalogue import REFUSAL_METRICS
from tightrope.service.adapters.prometheus.run_catalogue import RUN_METRICS
from tightrope.service.adapters.prometheus.sight_catalogue import SIGHT_METRICS
from tightrope.service.adapters.prometheus.verdict_catalogue import MODEL_LABELS, VERDICT_METRICS

DROP_REASONS = ("buffer_full", "too_many_rows", "too_large", "undeliverable", "old_artefact")
"""Reasons for which a sample was not kept."""

MISSING_CAUSES = ("start", "silent", "plan")
"""Causes for which a gateway counts the judge of a model as missing."""

UNKNOWN_MODEL = "unknown"
"""The model label of a request for a model that is not served."""

BY_GATEWAY, BY_WORKER, BY_JUDGE, BY_REPORTER = Component

SCOPE_LABELS: LabelValues = {**MODEL_LABELS, "scope": ()}
ROLE_VALUES, DRIFT_SIDES, DRIFT_KINDS = tuple(Role), ("reference", "window"), ("inputs", "outcomes", "pair")


def _counter(component: Component, unit: str, text: str, labels: LabelValues) -> Metric:
    return Metric(MetricKind.COUNTER, component, text, unit, labels)


def _gauge(component: Component, unit: str, text: str, labels: LabelValues) -> Metric:
    return Metric(MetricKind.GAUGE, component, text, unit, labels)


def _seconds(text: str, labels: LabelValues) -> Metric:
    return Metric(MetricKind.HISTOGRAM, BY_GATEWAY, text, "seconds", labels)


def _drift(unit: str, text: str, kinds: Sequence[str]) -> Metric:
    return _gauge(BY_REPORTER, unit, text, {**SCOPE_LABELS, "kind": kinds})


REQUEST_OUTCOMES: LabelValues = {"outcome": ("ok", "caller_error", "server_error")}
FAULT_REASONS = ("not_finite", "out_of_range", "another_shape", "unreadable", "no_baseline", "owned_state")
FAULT_LABELS: LabelValues = {"role": ROLE_VALUES, "reason": FAULT_REASONS}
LABEL_OUTCOMES: LabelValues = {"outcome": ("joined", "duplicate", "unknown", "late", "expired", "stale", "undrawn")}

METRICS: Mapping[str, Metric] = {
    "requests": _counter(
        BY_GATEWAY, "requests", "Inference requests by outcome.", {**MODEL_LABELS, **REQUEST_OUTCOMES}
    ),
    "request_seconds": _seconds("Time to answer a request.", MODEL_LABELS),
    "answer_seconds": _seconds(
        "Time of a run of the answering model, for one request or a batch.", {**MODEL_LABELS, "role": ROLE_VALUES}
    ),
    "rows": _counter(
        BY_GATEWAY, "rows", "Rows answered, by the role that answered.", {**MODEL_LABELS, "role": ROLE_VALUES}
    ),
    "subgroup_rows": _counter(
        BY_GATEWAY, "rows", "Rows answered, sampled or not, by the subgroups that they belong to.", SCOPE_LABELS
    ),
    **CONNECTION_METRICS,
    **REFUSAL_METRICS,
    **RUN_METRICS,
    "model_failures": _counter(
        BY_GATEWAY,
        "runs",
        "Runs of a model that failed.",
        {**MODEL_LABELS, "role": ROLE_VALUES, "reason": ("run_failed", "unreadable_output", "unreachable", "deadline")},
    ),
    "unmonitored_answers": _counter(
        BY_GATEWAY, "requests", "Answers given that no monitor can judge.", {**MODEL_LABELS, **FAULT_LABELS}
    ),
    "endpoint_up": _gauge(
        BY_GATEWAY,
        "0 or 1",
        "1 while the server of a remote model reports that it is ready.",
        {**MODEL_LABELS, "role": ROLE_VALUES},
    ),
    "samples": _counter(BY_GATEWAY, "requests", "Requests kept for the shadow.", MODEL_LABELS),
    "samples_dropped": _counter(
        BY_GATEWAY,
        "requests",
        "Requests that should have been kept as samples and were not.",
        {**MODEL_LABELS, "reason": DROP_REASONS},
    ),
    "payload_events": _counter(
        BY_GATEWAY,
        "events",
        "Payload events of a model that is served elsewhere, by outcome.",
        {**MODEL_LABELS, "outcome": ("joined", "unreadable", "duplicate", "expired", "crowded")},
    ),
    "safe_mode_active": _gauge(BY_GATEWAY, "0 or 1", "1 while the baseline answers a scope.", SCOPE_LABELS),
    "safe_mode_ordered": _gauge(
        BY_GATEWAY, "0 or 1", "1 while a scope is in safe mode only because an operator ordered it.", SCOPE_LABELS
    ),
    "scope_state": _gauge(
        BY_GATEWAY, "0 or 1", "1 for the current state of a scope.", {**SCOPE_LABELS, "state": tuple(ModeState)}
    ),
    "fallback_share": _gauge(
        BY_GATEWAY,
        "ratio",
        "Share of a whole model's fallback traffic that the baseline can carry, once it is measured.",
        MODEL_LABELS,
    ),
    "blind": _gauge(BY_GATEWAY, "0 or 1", "1 while kept rows are not judged, or no judge is heard.", MODEL_LABELS),
    "scope_blind": _gauge(
        BY_GATEWAY,
        "0 or 1",
        "1 while kept rows of the subgroup are not judged, though others are: the baseline answers it.",
        SCOPE_LABELS,
    ),
    **SIGHT_METRICS,
    **QUALIFICATION_METRICS,
    "judge_missing": _gauge(
        BY_GATEWAY,
        "0 or 1",
        "1 while the baseline answers because no judge of the gateway's plan is heard: since the start, for too long, "
        "or because the judges judge another plan.",
        {**MODEL_LABELS, "cause": MISSING_CAUSES},
    ),
    "judge_age_seconds": _gauge(
        BY_GATEWAY, "seconds", "Time since the last heartbeat of a model's judge.", MODEL_LABELS
    ),
    "rows_judged": _counter(BY_JUDGE, "rows", "Rows without a fault that the judge has counted.", MODEL_LABELS),
    "rows_stale": _counter(
        BY_JUDGE,
        "rows",
        "Compared rows that the judge's plan does not cover: of another artefact, or of other subgroups.",
        {**MODEL_LABELS, "reason": STALE_REASONS},
    ),
    "judge_failures": _counter(BY_JUDGE, "times", "Failures after which the judge started again.", {}),
    "judge_failing": _gauge(BY_JUDGE, "0 or 1", "1 after more than three starts of the judge in a minute.", {}),
    "comparisons": _counter(BY_WORKER, "rows", "Rows compared.", SCOPE_LABELS),
    "disagreements": _counter(
        BY_WORKER,
        "rows",
        "Sum of the losses of the rows compared: a row on which the two models decided differently counts 1, or a part "
        "of 1 where its kind of decision says how much.",
        SCOPE_LABELS,
    ),
    "host_comparisons": _counter(
        BY_WORKER, "rows", "Rows compared, by class of the compressed model's host.", {**MODEL_LABELS, "host": ()}
    ),
    "comparison_errors": _counter(BY_WORKER, "rows", "Rows that could not be compared.", SCOPE_LABELS),
    "archived_rows": _counter(BY_WORKER, "rows", "Compared rows kept for the drift report.", MODEL_LABELS),
    "archive_skipped_rows": _counter(
        BY_WORKER,
        "rows",
        "Compared rows that could not be kept for the drift report, or were deleted for lack of space.",
        {**MODEL_LABELS, "reason": ("unfit", "busy", "disk", "reserve")},
    ),
    "disk_short": _gauge(
        BY_WORKER, "0 or 1", "1 while the state's volume has less than the reserve for modes and events.", {}
    ),
    **BUS_METRICS,
    "comparisons_repeated": _counter(BY_JUDGE, "rows", "Redelivered rows, which are not counted again.", MODEL_LABELS),
    "control_age_seconds": _gauge(BY_GATEWAY, "seconds", "Time since the last message of a cluster's judges.", {}),
    "batch_rows": Metric(MetricKind.HISTOGRAM, BY_WORKER, "Rows compared at once.", "rows", {}),
    **VERDICT_METRICS,
    "transitions": _counter(
        BY_JUDGE, "inputs", "Inputs to the safe-mode table.", {**SCOPE_LABELS, "input": tuple(Input)}
    ),
    "labels": _gauge(
        BY_JUDGE, "labels", "Late labels by outcome, since the state began.", {**MODEL_LABELS, **LABEL_OUTCOMES}
    ),
    "label_coverage": _gauge(
        BY_JUDGE, "ratio", "Share of rows that got their label, among those that got it or are overdue.", MODEL_LABELS
    ),
    "held_breach": _gauge(
        BY_JUDGE, "0 or 1", "1 while a scope that an operator holds in normal mode has breached.", SCOPE_LABELS
    ),
    "state_unreadable": _gauge(
        BY_JUDGE, "0 or 1", "1 while a scope is safe because the earlier state could not be read.", MODEL_LABELS
    ),
    "uncounted_rows": _gauge(
        BY_JUDGE, "rows", "Rows not counted, as repeats.", {**MODEL_LABELS, "reason": ("retry", "input")}
    ),
    "repeated_share": _gauge(
        BY_JUDGE, "ratio", "Share of repeats in the latest.", {**MODEL_LABELS, "of": ("requests", "inputs", "one_id")}
    ),
    "disagreement_autocorrelation": _gauge(
        BY_JUDGE, "ratio", "Lag-1 autocorrelation of the losses of rows.", MODEL_LABELS
    ),
    "rows_dependent": _gauge(
        BY_JUDGE, "0 or 1", "1 while rows depend on each other, or did in the latest 65,536.", MODEL_LABELS
    ),
    "found_groups": _gauge(
        BY_JUDGE, "groups", "Undeclared groups in which answers differ more than allowed.", MODEL_LABELS
    ),
    "alerts_waiting": _gauge(BY_JUDGE, "alerts", "Alerts that no Alertmanager has accepted yet.", {}),
    "alert_posts": _counter(
        BY_JUDGE, "requests", "Posts of alerts to an Alertmanager.", {"outcome": ("taken", "failed")}
    ),
    "reports": _counter(
        BY_REPORTER, "runs", "Runs of the drift report job by outcome.", {"outcome": ("made", "refused", "failed")}
    ),
    "drift_report_timestamp_seconds": _gauge(
        BY_REPORTER, "seconds since 1970", "When the newest drift report was made.", MODEL_LABELS
    ),
    "drift_rows": _drift("rows", "Rows in the newest drift report.", DRIFT_SIDES),
    "drift_disagreement": _drift(
        "ratio", "Mean loss of the rows: the share that disagree, where each loss is 0 or 1.", DRIFT_SIDES
    ),
    "drift_confidence_shift": _drift("probability", "Change of a model's mean confidence.", ROLE_VALUES),
    "drift_share": _drift(
        "ratio", "Share of the tested columns that drifted: inputs, outcomes (now against then), the pair.", DRIFT_KINDS
    ),
    "drift_psi": _drift("nats", "Largest population stability index of a kind's columns.", DRIFT_KINDS),
    "drift_psi_expected": _drift("nats", "Population stability index expected by chance for that column.", DRIFT_KINDS),
}
"""All metrics by name without the prefix. Of a drift report they show kinds and scopes, which are bounded; columns are
in the report.
"""

DRIFT_FIGURES = tuple(n.removeprefix("drift_") for n in METRICS if n.startswith("drift_") and "report" not in n)
"""The figures of a drift report, by their names in the report."""


def max_series(scopes: int, monitors: int) -> int:
    """The most series that a model with these numbers of scopes and monitors can have."""
    sizes = {"model": 1, "scope": scopes, "monitor": monitors, "host": MAX_HOST_CLASSES + 1, "owner": 1}
    return sum(metric.max_series(sizes) for metric in METRICS.values() if "model" in metric.labels)
