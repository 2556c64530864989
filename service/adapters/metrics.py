"""Every Prometheus metric of Tightrope, on a registry handed in: the one door to prometheus_client.

Base units, counters beside every rate, labels that are bounded by the configuration: never a request id, a path or a
text.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder

from monitors.plan import State
from monitors.records import Event, Outcome, Role, Routes, Verdict
from monitors.safemode import Input

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Buckets of latency: models from microseconds to seconds."""

ROWS = (1, 4, 16, 64, 256, 1024, 4096, 16384)
"""Buckets of a batch."""

DROPPED = ("buffer_full", "too_many_rows", "too_large", "undeliverable", "old_artefact")
"""Why a sample was not kept."""

DRIFT = {
    "rows": "Rows that the newest drift report is about; kind: reference, window.",
    "disagreement": "Share of rows on which the two models decided differently; kind: reference, window.",
    "confidence_shift": "How much a model's mean confidence has moved; kind: the role.",
    "share": "Share of the tested columns that drifted; kind: inputs, outcomes (now against then), pair (the models).",
    "psi": "Largest population stability index of a kind's columns.",
    "psi_expected": "What chance alone gives for that column.",
}
"""The figures of a drift report, for people to look at: kinds and scopes are bounded, columns are in the report."""

T = TypeVar("T", Counter, Gauge)

UNKNOWN = "unknown"
"""The model label of a request for a model that is not served."""


def process_registry() -> CollectorRegistry:
    """A registry of its own, with what Prometheus users expect of any Python process."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


def _series(kind: type[T], registry: CollectorRegistry, name: str, text: str, *labels: str) -> T:
    """A series of the catalogue; all their names begin alike."""
    return kind(f"tightrope_{name}", text, labels, registry=registry)


class Metrics:
    """The catalogue. Label values are announced at start, so that rates exist from the first scrape on."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

        counter, gauge = partial(_series, Counter, registry), partial(_series, Gauge, registry)
        self.requests = counter("requests", "Inference requests by what became of them.", "model", "outcome")
        self.seconds = Histogram(
            "tightrope_request_seconds", "Time to answer a request.", ("model",), buckets=SECONDS, registry=registry
        )
        self.rows = counter("rows", "Rows answered, by the role that answered.", "model", "role")
        self.refusals = counter(
            "refusals", "Rows that the answering role was too unsure of.", "model", "role", "action"
        )
        self.failures = counter("model_failures", "Runs of a model that failed.", "model", "role", "reason")
        self.samples = counter("samples", "Requests kept for the shadow.", "model")
        self.drops = counter("samples_dropped", "Requests that should have been kept and were not.", "model", "reason")
        self.compared = counter("comparisons", "Rows compared.", "model", "scope")
        self.disagreed = counter("disagreements", "Rows on which the two models decided differently.", "model", "scope")
        self.faulty = counter("comparison_errors", "Rows that could not be compared.", "model", "scope")
        self.dead = counter("dead_records", "Records that could not be read, by topic.", "topic")
        self.archived = counter("archived_rows", "Compared rows kept for the drift report.", "model")
        self.unarchived = counter(
            "archive_skipped_rows", "Compared rows that could not be kept for the drift report.", "model", "reason"
        )
        self.reports = counter("reports", "Runs of the drift report's job by how they ended.", "outcome")
        self.lag = gauge("lag_records", "Records published and not read yet.", "reader")
        self._of_the_bus()
        self.evidence = gauge(
            "evidence", "Log10 of a monitor's evidence; the alarm is at the budget.", "model", "scope", "monitor"
        )
        self.budget = gauge("evidence_budget", "Log10 of the samples that one false alarm is budgeted for.", "model")
        self.mean = gauge("monitor_mean", "Mean of a monitor's latest rows.", "model", "scope", "monitor")
        self.limit = gauge("monitor_limit", "A monitor's tolerated limit.", "model", "scope", "monitor")
        self.verdict = gauge(
            "verdict", "1 for the outcome that a monitor gives now.", "model", "scope", "monitor", "outcome"
        )
        self.safe = gauge("safe_mode_active", "1 while the baseline answers a scope.", "model", "scope")
        self.state = gauge("scope_state", "1 for the state that a scope is in.", "model", "scope", "state")
        self.drift = {name: gauge(f"drift_{name}", text, "model", "kind", "scope") for name, text in DRIFT.items()}
        self.drift_time = gauge("drift_report_timestamp_seconds", "When the newest drift report was made.", "model")
        self.transitions = counter("transitions", "Inputs to the safe-mode table.", "model", "scope", "input")
        self.labels = gauge("labels", "Late labels by what became of them, since the state began.", "model", "outcome")
        self.autocorrelation = gauge(
            "disagreement_autocorrelation", "Lag-1 autocorrelation of disagreements; a warning from 0.05 on.", "model"
        )

    def _of_the_bus(self) -> None:
        """What tells how a cluster fares."""
        counter, gauge = partial(_series, Counter, self.registry), partial(_series, Gauge, self.registry)
        self.rebalances = counter("rebalances", "Times that a group's partitions were dealt out anew.", "reader")
        self.undelivered = counter("undelivered_records", "Records that the bus never took.", "topic", "reason")
        self.waiting = gauge("bus_waiting_records", "Records that the bus has not acknowledged yet.")
        self.repeated = counter("comparisons_repeated", "Rows that came again and were not counted again.", "model")
        self.silence = gauge("control_age_seconds", "Time since the judges were last heard.")
        self.batch = Histogram("tightrope_batch_rows", "Rows compared at once.", buckets=ROWS, registry=self.registry)

    def announce(self, model: str) -> None:
        """Make a model's series exist at zero."""
        for outcome in ("ok", "caller_error", "server_error"):
            self.requests.labels(model, outcome)
        for role in Role:
            self.rows.labels(model, role)
        self.samples.labels(model)
        for reason in DROPPED:
            self.drops.labels(model, reason)

    def total(self, name: str, **labels: str) -> int:
        """The present value of a counter, 0 where there is none yet."""
        return int(self.registry.get_sample_value(f"tightrope_{name}_total", labels) or 0)

    def dropped(self, model: str, reason: str) -> None:
        """Count a sample that could not be kept."""
        self.drops.labels(model, reason).inc()

    def compare(self, model: str, scopes: Sequence[str], compared: Any, disagreed: Any, faulty: Any) -> None:  # noqa: ANN401
        """Count a batch of comparisons; the three arrays have one entry a scope."""
        for scope, rows, others, errors in zip(scopes, compared, disagreed, faulty, strict=True):
            self.compared.labels(model, scope).inc(int(rows))
            self.disagreed.labels(model, scope).inc(int(others))
            self.faulty.labels(model, scope).inc(int(errors))

    def judge(self, model: str, verdicts: Iterable[Verdict]) -> None:
        """Show the verdicts."""
        for v in verdicts:
            at = (model, v.scope, v.monitor)
            self.evidence.labels(*at).set(v.evidence)
            self.budget.labels(model).set(v.threshold)
            self.limit.labels(*at).set(v.limit)
            self.mean.labels(*at).set(float("nan") if v.recent is None else v.recent)
            for outcome in Outcome:
                self.verdict.labels(*at, outcome).set(outcome is v.outcome)

    def decided(self, events: Iterable[Event]) -> None:
        """Count what the safe-mode table was given."""
        for event in events:
            if event.kind in set(Input):
                self.transitions.labels(event.model, event.scope, event.kind).inc()

    def learn(self, state: State, model: str) -> None:
        """Show what became of labels, and whether rows depend on each other."""
        for outcome, count in state.labels.items():
            self.labels.labels(model, outcome).set(count)
        self.autocorrelation.labels(model).set(state.lag.correlation or 0.0)

    def route(self, routes: Routes, states: Iterable[str]) -> None:
        """Show who answers."""
        known = tuple(states)
        for scope, state in routes.states.items():
            self.safe.labels(routes.model, scope).set(scope in routes.safe)
            for name in known:
                self.state.labels(routes.model, scope, name).set(name == state)

    def report(self, model: str, at: float, scopes: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> None:
        """Show the figures of a drift report: by scope, figure and kind; NaN where there was nothing to tell."""
        self.drift_time.labels(model).set(at)
        for scope, figures in scopes.items():
            for name, gauge in self.drift.items():
                for kind, value in figures.get(name, {}).items():
                    gauge.labels(model, kind, scope).set(float("nan") if value is None else value)

    def page(self, accept: str) -> tuple[bytes, str]:
        """The exposition, in the format that the scraper asks for, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type
