"""Metrics of runs that passed their deadline, are not shared, or cannot be compared; `catalogue.py` has them."""

from collections.abc import Mapping

from tightrope.monitors.cost.shares import RunPart
from tightrope.monitors.records import Role
from tightrope.service.adapters.prometheus.metric import Component, LabelValues, Metric, MetricKind

RUN_LABELS: LabelValues = {"model": (), "role": tuple(Role)}

EXPIRED_COUNTERS = {Component.GATEWAY: "runs_terminated", Component.WORKER: "shadow_runs_terminated"}
BREAKER_GAUGES = {Component.GATEWAY: "model_hanging", Component.WORKER: "shadow_model_hanging"}
"""The metrics of each component, by their names."""

_EXPIRED = {
    Component.GATEWAY: "Runs ended because they had passed `run_seconds`; the other model answered.",
    Component.WORKER: "Runs of the shadow ended because they had passed `run_seconds`; their rows are errors.",
}
_HANGING = {
    Component.GATEWAY: "1 while a model hangs and gets no requests, until a run of zeros answers in time.",
    Component.WORKER: "1 while a model hangs and gets no samples, until a run of zeros answers in time.",
}

_NOT_COMPARABLE = "Requests not sampled, because one model wrote their state, which the other does not know."

PART_LABELS: LabelValues = {**RUN_LABELS, "part": tuple(RunPart)}

_CPU = "CPU seconds of runs: answers of the compressed model, fallbacks to the baseline, and escalations to it."
_OTHER_CPU = "Estimated CPU seconds that the other model would have taken for the same runs."
_SHADOW_CPU = "CPU seconds of the shadow's runs, by the role that did not answer."

_ANSWERED = "Requests answered, by the role that answered."
_LEDGER = "Times at which what models cost by day could not be written; it waits in memory."
LEDGER_REASONS = ("disk_short", "unwritable")

RUN_METRICS: Mapping[str, Metric] = {
    "answered_requests": Metric(MetricKind.COUNTER, Component.GATEWAY, _ANSWERED, "requests", RUN_LABELS),
    "cost_ledger_failures": Metric(MetricKind.COUNTER, Component.GATEWAY, _LEDGER, "times", {"reason": LEDGER_REASONS}),
    "cpu_seconds": Metric(MetricKind.COUNTER, Component.GATEWAY, _CPU, "seconds", PART_LABELS),
    "other_model_cpu_seconds": Metric(MetricKind.COUNTER, Component.GATEWAY, _OTHER_CPU, "seconds", PART_LABELS),
    "shadow_cpu_seconds": Metric(MetricKind.COUNTER, Component.WORKER, _SHADOW_CPU, "seconds", RUN_LABELS),
    "not_comparable": Metric(MetricKind.COUNTER, Component.GATEWAY, _NOT_COMPARABLE, "requests", {"model": ()}),
    **{
        EXPIRED_COUNTERS[one]: Metric(MetricKind.COUNTER, one, text, "runs", RUN_LABELS)
        for one, text in _EXPIRED.items()
    },
    **{
        BREAKER_GAUGES[one]: Metric(MetricKind.GAUGE, one, text, "0 or 1", RUN_LABELS) for one, text in _HANGING.items()
    },
    "kept_apart": Metric(
        MetricKind.GAUGE,
        Component.GATEWAY,
        "1 since the requests to a model run apart because of what was seen in service, until it is loaded again.",
        "0 or 1",
        {"model": ()},
    ),
}
