"""Methods that record observations in the metrics of `MetricSet`."""

from collections import Counter as Counts
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry

from tightrope.monitors.intake.hosts import bounded_host
from tightrope.monitors.plan import State
from tightrope.monitors.records import Event, Outcome, Routes
from tightrope.monitors.safemode import Input
from tightrope.monitors.status.progress import label_coverage
from tightrope.monitors.verdict import Verdict
from tightrope.service.adapters.prometheus.catalogue import METRICS
from tightrope.service.adapters.prometheus.metric import Component, MetricKind
from tightrope.service.adapters.prometheus.qualification_metrics import QualificationMetrics
from tightrope.service.adapters.prometheus.reliability_metrics import ReliabilityMetrics

MAX_PENDING_OBSERVATIONS = 2048
"""Requests that are counted together: one at a time takes longer than a small model."""

UNKNOWN_HOST = "unknown"
"""The host label of rows whose samples lack the class, as those of an older gateway."""

Queued = TypeVar("Queued")


class _BeforeScrape:
    """A collector without metrics, called before all others: it records deferred observations. ``counting`` are the
    steps that add to counters, ``showing`` those that set gauges alone.
    """

    def __init__(self, registry: CollectorRegistry, step: Callable[[], None]) -> None:
        self.counting = [step]
        self.showing = list[Callable[[], None]]()
        registry.register(self)

    def count(self) -> None:
        """Call the steps that add to counters."""
        for step in self.counting:
            step()

    def collect(self) -> Iterable[Any]:
        """Call all steps."""
        for step in self.showing:
            step()
        self.count()
        return ()

    describe = collect


class Metrics(ReliabilityMetrics, QualificationMetrics):
    """Implements all ports of `metrics_ports`, on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._host_classes: dict[str, dict[str, int]] = {}
        self._requests: deque[tuple[str, str, float, str]] = deque()
        self._before_scrape = _BeforeScrape(registry, self.flush_pending)
        super().__init__(registry)
        self.record_deferred = self._before_scrape.count

    def before_scrape(self, step: Callable[[], None], *, counts: bool = True) -> None:
        """Call ``step`` before every scrape, and before counters are read unless it ``counts`` nothing: then it sets
        gauges alone.
        """
        (self._before_scrape.counting if counts else self._before_scrape.showing).insert(0, step)

    def record_request(self, model: str, outcome: str, seconds: float, request_id: str) -> None:
        """Count a request; a valid id becomes the exemplar of its latency bucket."""
        self._requests.append((model, outcome, seconds, request_id))
        if len(self._requests) >= MAX_PENDING_OBSERVATIONS:
            self.flush_pending()

    def record_runs(self, model: str, role: str, seconds: Iterable[float]) -> None:
        """Observe the durations of a model's runs."""
        self.answer_seconds.labels(model, role).observe_many((one, "") for one in seconds)

    def record_counts(self, counts: Mapping[str, Mapping[tuple[str, ...], float]]) -> None:
        """Add to counters, by their names in the catalogue and their labels' values."""
        for name, by_labels in counts.items():
            for labels, count in by_labels.items():
                getattr(self, name).labels(*labels).inc(count)

    def flush_pending(self) -> None:
        """Count the pending requests; every scrape does so first."""
        pending = list(drain(self._requests))
        for labels, count in Counts([(model, outcome) for model, outcome, _, _ in pending]).items():
            self.requests.labels(*labels).inc(count)
        for model in {model for model, _, _, _ in pending}:
            observed = [(seconds, request_id) for name, _, seconds, request_id in pending if name == model]
            self.request_seconds.labels(model).observe_many(observed)

    def record_failure(self, model: str, role: str, reason: str) -> None:
        """Count a failed run of a model."""
        self.model_failures.labels(model, role, reason).inc()

    def record_unmonitored(self, model: str, role: str, fault: str) -> None:
        """Count an answer that is given although its decision output cannot be read."""
        self.unmonitored_answers.labels(model, role, fault).inc()

    def record_subgroup_rows(self, model: str, scopes: Sequence[str], rows: Iterable[int]) -> None:
        """Count answered rows by scope; ``rows`` has one entry a scope."""
        for scope, count in zip(scopes, rows, strict=True):
            self.subgroup_rows.labels(model, scope).inc(int(count))

    def record_dropped(self, model: str, reason: str, samples: int = 1) -> None:
        """Count samples that could not be used."""
        self.samples_dropped.labels(model, reason).inc(samples)

    def record_repeated(self, model: str, rows: int) -> None:
        """Count rows that were delivered again."""
        self.comparisons_repeated.labels(model).inc(rows)

    def record_stale(self, model: str, reason: str, rows: int) -> None:
        """Count rows that the judge's plan does not cover, by the reason."""
        self.rows_stale.labels(model, reason).inc(rows)

    def record_hosts(self, model: str, rows: Mapping[str, int]) -> None:
        """Count compared rows by the class of the host that ran the compressed model, of a bounded number."""
        for name, count in rows.items():
            known = self._host_classes.setdefault(model, {})
            host = bounded_host(name or UNKNOWN_HOST, known)
            known[host] = known.get(host, 0) + count
            self.host_comparisons.labels(model, host).inc(count)

    def observe_batch(self, rows: int) -> None:
        """Observe the rows of one batch of comparisons."""
        self.batch_rows.observe(rows)

    def set_lag(self, group: str, records: int) -> None:
        """Show how many records a group has not read yet."""
        self.lag_records.labels(group).set(records)

    def set_fallback_share(self, model: str, share: float) -> None:
        """Show the share of the fallback traffic that the baseline can carry."""
        self.fallback_share.labels(model).set(share)

    def set_kept_apart(self, model: str, *, apart: bool) -> None:
        """Show whether the requests to a model run apart because of what was seen in service."""
        self.kept_apart.labels(model).set(apart)

    def set_blind_scopes(self, model: str, scopes: Mapping[str, bool]) -> None:
        """Show for each subgroup whether the gateway answers it with the baseline because its rows are not judged."""
        for scope, blind in scopes.items():
            self.scope_blind.labels(model, scope).set(blind)

    def set_starved(self, model: str, scopes: Mapping[str, bool]) -> None:
        """Show for each scope whether the gateway answers it with the baseline because too few requests are kept."""
        for scope, starved in scopes.items():
            self.starved.labels(model, scope).set(starved)

    def set_lost(self, model: str, scopes: Mapping[str, bool]) -> None:
        """Show for each scope whether most of its kept rows do not reach the judge."""
        for scope, lost in scopes.items():
            self.lost.labels(model, scope).set(lost)

    def set_topic_mismatch(self, topic: str, *, mismatch: bool) -> None:
        """Show whether a topic is missing or has another number of partitions than the configuration."""
        self.topic_mismatch.labels(topic).set(mismatch)

    def set_permission_missing(self, resource: str, *, missing: bool) -> None:
        """Show whether this process lacks a permission on a topic or a group."""
        self.permission_missing.labels(resource).set(missing)

    def set_blind(self, model: str, *, blind: bool) -> None:
        """Show whether the baseline answers every request, because no row is judged."""
        self.blind.labels(model).set(blind)

    def set_judge_missing(self, model: str, causes: Mapping[str, bool]) -> None:
        """Show, by cause, whether the baseline answers every request because no judge of the plan is heard."""
        for cause, missing in causes.items():
            self.judge_missing.labels(model, cause).set(missing)

    def set_judge_age(self, model: str, seconds: float) -> None:
        """Show the time since the last heartbeat of a model's judge."""
        self.judge_age_seconds.labels(model).set(seconds)

    def record_judged(self, model: str, rows: int) -> None:
        """Count rows that were judged."""
        self.rows_judged.labels(model).inc(rows)

    def set_control_age(self, seconds: float) -> None:
        """Show the time since the last message of the judges."""
        self.control_age_seconds.set(seconds)

    def set_endpoint_up(self, model: str, role: str, *, up: bool | None) -> None:
        """Show whether a remote model is ready; None removes the metric, for a role that is a file now."""
        if up is not None:
            self.endpoint_up.labels(model, role).set(up)
        else:
            with suppress(KeyError):  # the role may always have been a file
                self.endpoint_up.remove(model, role)

    def set_hanging(self, gauge: str, model: str, role: str, *, hanging: bool) -> None:
        """Show whether a model gets no requests, or no samples, because it hangs."""
        getattr(self, gauge).labels(model, role).set(hanging)

    def record_comparisons(
        self,
        model: str,
        scopes: Sequence[str],
        compared: Any,  # noqa: ANN401 - an array
        disagreed: Any,  # noqa: ANN401 - an array
        faulty: Any,  # noqa: ANN401 - an array
    ) -> None:
        """Count a batch of comparisons; the three arrays have shape (scopes,)."""
        for scope, rows, disagreements, errors in zip(scopes, compared, disagreed, faulty, strict=True):
            if not self.has_scope(model, scope):
                continue
            self.comparisons.labels(model, scope).inc(int(rows))
            self.disagreements.labels(model, scope).inc(float(disagreements))
            self.comparison_errors.labels(model, scope).inc(int(errors))

    def set_verdicts(self, model: str, verdicts: Iterable[Verdict]) -> None:
        """Show the verdicts of all monitors."""
        shown = list(verdicts)
        self.evidence_budget.labels(model).set(shown[-1].threshold)  # sight and latency come first, with their own
        for v in shown:
            labels = (model, v.scope, v.monitor)
            self.evidence.labels(*labels).set(v.evidence)
            self.monitor_limit.labels(*labels).set(v.limit)
            mean, lower, upper = (v.now.mean, v.now.lower, v.now.upper) if v.now else (v.recent, None, None)
            gauges = self.monitor_mean, self.monitor_lower, self.monitor_upper
            for gauge, value in zip(gauges, (mean, lower, upper), strict=True):
                gauge.labels(*labels).set(float("nan") if value is None else value)
            for outcome in Outcome:
                self.verdict.labels(*labels, outcome).set(outcome is v.outcome)

    def keep_judged_models(self, models: Collection[str]) -> None:
        """Remove the judge's gauges of all other models: another judge shows them."""
        for name, metric in METRICS.items():
            if metric.component is Component.JUDGE and metric.kind is MetricKind.GAUGE and "model" in metric.labels:
                samples = [sample.labels for family in self._all[name].collect() for sample in family.samples]
                for labels in samples:
                    if labels["model"] not in models:
                        self._all[name].remove(*(labels[label] for label in metric.labels))

    def record_log_reset(self, topic: str, reason: str) -> None:
        """Count a log that was made anew, ends before a stored position, or was lost."""
        self.log_resets.labels(topic, reason).inc()

    def record_transitions(self, events: Iterable[Event]) -> None:
        """Count the events that are inputs to the safe-mode table."""
        for event in events:
            if event.kind in set(Input) and self.has_scope(event.model, event.scope):
                self.transitions.labels(event.model, event.scope, event.kind).inc()

    def set_held_breaches(self, model: str, breached: Mapping[str, bool]) -> None:
        """Show, by scope, whether it breached while an operator held it in normal mode."""
        for scope, value in breached.items():
            self.held_breach.labels(model, scope).set(value)

    def set_state_unreadable(self, model: str, *, unread: bool) -> None:
        """Show whether a scope is in safe mode because the earlier state could not be read."""
        self.state_unreadable.labels(model).set(unread)

    def set_label_figures(self, state: State, model: str) -> None:
        """Show the outcomes and the coverage of labels, the dependence of rows, found groups, and repeats."""
        for outcome, count in state.labels.items():
            self.labels.labels(model, outcome).set(count)
        if (coverage := label_coverage(state)) is not None:
            self.label_coverage.labels(model).set(coverage)
        self.disagreement_autocorrelation.labels(model).set(state.lag.correlation or 0.0)
        self.rows_dependent.labels(model).set(state.dependence.warned)
        self.found_groups.labels(model).set(len(state.search.findings))
        memory = state.repeats
        for reason, rows in memory.uncounted.items():
            self.uncounted_rows.labels(model, reason).set(rows)
        shares = {"requests": memory.repeated_share, "inputs": memory.input_share, "one_id": memory.id_share}
        for kind, share in shares.items():
            self.repeated_share.labels(model, kind).set(share)

    def set_routes(self, routes: Routes, states: Iterable[str]) -> None:
        """Show the scopes in safe mode, and which of all ``states`` each scope is in."""
        names = tuple(states)
        self.show_added(routes.model, [added.scope for added in routes.added])
        self.asked_classes.labels(routes.model).set(len(routes.asked))
        for scope, state in routes.states.items():
            if not self.has_scope(routes.model, scope):
                continue
            self.safe_mode_ordered.labels(routes.model, scope).set(scope in routes.ordered)  # first: it prevents a page
            self.safe_mode_active.labels(routes.model, scope).set(scope in routes.safe)
            for name in names:
                self.scope_state.labels(routes.model, scope, name).set(name == state)

    def set_drift_report(
        self, model: str, time: float, scopes: Mapping[str, Mapping[str, Mapping[str, float | None]]]
    ) -> None:
        """Show the figures of a drift report made at ``time``, by scope, figure and kind; None becomes NaN."""
        self.drift_report_timestamp_seconds.labels(model).set(time)
        for scope, figures in scopes.items():
            for name, gauge in self.drift.items():
                for kind, value in figures.get(name, {}).items():
                    gauge.labels(model, scope, kind).set(float("nan") if value is None else value)


def drain(pending: deque[Queued]) -> Iterator[Queued]:
    """Take all items; other threads may take some of them at the same time."""
    with suppress(IndexError):
        while True:
            yield pending.popleft()
