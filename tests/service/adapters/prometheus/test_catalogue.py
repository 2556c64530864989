"""The catalogue describes every metric, and bounds the number of series."""

import pytest
from prometheus_client import CollectorRegistry

from tightrope.monitors.intake.hosts import MAX_HOST_CLASSES
from tightrope.service.adapters.prometheus.catalogue import METRICS, max_series
from tightrope.service.adapters.prometheus.metric import LATENCY_BUCKETS, Component, MetricKind
from tightrope.service.adapters.prometheus.metrics import Metrics

UNITS = {
    "seconds",
    "requests",
    "rows",
    "records",
    "runs",
    "inputs",
    "labels",
    "groups",
    "0 or 1",
    "log10",
    "ratio",
    "nats",
}
UNITS |= {"alerts", "groups", "connections", "events", "times", "probability", "the monitor's", "seconds since 1970"}
UNITS |= {"unit of the output", "bytes", "incidents", "spans", "places", "classes"}

INFOS = {"model_info", "qualification_info"}
"""Gauges that are 1 for one value of their labels."""


@pytest.mark.parametrize("name", METRICS)
def test_entry_follows_the_conventions(name: str) -> None:
    """Units are base units, at most one in a name; the client adds a counter's `_total`; help texts are sentences."""
    metric = METRICS[name]
    assert metric.unit in UNITS
    assert metric.help.endswith(".")
    assert not name.endswith(("_total", "_ms", "_us", "_count", "_sum", "_bucket"))
    assert name.endswith("_info") == (name in INFOS)
    assert name.endswith("_seconds") == (metric.unit.startswith("seconds"))
    assert metric.full_name(name) == f"tightrope_{name}" + "_total" * (metric.kind is MetricKind.COUNTER)
    if "scope" in metric.labels or "monitor" in metric.labels:
        assert "model" in metric.labels


def test_every_metric_matches_the_table() -> None:
    """Name, type, labels and help match the exposition, which has no other metrics."""
    families = {family.name: family for family in Metrics(CollectorRegistry()).registry.collect()}
    assert set(families) == {f"tightrope_{name}" for name in METRICS}
    for name, metric in METRICS.items():
        family = families[f"tightrope_{name}"]
        assert (family.type, family.documentation) == (metric.kind, metric.help)


def test_bound_equals_the_series_of_an_initialized_model() -> None:
    """The counters of all components with all labels are as many as the bound."""
    metrics = Metrics(CollectorRegistry())
    for component in Component:
        metrics.initialize(component, "m", ("model", "a=b", "a=c"))
    series = [sample for family in metrics.registry.collect() for sample in family.samples if "model" in sample.labels]
    gauges = [m for m in METRICS.values() if m.kind is MetricKind.GAUGE and "model" in m.labels]
    sizes = {"model": 1, "scope": 3, "monitor": 4, "host": MAX_HOST_CLASSES + 1, "owner": 1}
    later = [*gauges, *(m for m in METRICS.values() if "host" in m.labels)]  # set once they are known
    assert len(series) == max_series(3, 4) - sum(metric.max_series(sizes) for metric in later)
    assert METRICS["request_seconds"].max_series(sizes) == len(LATENCY_BUCKETS) + 3
