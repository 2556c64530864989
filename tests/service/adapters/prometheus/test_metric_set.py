"""One attribute for each metric of the catalogue, on a registry of its own."""

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from tightrope.service.adapters.prometheus.catalogue import DROP_REASONS, METRICS
from tightrope.service.adapters.prometheus.metric import Component
from tightrope.service.adapters.prometheus.metric_set import MetricSet, process_registry


@pytest.fixture
def metrics() -> MetricSet:
    """All metrics in a new registry."""
    return MetricSet(CollectorRegistry())


def test_attributes_have_the_names_of_the_catalogue(metrics: MetricSet) -> None:
    """The figures of a drift report are in a map, the metrics of the record and of the trail in a group."""
    attributes = {name for name in METRICS if hasattr(metrics, name) or hasattr(metrics.record, name)}
    assert attributes | {f"drift_{name}" for name in metrics.drift} == set(METRICS)


def test_initialized_model_has_its_series_at_zero(metrics: MetricSet) -> None:
    """A rate exists before the first request, and the first error is an increase."""
    metrics.initialize(Component.GATEWAY, "m", ("model", "a=b"))
    value = metrics.registry.get_sample_value
    for outcome in ("ok", "caller_error", "server_error"):
        assert value("tightrope_requests_total", {"model": "m", "outcome": outcome}) == 0
    for role in ("baseline", "compressed"):
        assert value("tightrope_rows_total", {"model": "m", "role": role}) == 0
    for reason in DROP_REASONS:
        assert value("tightrope_samples_dropped_total", {"model": "m", "reason": reason}) == 0
    assert value("tightrope_samples_total", {"model": "m"}) == 0


def test_total_reads_a_counter(metrics: MetricSet) -> None:
    """A missing counter is zero."""
    assert metrics.total("samples", model="m") == 0
    metrics.samples.labels("m").inc(3)
    assert metrics.total("samples", model="m") == 3


def test_both_formats_hold_the_same_series(metrics: MetricSet) -> None:
    """The Accept header selects the format."""
    metrics.initialize(Component.GATEWAY, "m", ("model", "a=b"))
    metrics.request_seconds.labels("m").observe(0.003)
    text, plain = metrics.exposition("")
    openmetrics, other = metrics.exposition("application/openmetrics-text; version=1.0.0")
    assert plain.startswith("text/plain; version=")
    assert other.startswith("application/openmetrics-text; version=1.0.0")
    series = {s.name for family in parse_prometheus(text.decode()) for s in family.samples}
    same = {s.name for family in parse_openmetrics(openmetrics.decode()) for s in family.samples}
    assert series == same
    assert openmetrics.endswith(b"# EOF\n")


def test_two_sets_do_not_collide() -> None:
    """Each uses its own registry."""
    one, two = MetricSet(CollectorRegistry()), MetricSet(CollectorRegistry())
    one.samples.labels("m").inc()
    assert (one.total("samples", model="m"), two.total("samples", model="m")) == (1, 0)


def test_process_registry_has_the_usual_process_metrics() -> None:
    """Memory, interpreter and garbage collector are shown."""
    names = {family.name for family in process_registry().collect()}
    assert {"process_resident_memory_bytes", "python_info", "python_gc_collections"} <= names


def test_found_groups_have_series_until_they_end(metrics: MetricSet) -> None:
    """Other names of a record still make none; the series of other scopes and models stay."""
    metrics.initialize(Component.GATEWAY, "m", ("model", "sex=f"))
    metrics.show_added("m", ["home=gq"])
    assert [metrics.has_scope("m", scope) for scope in ("sex=f", "home=gq", "made=up")] == [True, True, False]
    for model, scope in (("m", "sex=f"), ("m", "home=gq"), ("n", "home=gq")):
        metrics.scope_state.labels(model, scope, "safe").set(1)
        metrics.evidence.labels(model, scope, "disagreement").set(2.0)
    metrics.show_added("m", [])
    assert not metrics.has_scope("m", "home=gq")
    for gauge in (metrics.scope_state, metrics.evidence):
        left = {(sample.labels["model"], sample.labels["scope"]) for sample in gauge.collect()[0].samples}
        assert left == {("m", "sex=f"), ("n", "home=gq")}
