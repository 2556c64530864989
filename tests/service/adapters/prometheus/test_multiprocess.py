"""Processes of one port show one truth, whichever is asked, and whoever of them has ended."""

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
from tightrope.monitors.safemode import State
from tightrope.service.adapters.prometheus.catalogue import CATALOGUE, Kind, Part
from tightrope.service.adapters.prometheus.metrics import Metrics, process_registry
from tightrope.service.adapters.prometheus.multiprocess import FOLDS, SharedRegistry, bury

Made = Callable[[str], Metrics]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Metrics of a process with this name, announced for one model."""

    def make(name: str) -> Metrics:
        metrics = Metrics(process_registry(SharedRegistry(tmp_path / f"{name}.json")))
        metrics.announce(Part.GATEWAY, "m", ("model", "a=b"))
        metrics.page("")
        return metrics

    return make


def shown(metrics: Metrics, name: str, **labels: str) -> float | None:
    """What a process shows of one series."""
    return metrics.registry.get_sample_value(f"tightrope_{name}", labels)


def answer(metrics: Metrics, times: int, seconds: float = 0.001, request_id: str = "") -> None:
    """Answer so many requests."""
    for _ in range(times):
        metrics.answered("m", "ok", seconds, request_id)


def test_one_alone_shows_what_it_would_without_a_file(made: Made) -> None:
    """To the letter, but for what moves: its memory and its time."""
    plain, shared = Metrics(process_registry()), made("1-0")
    plain.announce(Part.GATEWAY, "m", ("model", "a=b"))
    pages = []
    for metrics in (plain, shared):
        answer(metrics, 3)
        metrics.route(Routes("m", 1, ("a=b",), {"model": "normal", "a=b": "safe"}), State)
        lines = metrics.page("")[0].decode().splitlines()
        pages.append([line for line in lines if "process_" not in line and "python_gc" not in line])
    assert pages[0] == pages[1]
    assert len(pages[0]) > 100


def test_counters_and_histograms_add_up_over_all(made: Made) -> None:
    """Counts, sums and every bucket, each as often as it happened."""
    one, two = made("1-0"), made("2-1")
    answer(one, 3, 0.0001)
    answer(two, 4, 0.002)
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


def test_series_that_only_another_has_are_shown(made: Made) -> None:
    """Of labels that nobody announced."""
    one, two = made("1-0"), made("2-1")
    two.dead.labels("samples").inc(5)
    shown(two, "requests_total")
    assert shown(one, "dead_records_total", topic="samples") == 5


@pytest.mark.parametrize(
    ("name", "labels", "values", "together"),
    [
        ("safe", ("m", "a=b"), (0, 1), 1),
        ("up", ("m", "baseline"), (0, 1), 0),
        ("bearable", ("m",), (0.25, 1.0), 0.25),
        ("waiting", (), (3, 4), 7),
        ("lag", ("intake",), (3, 4), 7),
        ("silence", (), (0.5, 61), 61),
    ],
)
def test_gauges_are_the_load_of_all_or_the_worst_of_them(
    made: Made, name: str, labels: tuple[str, ...], values: tuple[float, float], together: float
) -> None:
    """Whichever of the two has which."""
    for both in (values, values[::-1]):
        parts = made("1-0"), made("2-1")
        for metrics, value in zip(parts, both, strict=True):
            gauge = getattr(metrics, name)
            (gauge.labels(*labels) if labels else gauge).set(value)
            metrics.page("")
        family = next(iter(getattr(parts[0], name).collect()))
        given = dict(zip(CATALOGUE[family.name.removeprefix("tightrope_")].labels, labels, strict=True))
        assert shown(parts[0], family.name.removeprefix("tightrope_"), **given) == together


def test_every_gauge_of_a_gateway_has_its_fold() -> None:
    """Whoever adds one says what it is of several."""
    gauges = {name for name, of in CATALOGUE.items() if of.kind is Kind.GAUGE and of.part is Part.GATEWAY}
    assert {f"tightrope_{name}" for name in gauges} <= set(FOLDS)
    shown = {family.name for family in process_registry().collect() if family.type == "gauge"}
    assert shown <= set(FOLDS)


def test_what_a_process_costs_is_what_all_cost(made: Made) -> None:
    """Memory, files and processor time together."""
    one = made("1-0")
    names = ("process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total")
    alone = [one.registry.get_sample_value(name) or 0.0 for name in names]
    assert min(alone) > 0
    made("2-1")
    both = [one.registry.get_sample_value(name) or 0.0 for name in names]
    assert [more > 1.8 * less for less, more in zip(alone, both, strict=True)] == [True] * 3


def test_counters_of_one_that_has_ended_stay_and_its_gauges_go(made: Made, tmp_path: Path) -> None:
    """No rate jumps, and nobody is paged for a mode that only the dead knew."""
    one = made("1-0")
    for name in ("2-1", "2-2"):
        other = made(name)
        answer(other, 4)
        other.route(Routes("m", 1, ("a=b",), {"model": "normal", "a=b": "safe"}), State)
        other.page("")
        assert shown(one, "safe_mode_active", model="m", scope="a=b") == 1
        bury(tmp_path / f"{name}.json")
        assert shown(one, "safe_mode_active", model="m", scope="a=b") is None
    answer(one, 1)
    assert shown(one, "requests_total", model="m", outcome="ok") == 9
    assert shown(one, "request_seconds_count", model="m") == 9
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1-0.json", "gone"]


def test_one_that_is_buried_meanwhile_is_counted_once(made: Made, tmp_path: Path) -> None:
    """Between the two files being written and removed it stands in both."""
    one, other = made("1-0"), made("2-1")
    answer(other, 4)
    other.page("")
    content = (tmp_path / "2-1.json").read_text()
    bury(tmp_path / "2-1.json")
    (tmp_path / "2-1.json").write_text(content)
    assert shown(one, "requests_total", model="m", outcome="ok") == 4


def test_one_that_ended_before_it_wrote_leaves_nothing(made: Made, tmp_path: Path) -> None:
    """Not even its draft."""
    one = made("1-0")
    (tmp_path / "2-1.json.draft").write_text("{")
    bury(tmp_path / "2-1.json")
    assert [file.name for file in tmp_path.iterdir()] == ["1-0.json"]
    answer(one, 1)
    assert shown(one, "requests_total", model="m", outcome="ok") == 1


def test_nothing_is_shown_that_does_not_stand_in_the_file(made: Made, tmp_path: Path) -> None:
    """Or a sum would fall when the process that showed it is killed."""
    one, two = made("1-0"), made("2-1")
    answer(one, 5)
    assert shown(one, "requests_total", model="m", outcome="ok") == 5
    bury(tmp_path / "1-0.json")
    assert shown(two, "requests_total", model="m", outcome="ok") == 5


def test_file_is_written_without_being_asked_and_once_more_at_the_end(tmp_path: Path) -> None:
    """So at most a second's counts are lost where a process is killed, none where it is stopped."""
    registry = SharedRegistry(tmp_path / "1-0.json")
    metrics = Metrics(registry)
    answer(metrics, 2)
    registry.start()
    assert eventually((tmp_path / "1-0.json").exists)
    answer(metrics, 3)
    registry.stop(10.0)
    found = json.loads((tmp_path / "1-0.json").read_text())["counted"]["tightrope_requests"]
    assert [value for name, _, value, _ in found if name == "tightrope_requests_total"] == [5]


def test_exemplars_are_kept_and_the_newest_is_shown(made: Made) -> None:
    """In OpenMetrics, which both pages are."""
    one, two = made("1-0"), made("2-1")
    answer(one, 1, 0.002, "older")
    one.settle()  # an exemplar is as old as its counting
    answer(two, 1, 0.002, "newer")
    answer(two, 1, 0.2, "slow")
    two.page("")
    page, content_type = one.page("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    (family,) = (f for f in parse_openmetrics(page.decode()) if f.name == "tightrope_request_seconds")
    found = {s.labels["le"]: s.exemplar.labels["request_id"] for s in family.samples if s.exemplar}
    assert found == {"0.0025": "newer", "0.25": "slow"}
    assert list(parse_prometheus(two.page("")[0].decode()))


def test_folder_that_is_full_costs_nobody_an_answer(
    made: Made, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the process itself knows is shown, and why that is not all is told."""
    one = made("1-0")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    answer(one, 2)
    with caplog.at_level(logging.WARNING):
        assert shown(one, "requests_total", model="m", outcome="ok") == 2
    assert f"{tmp_path / '1-0.json'} cannot be written" in caplog.text
    assert np.isfinite(one.registry.get_sample_value("process_start_time_seconds") or np.nan)
