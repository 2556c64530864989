"""Metrics have bounded labels, base units, a counter beside every rate, and two formats."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from tests.support.judgement.comparisons import plan
from tightrope.monitors.plan import start
from tightrope.monitors.records import Outcome, Routes, Verdict
from tightrope.monitors.safemode import State
from tightrope.service.adapters.prometheus.catalogue import DROPPED, Part
from tightrope.service.adapters.prometheus.metrics import MOST_PENDING, Metrics, process_registry

LABELS = {
    *("model", "role", "scope", "monitor", "outcome", "reason", "action"),
    *("topic", "reader", "state", "input", "kind", "le"),
}


@pytest.fixture
def metrics() -> Metrics:
    """The catalogue on a registry of its own."""
    return Metrics(CollectorRegistry())


def verdict(outcome: Outcome, scope: str = "model", recent: float | None = 0.5) -> Verdict:
    """What a monitor says."""
    return Verdict(
        scope=scope,
        monitor="disagreement",
        outcome=outcome,
        count=10,
        needed=5.0,
        mean=0.25,
        recent=recent,
        limit=0.02,
        evidence=-np.inf,
        threshold=8.5,
        recovery=None,
        recovery_threshold=5.0,
        errors=0,
    )


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """A sample's value."""
    return metrics.registry.get_sample_value(name, labels)


def used(metrics: Metrics) -> Metrics:
    """Metrics with a series of everything."""
    metrics.announce(Part.GATEWAY, "m", ("model", "a=b"))
    metrics.seconds.labels("m").observe(0.003)
    metrics.refusals.labels("m", "compressed", "flag").inc()
    metrics.failures.labels("m", "compressed", "run_failed").inc()
    metrics.compare("m", ("model", "a=b"), np.array([5, 2]), np.array([1, 0]), np.array([0, 1]))
    metrics.dead.labels("t").inc()
    metrics.lag.labels("workers").set(3)
    metrics.judge("m", [verdict(Outcome.PASS), verdict(Outcome.BREACH, "a=b", None)])
    metrics.transitions.labels("m", "a=b", "breach").inc()
    metrics.route(Routes("m", 1, ("a=b",), {"model": "normal", "a=b": "latched"}), State)
    return metrics


def test_names_and_labels_keep_to_the_rules(metrics: Metrics) -> None:
    """One prefix, no unit but seconds, and no label that a caller could fill."""
    families = list(used(metrics).registry.collect())
    assert len(families) >= 17
    for family in families:
        assert family.name.startswith("tightrope_")
        assert family.documentation
        assert not family.name.endswith(("_ms", "_us", "_total"))
        for sample in family.samples:
            assert set(sample.labels) <= LABELS


def test_both_formats_hold_the_same_series(metrics: Metrics) -> None:
    """Which one, the scraper's Accept header decides."""
    text, plain = used(metrics).page("")
    openmetrics, other = metrics.page("application/openmetrics-text; version=1.0.0")
    assert plain.startswith("text/plain; version=")
    assert other.startswith("application/openmetrics-text; version=1.0.0")
    series = {s.name for family in parse_prometheus(text.decode()) for s in family.samples}
    same = {s.name for family in parse_openmetrics(openmetrics.decode()) for s in family.samples}
    assert series == same
    assert openmetrics.endswith(b"# EOF\n")


def test_announced_model_has_its_series_at_zero(metrics: Metrics) -> None:
    """So that a rate exists before the first request, and its first error is an increase."""
    metrics.announce(Part.GATEWAY, "m", ("model", "a=b"))
    for outcome in ("ok", "caller_error", "server_error"):
        assert value(metrics, "tightrope_requests_total", model="m", outcome=outcome) == 0
    for role in ("baseline", "compressed"):
        assert value(metrics, "tightrope_rows_total", model="m", role=role) == 0
    for reason in DROPPED:
        assert value(metrics, "tightrope_samples_dropped_total", model="m", reason=reason) == 0
    assert value(metrics, "tightrope_samples_total", model="m") == 0


def test_total_reads_a_counter(metrics: Metrics) -> None:
    """Zero where there is none yet."""
    assert metrics.total("samples", model="m") == 0
    metrics.samples.labels("m").inc(3)
    assert metrics.total("samples", model="m") == 3
    metrics.dropped("m", "buffer_full")
    assert metrics.total("samples_dropped", model="m", reason="buffer_full") == 1


def test_comparisons_add_up_by_scope(metrics: Metrics) -> None:
    """Rows, disagreements and errors, batch after batch."""
    for _ in range(2):
        metrics.compare("m", ("model", "a=b"), np.array([5, 2]), np.array([1, 0]), np.array([0, 2]))
    counted = [
        value(metrics, f"tightrope_{name}_total", model="m", scope=scope)
        for name in ("comparisons", "disagreements", "comparison_errors")
        for scope in ("model", "a=b")
    ]
    assert counted == [10, 4, 2, 0, 0, 4]


def test_verdict_is_one_outcome_at_a_time(metrics: Metrics) -> None:
    """The one that is given now; the mean of nothing is no number."""
    at = {"model": "m", "scope": "model", "monitor": "disagreement"}
    for outcome in (Outcome.INSUFFICIENT, Outcome.BREACH):
        metrics.judge("m", [verdict(outcome, recent=None)])
        shown = {one: value(metrics, "tightrope_verdict", **at, outcome=one) for one in Outcome}
        assert shown == {one: float(one is outcome) for one in Outcome}
    assert value(metrics, "tightrope_evidence", **at) == -np.inf
    assert value(metrics, "tightrope_evidence_budget", model="m") == 8.5
    assert value(metrics, "tightrope_monitor_limit", **at) == 0.02
    assert np.isnan(value(metrics, "tightrope_monitor_mean", **at) or 0.0)
    metrics.judge("m", [verdict(Outcome.PASS, recent=0.25)])
    assert value(metrics, "tightrope_monitor_mean", **at) == 0.25


def test_scope_is_in_one_state_at_a_time(metrics: Metrics) -> None:
    """And says whether the baseline answers it, which an advisory model's does not."""
    for state, safe in (("safe", True), ("latched", True), ("normal", False), ("safe", False)):
        metrics.route(Routes("m", 1, ("a=b",) if safe else (), {"a=b": state}), State)
        shown = {s: value(metrics, "tightrope_scope_state", model="m", scope="a=b", state=s) for s in State}
        assert shown == {s: float(s == state) for s in State}
        assert value(metrics, "tightrope_safe_mode_active", model="m", scope="a=b") == float(safe)


def test_label_coverage_is_shown_once_it_is_known(metrics: Metrics) -> None:
    """No series stands for a share of nothing."""
    fresh = start(plan())
    metrics.learn(fresh, "m")
    assert value(metrics, "tightrope_label_coverage", model="m") is None
    metrics.learn(replace(fresh, labels={"joined": 3, "expired": 1, "unknown": 2}), "m")
    assert value(metrics, "tightrope_label_coverage", model="m") == 0.75
    assert value(metrics, "tightrope_labels", model="m", outcome="unknown") == 2


def test_gauges_of_models_that_others_judge_are_gone(metrics: Metrics) -> None:
    """Of that part of the program, and of those models; counters stay: they add up over replicas."""
    for model in ("m", "n"):
        metrics.judge(model, [verdict(Outcome.PASS), verdict(Outcome.BREACH, "a=b")])
        metrics.learn(start(plan()), model)
        metrics.route(Routes(model, 1, (), {"model": "normal"}), State)
        metrics.transitions.labels(model, "model", "breach").inc()
    metrics.mind(Part.JUDGE, ["n"])
    families = list(metrics.registry.collect())
    left = {family.name for family in families for sample in family.samples if sample.labels.get("model") == "m"}
    assert left == {"tightrope_scope_state", "tightrope_safe_mode_active", "tightrope_transitions"}
    assert value(metrics, "tightrope_evidence", model="n", scope="a=b", monitor="disagreement") == -np.inf


def test_two_catalogues_do_not_collide() -> None:
    """Each is on the registry that it was handed."""
    one, two = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    one.samples.labels("m").inc()
    assert (one.total("samples", model="m"), two.total("samples", model="m")) == (1, 0)


def test_process_registry_has_what_any_python_process_shows() -> None:
    """Memory, the interpreter, its garbage collector."""
    names = {family.name for family in process_registry().collect()}
    assert {"process_resident_memory_bytes", "python_info", "python_gc_collections"} <= names


def test_nothing_waits_to_be_counted_without_bound(metrics: Metrics) -> None:
    """Nobody may ever look."""
    for _ in range(3 * MOST_PENDING):
        metrics.answered("m", "ok", 0.1, "")
        assert len(metrics._answered) <= MOST_PENDING
    assert metrics.total("requests", model="m", outcome="ok") == 3 * MOST_PENDING


def test_two_who_look_at_once_count_once(metrics: Metrics) -> None:
    """A scrape while another one lasts, and requests that go on."""
    with ThreadPoolExecutor(4) as pool:
        for _ in range(2000):
            pool.submit(metrics.answered, "m", "ok", 0.1, "")
            pool.submit(metrics.settle)
    assert metrics.total("requests", model="m", outcome="ok") == 2000
