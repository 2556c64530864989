"""Metrics have bounded labels, base units, a counter beside every rate, and two formats."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from tests.support.judgement.comparisons import make_plan
from tightrope.monitors.dependence.warning import Dependence
from tightrope.monitors.hunter.findings import FoundGroup
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Outcome, Routes
from tightrope.monitors.safemode import ModeState
from tightrope.monitors.verdict import Interval, Verdict
from tightrope.service.adapters.prometheus.metric import Component
from tightrope.service.adapters.prometheus.metrics import MAX_PENDING_OBSERVATIONS, Metrics

LABELS = {
    "host",
    "of",
    *("model", "role", "scope", "monitor", "outcome", "reason", "action"),
    *("topic", "reader", "state", "input", "kind", "le", "host", "of", "fault", "part"),
}


@pytest.fixture
def metrics() -> Metrics:
    """All metrics in a new registry."""
    return Metrics(CollectorRegistry())


def verdict(outcome: Outcome, scope: str = "model", recent: float | None = 0.5) -> Verdict:
    """A verdict of a monitor."""
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
    """The value of a series."""
    return metrics.registry.get_sample_value(name, labels)


def used(metrics: Metrics) -> Metrics:
    """Metrics with at least one series each."""
    metrics.initialize(Component.GATEWAY, "m", ("model", "a=b"))
    metrics.request_seconds.labels("m").observe(0.003)
    metrics.refusals.labels("m", "compressed", "flag").inc()
    metrics.model_failures.labels("m", "compressed", "run_failed").inc()
    metrics.record_comparisons("m", ("model", "a=b"), np.array([5, 2]), np.array([1, 0]), np.array([0, 1]))
    metrics.dead_records.labels("t").inc()
    metrics.lag_records.labels("workers").set(3)
    metrics.set_verdicts("m", [verdict(Outcome.PASS), verdict(Outcome.BREACH, "a=b", None)])
    metrics.transitions.labels("m", "a=b", "breach").inc()
    metrics.set_routes(Routes("m", 1, ("a=b",), {"model": "normal", "a=b": "latched"}), ModeState)
    return metrics


def test_interval_is_shown_with_its_mean(metrics: Metrics) -> None:
    """Both ends are NaN for a verdict without one, whose mean is that of the latest rows."""
    shown = replace(verdict(Outcome.WATCH), now=Interval(mean=0.24, lower=0.15, upper=0.35, rows=200))
    metrics.set_verdicts("m", [shown, verdict(Outcome.PASS, "a=b", 0.5)])
    names = ("tightrope_monitor_mean", "tightrope_monitor_lower", "tightrope_monitor_upper")
    of_model, of_subgroup = (
        [value(metrics, name, model="m", scope=scope, monitor="disagreement") for name in names]
        for scope in ("model", "a=b")
    )
    assert of_model == [0.24, 0.15, 0.35]
    assert np.array_equal(of_subgroup, [0.5, np.nan, np.nan], equal_nan=True)


def test_names_and_labels_follow_the_rules(metrics: Metrics) -> None:
    """There is one prefix, seconds is the only unit of time, and callers control no label."""
    families = list(used(metrics).registry.collect())
    assert len(families) >= 17
    for family in families:
        assert family.name.startswith("tightrope_")
        assert family.documentation
        assert not family.name.endswith(("_ms", "_us", "_total"))
        for sample in family.samples:
            assert set(sample.labels) <= LABELS


def test_comparisons_add_up_by_scope(metrics: Metrics) -> None:
    """Rows, disagreements and errors, batch after batch."""
    for _ in range(2):
        metrics.record_comparisons("m", ("model", "a=b"), np.array([5, 2]), np.array([1, 0]), np.array([0, 2]))
    counted = [
        value(metrics, f"tightrope_{name}_total", model="m", scope=scope)
        for name in ("comparisons", "disagreements", "comparison_errors")
        for scope in ("model", "a=b")
    ]
    assert counted == [10, 4, 2, 0, 0, 4]


def test_verdict_is_one_outcome_at_a_time(metrics: Metrics) -> None:
    """Only the current outcome is 1; the mean of no rows is NaN."""
    labels = {"model": "m", "scope": "model", "monitor": "disagreement"}
    for outcome in (Outcome.INSUFFICIENT, Outcome.BREACH):
        metrics.set_verdicts("m", [verdict(outcome, recent=None)])
        shown = {one: value(metrics, "tightrope_verdict", **labels, outcome=one) for one in Outcome}
        assert shown == {one: float(one is outcome) for one in Outcome}
    assert value(metrics, "tightrope_evidence", **labels) == -np.inf
    assert value(metrics, "tightrope_evidence_budget", model="m") == 8.5
    assert value(metrics, "tightrope_monitor_limit", **labels) == 0.02
    assert np.isnan(value(metrics, "tightrope_monitor_mean", **labels) or 0.0)
    metrics.set_verdicts("m", [verdict(Outcome.PASS, recent=0.25)])
    assert value(metrics, "tightrope_monitor_mean", **labels) == 0.25


def test_scope_is_in_one_state_at_a_time(metrics: Metrics) -> None:
    """Safe mode is shown apart: an advisory model's scope may be safe without the baseline answering."""
    for state, safe in (("safe", True), ("latched", True), ("normal", False), ("safe", False)):
        metrics.set_routes(Routes("m", 1, ("a=b",) if safe else (), {"a=b": state}), ModeState)
        shown = {s: value(metrics, "tightrope_scope_state", model="m", scope="a=b", state=s) for s in ModeState}
        assert shown == {s: float(s == state) for s in ModeState}
        assert value(metrics, "tightrope_safe_mode_active", model="m", scope="a=b") == float(safe)


def test_ordered_scope_is_shown_as_such(metrics: Metrics) -> None:
    """Beside its safe mode, for as long as an operator's order is all that keeps it there."""
    for ordered in (("a=b",), ()):
        metrics.set_routes(Routes("m", 1, ("a=b",), {"a=b": "safe"}, ordered=ordered), ModeState)
        shown = [value(metrics, f"tightrope_safe_mode_{of}", model="m", scope="a=b") for of in ("active", "ordered")]
        assert shown == [1.0, float(bool(ordered))]


def test_label_coverage_is_shown_once_it_is_known(metrics: Metrics) -> None:
    """Without labels there is no series."""
    fresh = initial_state(make_plan())
    metrics.set_label_figures(fresh, "m")
    assert value(metrics, "tightrope_label_coverage", model="m") is None
    metrics.set_label_figures(replace(fresh, labels={"joined": 3, "expired": 1, "unknown": 2}), "m")
    assert value(metrics, "tightrope_label_coverage", model="m") == 0.75
    assert value(metrics, "tightrope_labels", model="m", outcome="unknown") == 2


def test_warning_of_dependent_rows_is_shown(metrics: Metrics) -> None:
    """The alert follows it."""
    fresh = initial_state(make_plan())
    for warned in (True, False):
        metrics.set_label_figures(replace(fresh, dependence=Dependence(warned=warned)), "m")
        assert value(metrics, "tightrope_rows_dependent", model="m") == float(warned)


def test_number_of_found_groups_is_shown(metrics: Metrics) -> None:
    """One series a model, however many groups there are."""
    fresh = initial_state(make_plan())
    found = FoundGroup(1, ((0, 1.0, 1.0),), 0.1, 384, 0.0, 60, 0.0, 20.0, 28.0, 18.0)
    for findings in ((), (found, replace(found, number=2))):
        metrics.set_label_figures(replace(fresh, search=replace(fresh.search, findings=findings)), "m")
        assert value(metrics, "tightrope_found_groups", model="m") == len(findings)


def test_gauges_of_models_of_other_judges_are_removed(metrics: Metrics) -> None:
    """Only gauges of the judge go; counters stay, because they add up over replicas."""
    for model in ("m", "n"):
        metrics.set_verdicts(model, [verdict(Outcome.PASS), verdict(Outcome.BREACH, "a=b")])
        metrics.set_label_figures(initial_state(make_plan()), model)
        metrics.set_routes(Routes(model, 1, (), {"model": "normal"}), ModeState)
        metrics.transitions.labels(model, "model", "breach").inc()
    metrics.keep_judged_models(["n"])
    families = list(metrics.registry.collect())
    left = {family.name for family in families for sample in family.samples if sample.labels.get("model") == "m"}
    modes = {f"tightrope_safe_mode_{name}" for name in ("active", "ordered")}
    assert left == {"tightrope_scope_state", "tightrope_transitions", "tightrope_asked_classes"} | modes
    assert value(metrics, "tightrope_evidence", model="n", scope="a=b", monitor="disagreement") == -np.inf


def test_pending_requests_are_bounded(metrics: Metrics) -> None:
    """The queue is bounded even without a scrape."""
    for _ in range(3 * MAX_PENDING_OBSERVATIONS):
        metrics.record_request("m", "ok", 0.1, "")
        assert len(metrics._requests) <= MAX_PENDING_OBSERVATIONS
    assert metrics.total("requests", model="m", outcome="ok") == 3 * MAX_PENDING_OBSERVATIONS


def test_parallel_scrapes_count_once(metrics: Metrics) -> None:
    """Parallel scrapes and requests count every request once."""
    with ThreadPoolExecutor(4) as pool:
        for _ in range(2000):
            pool.submit(metrics.record_request, "m", "ok", 0.1, "")
            pool.submit(metrics.flush_pending)
    assert metrics.total("requests", model="m", outcome="ok") == 2000


def test_single_observations_are_counted(metrics: Metrics) -> None:
    """Each method records in the metric of its name, with the labels in order."""
    metrics.record_dropped("m", "buffer_full", 2)
    metrics.record_dead("t")
    metrics.record_failure("m", "baseline", "run_failed")
    metrics.record_repeated("m", 3)
    metrics.record_payload_events("m", "joined")
    metrics.set_lag("workers", 4)
    metrics.set_fallback_share("m", 0.5)
    metrics.set_control_age(1.5)
    metrics.observe_batch(8)
    assert metrics.total("samples_dropped", model="m", reason="buffer_full") == 2
    assert metrics.total("dead_records", topic="t") == 1
    assert metrics.total("model_failures", model="m", role="baseline", reason="run_failed") == 1
    assert metrics.total("comparisons_repeated", model="m") == 3
    assert metrics.total("payload_events", model="m", outcome="joined") == 1
    assert value(metrics, "tightrope_lag_records", reader="workers") == 4
    assert value(metrics, "tightrope_fallback_share", model="m") == 0.5
    assert value(metrics, "tightrope_control_age_seconds") == 1.5
    assert value(metrics, "tightrope_batch_rows_sum") == 8


def test_breach_of_a_held_scope_is_shown(metrics: Metrics) -> None:
    """One for each scope, zero again after the next order."""
    for breached in (True, False):
        metrics.set_held_breaches("m", {"a=b": breached})
        assert metrics.registry.get_sample_value("tightrope_held_breach", {"model": "m", "scope": "a=b"}) == breached


def test_counters_are_read_without_the_steps_that_set_gauges(metrics: Metrics) -> None:
    """A scrape calls all steps; the gauges of many scopes cost more than all that is counted."""
    called = list[str]()
    metrics.before_scrape(lambda: called.append("counts"))
    metrics.before_scrape(lambda: called.append("shows"), counts=False)
    metrics.counts("requests")
    assert called == ["counts"]
    metrics.exposition("")
    assert sorted(called[1:]) == ["counts", "shows"]
