"""All metrics of `catalogue.py` as objects of prometheus_client, in one registry."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from tightrope.service.adapters.prometheus.catalogue import DRIFT_FIGURES, METRICS
from tightrope.service.adapters.prometheus.histogram import ManyHistogram
from tightrope.service.adapters.prometheus.metric import BUCKETS_BY_UNIT, METRIC_PREFIX, Component, MetricKind
from tightrope.service.adapters.prometheus.recording.metrics import RecordMetrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second, unused series for every counter

T = TypeVar("T", bound=Counter | Gauge | Histogram)


def process_registry(registry: CollectorRegistry | None = None) -> CollectorRegistry:
    """A new registry, or this one, with the usual metrics of a Python process."""
    registry = registry or CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


INTERVAL = ("monitor_mean", "monitor_lower", "monitor_upper")
"""The metrics of a mean and its interval."""


class MetricSet:
    """One attribute for each metric of the catalogue, under its name."""

    record_deferred: Callable[[], object]

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._all: dict[str, Counter | Gauge | Histogram] = {}
        self._configured_scopes: dict[str, frozenset[str]] = {}
        self._added_scopes: dict[str, frozenset[str]] = {}
        self.requests = self._add(Counter, "requests")
        self.request_seconds = self._add(ManyHistogram, "request_seconds")
        self.answer_seconds = self._add(ManyHistogram, "answer_seconds")
        self.rows = self._add(Counter, "rows")
        self.subgroup_rows = self._add(Counter, "subgroup_rows")
        self.model_failures = self._add(Counter, "model_failures")
        self.endpoint_up = self._add(Gauge, "endpoint_up")
        self.samples = self._add(Counter, "samples")
        self.samples_dropped = self._add(Counter, "samples_dropped")
        self.payload_events = self._add(Counter, "payload_events")
        self.comparisons = self._add(Counter, "comparisons")
        self.disagreements = self._add(Counter, "disagreements")
        self.comparison_errors = self._add(Counter, "comparison_errors")
        self.dead_records = self._add(Counter, "dead_records")
        self.reports = self._add(Counter, "reports")
        self.lag_records = self._add(Gauge, "lag_records")
        self.rebalances = self._add(Counter, "rebalances")
        self.undelivered_records = self._add(Counter, "undelivered_records")
        self.bus_waiting_records = self._add(Gauge, "bus_waiting_records")
        self.comparisons_repeated = self._add(Counter, "comparisons_repeated")
        self.batch_rows = self._add(Histogram, "batch_rows")
        self.evidence = self._add(Gauge, "evidence")
        self.evidence_budget = self._add(Gauge, "evidence_budget")
        self.monitor_mean, self.monitor_lower, self.monitor_upper = (self._add(Gauge, name) for name in INTERVAL)
        self.monitor_limit = self._add(Gauge, "monitor_limit")
        self.verdict = self._add(Gauge, "verdict")
        self.safe_mode_active = self._add(Gauge, "safe_mode_active")
        self.scope_state = self._add(Gauge, "scope_state")
        self.asked_classes = self._add(Gauge, "asked_classes")
        self.alerts_waiting = self._add(Gauge, "alerts_waiting")
        self.alert_posts = self._add(Counter, "alert_posts")
        self.drift = {name: self._add(Gauge, f"drift_{name}") for name in DRIFT_FIGURES}
        self.drift_report_timestamp_seconds = self._add(Gauge, "drift_report_timestamp_seconds")
        self.transitions = self._add(Counter, "transitions")
        self.labels = self._add(Gauge, "labels")
        self.label_coverage = self._add(Gauge, "label_coverage")
        self.fallback_share = self._add(Gauge, "fallback_share")
        self._add_refusal_metrics()
        self._add_kept_row_metrics()
        self._add_guard_metrics()

    def _add_refusal_metrics(self) -> None:
        """Add the metrics of refusals, seen by callers or not."""
        self.refusals = self._add(Counter, "refusals")
        self.would_refuse = self._add(Counter, "would_refuse")
        self.escalations = self._add(Counter, "escalations")
        self.not_comparable = self._add(Counter, "not_comparable")
        self.compared_refusals = self._add(Counter, "compared_refusals")

    def _add_kept_row_metrics(self) -> None:
        """Add the metrics of rows that are kept for drift reports and for the review by people."""
        self.archived_rows = self._add(Counter, "archived_rows")
        self.archive_skipped_rows = self._add(Counter, "archive_skipped_rows")
        self.review_skipped_rows = self._add(Counter, "review_skipped_rows")
        self.reviews = self._add(Counter, "reviews")

    def _add_reliability_metrics(self) -> None:
        """Add the metrics of reliability curves."""
        self.reliability_confidence = self._add(Gauge, "reliability_confidence")
        self.reliability_accuracy = self._add(Gauge, "reliability_accuracy")
        self.reliability_lower = self._add(Gauge, "reliability_lower")
        self.reliability_upper = self._add(Gauge, "reliability_upper")
        self.calibration_error = self._add(Gauge, "calibration_error")
        self.subgroup_overconfidence = self._add(Gauge, "subgroup_overconfidence")

    def _add_qualification_metrics(self) -> None:
        """Add the metrics of what lets a model serve."""
        self.model_info = self._add(Gauge, "model_info")
        self.qualification_info = self._add(Gauge, "qualification_info")
        self.qualification_expiry_timestamp_seconds = self._add(Gauge, "qualification_expiry_timestamp_seconds")
        self.requalification_changed = self._add(Gauge, "requalification_changed")
        self.requalification_failed = self._add(Gauge, "requalification_failed")
        self.requalification_timestamp_seconds = self._add(Gauge, "requalification_timestamp_seconds")
        self.numerics_distance = self._add(Gauge, "numerics_distance")
        self.numerics_bound = self._add(Gauge, "numerics_bound")

    def _add_guard_metrics(self) -> None:
        """Add the metrics of what could blind or mislead the judge, and of what lets a model serve."""
        self._add_qualification_metrics()
        self.disagreement_autocorrelation = self._add(Gauge, "disagreement_autocorrelation")
        self.rows_dependent = self._add(Gauge, "rows_dependent")
        self.found_groups = self._add(Gauge, "found_groups")
        self.safe_mode_ordered = self._add(Gauge, "safe_mode_ordered")
        self.blind = self._add(Gauge, "blind")
        self.scope_blind = self._add(Gauge, "scope_blind")
        self.starved = self._add(Gauge, "starved")
        self.lost = self._add(Gauge, "lost")
        self.judge_missing = self._add(Gauge, "judge_missing")
        self.judge_age_seconds = self._add(Gauge, "judge_age_seconds")
        self.rows_judged = self._add(Counter, "rows_judged")
        self.rows_stale = self._add(Counter, "rows_stale")
        self.judge_failures = self._add(Counter, "judge_failures")
        self.judge_failing = self._add(Gauge, "judge_failing")
        self.disk_short = self._add(Gauge, "disk_short")
        self.refused_connections = self._add(Counter, "refused_connections")
        self.spans_exported = self._add(Counter, "spans_exported")
        self.spans_dropped = self._add(Counter, "spans_dropped")
        self.unmonitored_answers = self._add(Counter, "unmonitored_answers")
        self.control_age_seconds = self._add(Gauge, "control_age_seconds")
        self.topic_mismatch = self._add(Gauge, "topic_mismatch")
        self.permission_missing = self._add(Gauge, "permission_missing")
        self.log_resets = self._add(Counter, "log_resets")
        self.records_refused = self._add(Counter, "records_refused")
        self.records_accepted_unsigned = self._add(Counter, "records_accepted_unsigned")
        self.held_breach = self._add(Gauge, "held_breach")
        self.state_unreadable = self._add(Gauge, "state_unreadable")
        self.host_comparisons = self._add(Counter, "host_comparisons")
        self.uncounted_rows = self._add(Gauge, "uncounted_rows")
        self.repeated_share = self._add(Gauge, "repeated_share")
        self.runs_terminated = self._add(Counter, "runs_terminated")
        self.shadow_runs_terminated = self._add(Counter, "shadow_runs_terminated")
        self.model_hanging = self._add(Gauge, "model_hanging")
        self.shadow_model_hanging = self._add(Gauge, "shadow_model_hanging")
        self.kept_apart = self._add(Gauge, "kept_apart")
        self.record = RecordMetrics(self._add)
        self._add_cost_metrics()
        self._add_reliability_metrics()

    def _add_cost_metrics(self) -> None:
        self.answered_requests = self._add(Counter, "answered_requests")
        self.cpu_seconds = self._add(Counter, "cpu_seconds")
        self.other_model_cpu_seconds = self._add(Counter, "other_model_cpu_seconds")
        self.shadow_cpu_seconds = self._add(Counter, "shadow_cpu_seconds")
        self.cost_ledger_failures = self._add(Counter, "cost_ledger_failures")

    def _add(self, kind: type[T], name: str) -> T:
        metric = METRICS[name]
        more: dict[str, Any] = {"buckets": BUCKETS_BY_UNIT[metric.unit]} if metric.kind is MetricKind.HISTOGRAM else {}
        added = kind(METRIC_PREFIX + name, metric.help, tuple(metric.labels), registry=self.registry, **more)
        self._all[name] = added
        return added

    def initialize(self, component: Component, model: str, scopes: Sequence[str] = ()) -> None:
        """Create the counters and histograms of a component and a model at zero, so that rates exist from the first
        scrape on. ``scopes`` begins with the model's own scope. Gauges exist once they are set.
        """
        configured = {"model": (model,), "scope": scopes}
        self._configured_scopes[model] = self._configured_scopes.get(model, frozenset()) | {*scopes}
        for name, metric in METRICS.items():
            if metric.component is component and metric.labels and metric.kind is not MetricKind.GAUGE:
                for labels in metric.label_values(configured):
                    self._all[name].labels(**labels)

    def has_scope(self, model: str, scope: str) -> bool:
        """Whether a model has this scope, by its configuration or as a found group: a record that names another one
        makes no series.
        """
        known = self._configured_scopes.get(model, frozenset())
        return not known or scope in known or scope in self._added_scopes.get(model, ())

    def show_added(self, model: str, scopes: Collection[str]) -> None:
        """Let the found groups that are scopes of a model have series; the gauges of those that ended are removed."""
        gone = self._added_scopes.get(model, frozenset()) - {*scopes}
        self._added_scopes[model] = frozenset(scopes)
        gauges = [name for name, metric in METRICS.items() if metric.kind is MetricKind.GAUGE] if gone else []
        for name in (name for name in gauges if {"model", "scope"} <= {*METRICS[name].labels}):
            samples = [sample.labels for family in self._all[name].collect() for sample in family.samples]
            for labels in samples:
                if labels["model"] == model and labels["scope"] in gone:
                    self._all[name].remove(*(labels[label] for label in METRICS[name].labels))

    def record_refused_connection(self, reason: str) -> None:
        """Count a connection that was refused or ended, because it exceeded a limit."""
        self.refused_connections.labels(reason).inc()

    def record_payload_events(self, model: str, outcome: str, events: int = 1) -> None:
        """Count payload events by outcome."""
        self.payload_events.labels(model, outcome).inc(events)

    def record_dead(self, topic: str) -> None:
        """Count a record that could not be read."""
        self.dead_records.labels(topic).inc()

    def record_spans(self, exported: int) -> None:
        """Count spans that a collector took."""
        self.spans_exported.inc(exported)

    def record_spans_dropped(self, reason: str, spans: int) -> None:
        """Count spans that no collector gets."""
        self.spans_dropped.labels(reason).inc(spans)

    def total(self, name: str, **labels: str) -> int:
        """The current value of a counter, by its name without prefix and suffix; 0 if it does not exist."""
        return int(self.registry.get_sample_value(f"tightrope_{name}_total", labels) or 0)

    def counts(self, *names: str) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """The current values of counters by their names in the catalogue and their labels' values, with all that was
        deferred.
        """
        self.record_deferred()
        return {
            name: {
                tuple(sample.labels.values()): sample.value
                for family in self._all[name].collect()
                for sample in family.samples
                if sample.name.endswith("_total")
            }
            for name in names
        }

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All metrics as text in the format that the Accept header prefers, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type
