"""Processes of one port show equal metrics, also after some of them ended."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from tests.support.serving.service_harness import eventually
from tightrope.monitors.records import Routes
from tightrope.monitors.safemode import ModeState
from tightrope.service.adapters.prometheus.catalogue import METRICS
from tightrope.service.adapters.prometheus.metric import Component, MetricKind
from tightrope.service.adapters.prometheus.metric_set import process_registry
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.prometheus.multiprocess import GAUGE_AGGREGATIONS, SharedRegistry, merge_ended

MakeMetrics = Callable[[str], Metrics]


@pytest.fixture
def made(tmp_path: Path) -> MakeMetrics:
    """Metrics of a process with this file, initialized for one model."""

    def make(name: str) -> Metrics:
        metrics = Metrics(process_registry(SharedRegistry(tmp_path / f"{name}.json")))
        metrics.initialize(Component.GATEWAY, "m", ("model", "a=b"))
        metrics.exposition("")
        return metrics

    return make


def shown(metrics: Metrics, name: str, **labels: str) -> float | None:
    """The value of one series in a process's exposition."""
    return metrics.registry.get_sample_value(f"tightrope_{name}", labels)


def record_requests(metrics: Metrics, times: int, seconds: float = 0.001, request_id: str = "") -> None:
    """Record requests."""
    for _ in range(times):
        metrics.record_request("m", "ok", seconds, request_id)


def test_single_process_shows_the_same_as_without_a_file(made: MakeMetrics) -> None:
    """The expositions are equal, except for memory and time."""
    plain, shared = Metrics(process_registry()), made("1-0")
    plain.initialize(Component.GATEWAY, "m", ("model", "a=b"))
    pages = []
    for metrics in (plain, shared):
        record_requests(metrics, 3)
        metrics.set_routes(Routes("m", 1, ("a=b",), {"model": "normal", "a=b": "safe"}), ModeState)
        lines = metrics.exposition("")[0].decode().splitlines()
        pages.append([line for line in lines if "process_" not in line and "python_gc" not in line])
    assert pages[0] == pages[1]
    assert len(pages[0]) > 100


def test_counters_and_histograms_add_up_over_all(made: MakeMetrics) -> None:
    """Counts, sums and every bucket add up."""
    one, two = made("1-0"), made("2-1")
    record_requests(one, 3, 0.0001)
    record_requests(two, 4, 0.002)
    shown(two, "requests_total")
    assert shown(one, "requests_total", model="m", outcome="ok") == 7
    assert shown(one, "requests_total", model="m", outcome="caller_error") == 0
    assert shown(one, "request_seconds_count", model="m") == 7
    assert shown(one, "request_seconds_bucket", model="m", le="0.0005") == 3
    assert shown(one, "request_seconds_bucket", model="m", le="0.0025") == 7
    assert shown(one, "request_seconds_sum", model="m") == pytest.approx(3 * 0.0001 + 4 * 0.002)
    assert one.total("requests", model="m", outcome="ok") == 7
    shown(one, "requests_total")
    assert shown(two, "requests_total", model="m", outcome="ok") == 7


def test_series_of_another_process_are_shown(made: MakeMetrics) -> None:
    """Labels that were not initialized are included."""
    one, two = made("1-0"), made("2-1")
    two.record_dead("samples")
    shown(two, "requests_total")
    assert shown(one, "dead_records_total", topic="samples") == 1


@pytest.mark.parametrize(
    ("name", "labels", "values", "together"),
    [
        ("safe_mode_active", ("m", "a=b"), (0, 1), 1),
        ("endpoint_up", ("m", "baseline"), (0, 1), 0),
        ("fallback_share", ("m",), (0.25, 1.0), 0.25),
        ("bus_waiting_records", (), (3, 4), 7),
        ("lag_records", ("intake",), (3, 4), 7),
        ("control_age_seconds", (), (0.5, 61), 61),
    ],
)
def test_gauges_are_the_total_load_or_the_worst_value(
    made: MakeMetrics, name: str, labels: tuple[str, ...], values: tuple[float, float], together: float
) -> None:
    """The order of the processes does not matter."""
    for both in (values, values[::-1]):
        parts = made("1-0"), made("2-1")
        for metrics, value in zip(parts, both, strict=True):
            gauge = getattr(metrics, name)
            (gauge.labels(*labels) if labels else gauge).set(value)
            metrics.exposition("")
        given = dict(zip(METRICS[name].labels, labels, strict=True))
        assert shown(parts[0], name, **given) == together


def test_every_gauge_of_a_gateway_has_an_aggregation() -> None:
    """A new gauge needs an aggregation."""
    gauges = {name for name, m in METRICS.items() if m.kind is MetricKind.GAUGE and m.component is Component.GATEWAY}
    assert {f"tightrope_{name}" for name in gauges} <= set(GAUGE_AGGREGATIONS)
    shown = {family.name for family in process_registry().collect() if family.type == "gauge"}
    assert shown <= set(GAUGE_AGGREGATIONS)


def test_process_metrics_add_up(made: MakeMetrics) -> None:
    """Memory, files and processor time add up."""
    one = made("1-0")
    names = ("process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total")
    alone = [one.registry.get_sample_value(name) or 0.0 for name in names]
    assert min(alone) > 0
    made("2-1")
    both = [one.registry.get_sample_value(name) or 0.0 for name in names]
    assert [more > 1.8 * less for less, more in zip(alone, both, strict=True)] == [True] * 3


def test_counters_of_an_ended_process_stay_and_its_gauges_go(made: MakeMetrics, tmp_path: Path) -> None:
    """Rates do not jump, and the modes of an ended process raise no alert."""
    one = made("1-0")
    for name in ("2-1", "2-2"):
        other = made(name)
        record_requests(other, 4)
        other.set_routes(Routes("m", 1, ("a=b",), {"model": "normal", "a=b": "safe"}), ModeState)
        other.exposition("")
        assert shown(one, "safe_mode_active", model="m", scope="a=b") == 1
        merge_ended(tmp_path / f"{name}.json")
        assert shown(one, "safe_mode_active", model="m", scope="a=b") is None
    record_requests(one, 1)
    assert shown(one, "requests_total", model="m", outcome="ok") == 9
    assert shown(one, "request_seconds_count", model="m") == 9
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1-0.json", "gone"]


def test_process_that_ends_during_a_scrape_is_counted_once(made: MakeMetrics, tmp_path: Path) -> None:
    """For a moment it is in both files."""
    one, other = made("1-0"), made("2-1")
    record_requests(other, 4)
    other.exposition("")
    content = (tmp_path / "2-1.json").read_text()
    merge_ended(tmp_path / "2-1.json")
    (tmp_path / "2-1.json").write_text(content)
    assert shown(one, "requests_total", model="m", outcome="ok") == 4


def test_process_that_ended_before_writing_leaves_no_file(made: MakeMetrics, tmp_path: Path) -> None:
    """Its draft is deleted too."""
    one = made("1-0")
    (tmp_path / "2-1.json.draft").write_text("{")
    merge_ended(tmp_path / "2-1.json")
    assert [file.name for file in tmp_path.iterdir()] == ["1-0.json"]
    record_requests(one, 1)
    assert shown(one, "requests_total", model="m", outcome="ok") == 1


def test_shown_values_are_in_the_file(made: MakeMetrics, tmp_path: Path) -> None:
    """Otherwise a sum would decrease when the process is killed."""
    one, two = made("1-0"), made("2-1")
    record_requests(one, 5)
    assert shown(one, "requests_total", model="m", outcome="ok") == 5
    merge_ended(tmp_path / "1-0.json")
    assert shown(two, "requests_total", model="m", outcome="ok") == 5


def test_file_is_written_periodically_and_at_the_end(tmp_path: Path) -> None:
    """A killed process loses at most the last second, a stopped one nothing."""
    registry = SharedRegistry(tmp_path / "1-0.json")
    metrics = Metrics(registry)
    record_requests(metrics, 2)
    registry.start()
    assert eventually((tmp_path / "1-0.json").exists)
    record_requests(metrics, 3)
    registry.stop(10.0)
    found = json.loads((tmp_path / "1-0.json").read_text())["counted"]["tightrope_requests"]
    assert [value for name, _, value, _ in found if name == "tightrope_requests_total"] == [5]


def test_exemplars_are_kept_and_the_newest_is_shown(made: MakeMetrics) -> None:
    """Both expositions are OpenMetrics."""
    one, two = made("1-0"), made("2-1")
    record_requests(one, 1, 0.002, "older")
    one.flush_pending()  # an exemplar's time is the time at which it was counted
    record_requests(two, 1, 0.002, "newer")
    record_requests(two, 1, 0.2, "slow")
    two.exposition("")
    page, content_type = one.exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    (family,) = (f for f in parse_openmetrics(page.decode()) if f.name == "tightrope_request_seconds")
    found = {s.labels["le"]: s.exemplar.labels["request_id"] for s in family.samples if s.exemplar}
    assert found == {"0.0025": "newer", "0.25": "slow"}
    assert list(parse_prometheus(two.exposition("")[0].decode()))


def test_full_disk_does_not_fail_a_scrape(
    made: MakeMetrics, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process shows its own metrics, and logs the reason."""
    one = made("1-0")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    record_requests(one, 2)
    with caplog.at_level(logging.WARNING):
        assert shown(one, "requests_total", model="m", outcome="ok") == 2
    assert f"{tmp_path / '1-0.json'} cannot be written" in caplog.text
    assert np.isfinite(one.registry.get_sample_value("process_start_time_seconds") or np.nan)
