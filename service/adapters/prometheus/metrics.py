"""The metrics of `series.py` on a registry handed in: the one door to prometheus_client."""

from collections import Counter as Counts
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
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

from tightrope.monitors.plan import State
from tightrope.monitors.records import Event, Outcome, Routes, Verdict
from tightrope.monitors.safemode import Input
from tightrope.monitors.status import coverage
from tightrope.service.adapters.prometheus.catalogue import BUCKETS, CATALOGUE, DRIFT, PREFIX, Kind, Part
from tightrope.service.adapters.prometheus.histogram import ManyHistogram

MOST_PENDING = 2048
"""Observations that wait to be counted: counting one at a time takes longer than a small model."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, which nobody asks for

T = TypeVar("T", bound=Counter | Gauge | Histogram)
Item = TypeVar("Item")


def process_registry(registry: CollectorRegistry | None = None) -> CollectorRegistry:
    """A registry of its own, or this one, with what Prometheus users expect of any Python process."""
    registry = registry or CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


class _Settling:
    """A collector of nothing, asked before all others: it has what is pending counted."""

    def __init__(self, registry: CollectorRegistry, settle: Callable[[], None]) -> None:
        self.steps = [settle]
        registry.register(self)

    def collect(self) -> Iterable[Any]:
        """Count."""
        for step in self.steps:
            step()
        return ()

    describe = collect


class Metrics:
    """All of the catalogue. Label values are announced at start, so that rates exist from the first scrape on."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        self._answered: deque[tuple[str, str, float, str]] = deque()
        self._settling = _Settling(registry, self.settle)
        self.requests = self._make(Counter, "requests")
        self.seconds = self._make(ManyHistogram, "request_seconds")
        self.answering = self._make(ManyHistogram, "answer_seconds")
        self.rows = self._make(Counter, "rows")
        self.refusals = self._make(Counter, "refusals")
        self.failures = self._make(Counter, "model_failures")
        self.up = self._make(Gauge, "endpoint_up")
        self.samples = self._make(Counter, "samples")
        self.drops = self._make(Counter, "samples_dropped")
        self.payloads = self._make(Counter, "payload_events")
        self.compared = self._make(Counter, "comparisons")
        self.disagreed = self._make(Counter, "disagreements")
        self.faulty = self._make(Counter, "comparison_errors")
        self.dead = self._make(Counter, "dead_records")
        self.archived = self._make(Counter, "archived_rows")
        self.unarchived = self._make(Counter, "archive_skipped_rows")
        self.reports = self._make(Counter, "reports")
        self.lag = self._make(Gauge, "lag_records")
        self.rebalances = self._make(Counter, "rebalances")
        self.undelivered = self._make(Counter, "undelivered_records")
        self.waiting = self._make(Gauge, "bus_waiting_records")
        self.repeated = self._make(Counter, "comparisons_repeated")
        self.silence = self._make(Gauge, "control_age_seconds")
        self.batch = self._make(Histogram, "batch_rows")
        self.evidence = self._make(Gauge, "evidence")
        self.budget = self._make(Gauge, "evidence_budget")
        self.mean = self._make(Gauge, "monitor_mean")
        self.limit = self._make(Gauge, "monitor_limit")
        self.verdict = self._make(Gauge, "verdict")
        self.safe = self._make(Gauge, "safe_mode_active")
        self.state = self._make(Gauge, "scope_state")
        self.alerts_waiting = self._make(Gauge, "alerts_waiting")
        self.alert_posts = self._make(Counter, "alert_posts")
        self.drift = {name: self._make(Gauge, f"drift_{name}") for name in DRIFT}
        self.drift_time = self._make(Gauge, "drift_report_timestamp_seconds")
        self.transitions = self._make(Counter, "transitions")
        self.labels = self._make(Gauge, "labels")
        self.coverage = self._make(Gauge, "label_coverage")
        self.bearable = self._make(Gauge, "fallback_share")
        self.autocorrelation = self._make(Gauge, "disagreement_autocorrelation")

    def _make(self, kind: type[T], name: str) -> T:
        metric = CATALOGUE[name]
        more: dict[str, Any] = {"buckets": BUCKETS[metric.unit]} if metric.kind is Kind.HISTOGRAM else {}
        made = kind(PREFIX + name, metric.text, tuple(metric.labels), registry=self.registry, **more)
        self._made[name] = made
        return made

    def announce(self, part: Part, model: str, scopes: Sequence[str] = ()) -> None:
        """Make the counters that a part of the program keeps of a model exist at zero; ``scopes`` has the model's own
        first. Gauges exist once there is something to show.
        """
        known = {"model": (model,), "scope": scopes}
        for name, metric in CATALOGUE.items():
            if metric.part is part and metric.labels and metric.kind is not Kind.GAUGE:
                for labels in metric.label_values(known):
                    self._made[name].labels(**labels)

    def before(self, note: Callable[[], None]) -> None:
        """Have what somebody still has to note noted before anybody looks."""
        self._settling.steps.insert(0, note)

    def answered(self, model: str, outcome: str, seconds: float, request_id: str) -> None:
        """Count a request. Its id goes into an exemplar, which is no label, where it is of a form that can be shown."""
        self._answered.append((model, outcome, seconds, request_id))
        if len(self._answered) >= MOST_PENDING:
            self.settle()

    def ran(self, model: str, role: str, seconds: Iterable[float]) -> None:
        """Observe how long a model took for batches."""
        self.answering.labels(model, role).observe_many((one, "") for one in seconds)

    def served(
        self,
        rows: Mapping[tuple[str, str], int],
        refused: Mapping[tuple[str, str, str], int],
        kept: Mapping[str, int],
    ) -> None:
        """Count answered rows by model and role, refused ones by model, role and action, samples by model."""
        for model, count in kept.items():
            self.samples.labels(model).inc(count)
        for labels, count in rows.items():
            self.rows.labels(*labels).inc(count)
        for at, count in refused.items():
            self.refusals.labels(*at).inc(count)

    def settle(self) -> None:
        """Count what is pending: whoever looks at the registry has this done first."""
        outcomes = Counts[tuple[str, str]]()
        took: dict[str, list[tuple[float, str]]] = {}
        for model, outcome, seconds, request_id in taken(self._answered):
            outcomes[model, outcome] += 1
            took.setdefault(model, []).append((seconds, request_id))
        for labels, count in outcomes.items():
            self.requests.labels(*labels).inc(count)
        for model, observed in took.items():
            self.seconds.labels(model).observe_many(observed)

    def total(self, name: str, **labels: str) -> int:
        """The present value of a counter, 0 where there is none yet."""
        return int(self.registry.get_sample_value(f"tightrope_{name}_total", labels) or 0)

    def dropped(self, model: str, reason: str, samples: int = 1) -> None:
        """Count samples that could not be kept."""
        self.drops.labels(model, reason).inc(samples)

    def endpoint(self, model: str, role: str, *, up: bool | None) -> None:
        """Show whether a role that lives elsewhere is there; None where it is a file by now."""
        if up is not None:
            self.up.labels(model, role).set(up)
        else:
            with suppress(KeyError):  # it may never have been anything else
                self.up.remove(model, role)

    def compare(self, model: str, scopes: Sequence[str], compared: Any, disagreed: Any, faulty: Any) -> None:  # noqa: ANN401
        """Count a batch of comparisons; the three arrays have one entry a scope."""
        for scope, rows, others, errors in zip(scopes, compared, disagreed, faulty, strict=True):
            self.compared.labels(model, scope).inc(int(rows))
            self.disagreed.labels(model, scope).inc(int(others))
            self.faulty.labels(model, scope).inc(int(errors))

    def judge(self, model: str, verdicts: Iterable[Verdict]) -> None:
        """Show the verdicts."""
        said = list(verdicts)
        self.budget.labels(model).set(said[-1].threshold)  # sight and latency come first, and have their own
        for v in said:
            at = (model, v.scope, v.monitor)
            self.evidence.labels(*at).set(v.evidence)
            self.limit.labels(*at).set(v.limit)
            self.mean.labels(*at).set(float("nan") if v.recent is None else v.recent)
            for outcome in Outcome:
                self.verdict.labels(*at, outcome).set(outcome is v.outcome)

    def mind(self, part: Part, models: Collection[str]) -> None:
        """Show a part's gauges of these models only: of the others somebody else knows better."""
        for name, metric in CATALOGUE.items():
            if metric.part is part and metric.kind is Kind.GAUGE and "model" in metric.labels:
                shown = [sample.labels for family in self._made[name].collect() for sample in family.samples]
                for labels in shown:
                    if labels["model"] not in models:
                        self._made[name].remove(*(labels[label] for label in metric.labels))

    def decided(self, events: Iterable[Event]) -> None:
        """Count what the safe-mode table was given."""
        for event in events:
            if event.kind in set(Input):
                self.transitions.labels(event.model, event.scope, event.kind).inc()

    def learn(self, state: State, model: str) -> None:
        """Show what became of labels, and whether rows depend on each other."""
        for outcome, count in state.labels.items():
            self.labels.labels(model, outcome).set(count)
        if (known := coverage(state)) is not None:
            self.coverage.labels(model).set(known)
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
                    gauge.labels(model, scope, kind).set(float("nan") if value is None else value)

    def page(self, accept: str) -> tuple[bytes, str]:
        """The exposition, in the format that the scraper asks for, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


def taken(pending: deque[Item]) -> Iterator[Item]:
    """What waits; another thread may take some of it."""
    with suppress(IndexError):
        while True:
            yield pending.popleft()
