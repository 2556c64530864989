"""The catalogue says of every metric what it is, and bounds how many series there can be."""

import pytest
from prometheus_client import CollectorRegistry

from tightrope.service.adapters.prometheus.catalogue import CATALOGUE, SECONDS, Kind, Part, most_series
from tightrope.service.adapters.prometheus.metrics import Metrics

UNITS = {"seconds", "requests", "rows", "records", "runs", "inputs", "labels", "0 or 1", "log10", "ratio", "nats"}
UNITS |= {"alerts", "events", "times", "probability", "the monitor's", "seconds since 1970"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_entry_keeps_to_the_conventions(name: str) -> None:
    """Base units, one of them a name; a counter's `_total` comes from the client; every text is a sentence."""
    metric = CATALOGUE[name]
    assert metric.unit in UNITS
    assert metric.text.endswith(".")
    assert not name.endswith(("_total", "_ms", "_us", "_count", "_sum", "_bucket", "_info"))
    assert name.endswith("_seconds") == (metric.unit.startswith("seconds"))
    assert metric.full_name(name) == f"tightrope_{name}" + "_total" * (metric.kind is Kind.COUNTER)
    if "scope" in metric.labels or "monitor" in metric.labels:
        assert "model" in metric.labels


def test_every_metric_is_made_as_the_table_has_it() -> None:
    """Name, type, labels and help: what a scraper sees is what the page says, and there is nothing else."""
    made = {family.name: family for family in Metrics(CollectorRegistry()).registry.collect()}
    assert set(made) == {f"tightrope_{name}" for name in CATALOGUE}
    for name, metric in CATALOGUE.items():
        family = made[f"tightrope_{name}"]
        assert (family.type, family.documentation) == (metric.kind, metric.text)


def test_label_values_are_every_combination() -> None:
    """Of what is listed and what is known; of nothing where a label is neither."""
    found = list(CATALOGUE["transitions"].label_values({"model": ("m",), "scope": ("model", "a=b")}))
    assert len(found) == 2 * 8
    assert {"model": "m", "scope": "a=b", "input": "force-safe"} in found
    assert list(CATALOGUE["transitions"].label_values({"model": ("m",)})) == []
    assert list(CATALOGUE["reports"].label_values({})) == [{"outcome": o} for o in ("made", "refused", "failed")]


def test_bound_counts_what_an_announced_model_has() -> None:
    """Every counter of every part, with all its labels: as many as the table says that there can be."""
    metrics = Metrics(CollectorRegistry())
    for part in Part:
        metrics.announce(part, "m", ("model", "a=b", "a=c"))
    series = [sample for family in metrics.registry.collect() for sample in family.samples if "model" in sample.labels]
    gauges = [m for m in CATALOGUE.values() if m.kind is Kind.GAUGE and "model" in m.labels]
    sizes = {"model": 1, "scope": 3, "monitor": 4}
    assert len(series) == most_series(3, 4) - sum(metric.most_series(sizes) for metric in gauges)
    assert CATALOGUE["request_seconds"].most_series(sizes) == len(SECONDS) + 3
