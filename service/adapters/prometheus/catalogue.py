"""Every metric of Tightrope, as a table: its name, what it counts or shows, its labels and their values, who sets it.

`metrics.py` makes them of it, and docs/metrics.md tells them. Base units, counters beside every rate, labels that are
bounded by the configuration: never a request id, a path or a text.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from math import prod

from tightrope.monitors.records import Outcome, Role
from tightrope.monitors.safemode import Input, State
from tightrope.service.adapters.topics import (
    COMPARISONS,
    CONTROL,
    EVENTS,
    EVERY,
    INTAKE,
    JUDGES,
    LABELS,
    PAYLOADS,
    SAMPLES,
    WORKERS,
    topic,
)

PREFIX = "tightrope_"

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Buckets of latency: models from microseconds to seconds."""

ROWS = (1, 4, 16, 64, 256, 1024, 4096, 16384)
"""Buckets of a batch."""

BUCKETS = {"seconds": SECONDS, "rows": ROWS}
"""Of a histogram, by its unit."""

UNDELIVERED = ("too_large", "refused", "after_a_loss", "shutdown")
"""Why the bus never took a record."""

DROPPED = ("buffer_full", "too_many_rows", "too_large", "undeliverable", "old_artefact")
"""Why a sample was not kept."""

UNKNOWN = "unknown"
"""The model label of a request for a model that is not served."""


class Kind(StrEnum):
    """What Prometheus calls its type."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Part(StrEnum):
    """Which part of the program sets a metric; in the embedded process they are one."""

    GATEWAY = "gateway"
    WORKER = "worker"
    JUDGE = "judge"
    REPORTER = "reporter"


Labels = Mapping[str, Sequence[str]]
MODEL: Labels = {"model": ()}
SCOPE: Labels = {**MODEL, "scope": ()}
CELL: Labels = {**SCOPE, "monitor": ()}
ROLES = tuple(Role)
SIDES, KINDS = ("reference", "window"), ("inputs", "outcomes", "pair")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. A label's values are listed, or bounded by the configuration where the list is empty: ``model``,
    ``scope`` (the model and its declared subgroups), ``monitor``.
    """

    kind: Kind
    part: Part
    text: str
    unit: str
    labels: Labels

    def label_values(self, known: Labels) -> Iterator[dict[str, str]]:
        """Every combination of its labels; nothing where a label's values are neither listed nor ``known``."""
        values = {name: listed or known.get(name, ()) for name, listed in self.labels.items()}
        return (dict(zip(values, found, strict=True)) for found in product(*values.values()))

    def most_series(self, sizes: Mapping[str, int]) -> int:
        """How many series it can have, where a label that the configuration bounds has so many values."""
        combinations = prod(len(listed) or sizes[name] for name, listed in self.labels.items())
        return combinations * (
            len(BUCKETS[self.unit]) + 3 if self.kind is Kind.HISTOGRAM else 1
        )  # +Inf, the sum, the count

    def full_name(self, name: str) -> str:
        """As Prometheus sees it."""
        return PREFIX + name + ("_total" if self.kind is Kind.COUNTER else "")


def _counter(part: Part, unit: str, text: str, labels: Labels) -> Metric:
    return Metric(Kind.COUNTER, part, text, unit, labels)


def _gauge(part: Part, unit: str, text: str, labels: Labels) -> Metric:
    return Metric(Kind.GAUGE, part, text, unit, labels)


def _seconds(text: str, labels: Labels) -> Metric:
    return Metric(Kind.HISTOGRAM, Part.GATEWAY, text, "seconds", labels)


def _drift(unit: str, text: str, kinds: Sequence[str]) -> Metric:
    return _gauge(Part.REPORTER, unit, text, {**SCOPE, "kind": kinds})


OUTCOMES: Labels = {"outcome": ("ok", "caller_error", "server_error")}
READ = tuple(map(topic, (SAMPLES, COMPARISONS, LABELS, CONTROL, EVENTS, PAYLOADS)))
WRITTEN = tuple(map(topic, EVERY))
FATES: Labels = {"outcome": ("joined", "duplicate", "unknown", "expired", "stale")}

CATALOGUE: Mapping[str, Metric] = {
    "requests": _counter(Part.GATEWAY, "requests", "Inference requests by what became of them.", {**MODEL, **OUTCOMES}),
    "request_seconds": _seconds("Time to answer a request.", MODEL),
    "answer_seconds": _seconds(
        "Time that the answering model took for a run, of one request or of a batch.", {**MODEL, "role": ROLES}
    ),
    "rows": _counter(Part.GATEWAY, "rows", "Rows answered, by the role that answered.", {**MODEL, "role": ROLES}),
    "refusals": _counter(
        Part.GATEWAY,
        "rows",
        "Rows that the answering role was too unsure of.",
        {**MODEL, "role": ROLES, "action": ("flag", "escalate", "abstain")},
    ),
    "model_failures": _counter(
        Part.GATEWAY,
        "runs",
        "Runs of a model that failed.",
        {**MODEL, "role": ROLES, "reason": ("run_failed", "unreadable_output", "unreachable")},
    ),
    "endpoint_up": _gauge(
        Part.GATEWAY,
        "0 or 1",
        "1 while the server of a model that lives elsewhere says that it is ready.",
        {**MODEL, "role": ROLES},
    ),
    "samples": _counter(Part.GATEWAY, "requests", "Requests kept for the shadow.", MODEL),
    "samples_dropped": _counter(
        Part.GATEWAY, "requests", "Requests that should have been kept and were not.", {**MODEL, "reason": DROPPED}
    ),
    "payload_events": _counter(
        Part.GATEWAY,
        "events",
        "Payload events of a model that is served elsewhere, by what became of them.",
        {**MODEL, "outcome": ("joined", "unreadable", "duplicate", "expired", "crowded")},
    ),
    "safe_mode_active": _gauge(Part.GATEWAY, "0 or 1", "1 while the baseline answers a scope.", SCOPE),
    "scope_state": _gauge(
        Part.GATEWAY, "0 or 1", "1 for the state that a scope is in.", {**SCOPE, "state": tuple(State)}
    ),
    "fallback_share": _gauge(
        Part.GATEWAY, "ratio", "Share of a whole model's fallback that the baseline bears, where it is measured.", MODEL
    ),
    "comparisons": _counter(Part.WORKER, "rows", "Rows compared.", SCOPE),
    "disagreements": _counter(Part.WORKER, "rows", "Rows on which the two models decided differently.", SCOPE),
    "comparison_errors": _counter(Part.WORKER, "rows", "Rows that could not be compared.", SCOPE),
    "archived_rows": _counter(Part.WORKER, "rows", "Compared rows kept for the drift report.", MODEL),
    "archive_skipped_rows": _counter(
        Part.WORKER,
        "rows",
        "Compared rows that could not be kept for the drift report.",
        {**MODEL, "reason": ("unfit", "busy", "disk")},
    ),
    "dead_records": _counter(Part.WORKER, "records", "Records that could not be read, by topic.", {"topic": READ}),
    "lag_records": _gauge(
        Part.WORKER, "records", "Records published and not read yet.", {"reader": (WORKERS, JUDGES, INTAKE)}
    ),
    "rebalances": _counter(
        Part.WORKER, "times", "Times that a group's partitions were dealt out anew.", {"reader": (WORKERS, JUDGES)}
    ),
    "undelivered_records": _counter(
        Part.GATEWAY, "records", "Records that the bus never took.", {"topic": WRITTEN, "reason": UNDELIVERED}
    ),
    "bus_waiting_records": _gauge(Part.GATEWAY, "records", "Records that the bus has not acknowledged yet.", {}),
    "comparisons_repeated": _counter(Part.JUDGE, "rows", "Rows that came again and were not counted again.", MODEL),
    "control_age_seconds": _gauge(Part.GATEWAY, "seconds", "Time since the judges of a cluster were last heard.", {}),
    "batch_rows": Metric(Kind.HISTOGRAM, Part.WORKER, "Rows compared at once.", "rows", {}),
    "evidence": _gauge(Part.JUDGE, "log10", "Log10 of a monitor's evidence; the alarm is at the budget.", CELL),
    "evidence_budget": _gauge(Part.JUDGE, "log10", "Log10 of the samples that one false alarm is budgeted for.", MODEL),
    "monitor_mean": _gauge(Part.JUDGE, "the monitor's", "Mean of a monitor's latest rows.", CELL),
    "monitor_limit": _gauge(Part.JUDGE, "the monitor's", "A monitor's tolerated limit.", CELL),
    "verdict": _gauge(
        Part.JUDGE, "0 or 1", "1 for the outcome that a monitor gives now.", {**CELL, "outcome": tuple(Outcome)}
    ),
    "transitions": _counter(Part.JUDGE, "inputs", "Inputs to the safe-mode table.", {**SCOPE, "input": tuple(Input)}),
    "labels": _gauge(
        Part.JUDGE, "labels", "Late labels by what became of them, since the state began.", {**MODEL, **FATES}
    ),
    "label_coverage": _gauge(
        Part.JUDGE, "ratio", "Share of rows that got their label, of those that got it or will not any more.", MODEL
    ),
    "disagreement_autocorrelation": _gauge(
        Part.JUDGE, "ratio", "Lag-1 autocorrelation of disagreements; a warning from 0.05 on.", MODEL
    ),
    "alerts_waiting": _gauge(Part.JUDGE, "alerts", "Alerts that no Alertmanager has taken yet.", {}),
    "alert_posts": _counter(
        Part.JUDGE, "requests", "Posts of alerts to an Alertmanager.", {"outcome": ("taken", "failed")}
    ),
    "reports": _counter(
        Part.REPORTER,
        "runs",
        "Runs of the drift report's job by how they ended.",
        {"outcome": ("made", "refused", "failed")},
    ),
    "drift_report_timestamp_seconds": _gauge(
        Part.REPORTER, "seconds since 1970", "When the newest drift report was made.", MODEL
    ),
    "drift_rows": _drift("rows", "Rows that the newest drift report is about.", SIDES),
    "drift_disagreement": _drift("ratio", "Share of rows on which the two models decided differently.", SIDES),
    "drift_confidence_shift": _drift("probability", "How much a model's mean confidence has moved.", ROLES),
    "drift_share": _drift(
        "ratio", "Share of the tested columns that drifted: inputs, outcomes (now against then), the pair.", KINDS
    ),
    "drift_psi": _drift("nats", "Largest population stability index of a kind's columns.", KINDS),
    "drift_psi_expected": _drift("nats", "What chance alone gives for that column.", KINDS),
}
"""By name without the prefix. Of a drift report only kinds and scopes, which are bounded: columns are in the report."""

DRIFT = tuple(name.removeprefix("drift_") for name in CATALOGUE if name.startswith("drift_") and "report" not in name)
"""The figures of a drift report, as the report names them."""


def most_series(scopes: int, monitors: int) -> int:
    """The most series that a model with so many scopes and monitors can have."""
    sizes = {"model": 1, "scope": scopes, "monitor": monitors}
    return sum(metric.most_series(sizes) for metric in CATALOGUE.values() if "model" in metric.labels)
