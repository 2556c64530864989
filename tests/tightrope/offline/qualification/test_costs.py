import time
from pathlib import Path

import pytest

from tests.support.qualified_pair import sided_rows, sided_settings
from tests.support.remote_pair import remote_pair
from tightrope.monitors.records import Role
from tightrope.offline.pair_evaluation import prepare
from tightrope.offline.progress import NO_PROGRESS
from tightrope.offline.qualification import costs
from tightrope.offline.qualification.costs import BY_CPU_SECONDS, BY_RAPL, Costs, measure_costs
from tightrope.offline.qualification.stages import TimedProgress, TimeIsUpError


def test_both_models_are_measured(tmp_path: Path) -> None:
    """Latency, memory, start, size and processor time of each; more with stress."""
    settings = sided_settings(tmp_path)
    evaluation = prepare(settings, None, sided_rows(tmp_path))
    costs = measure_costs(evaluation, settings, TimedProgress(NO_PROGRESS, None), stress=True)
    for found in costs.by_criterion().values():
        assert {role: value is not None and value > 0 for role, value in found.items()} == {
            "baseline": True,
            "compressed": True,
        }
    assert costs.latency["p50"]["baseline"] <= costs.latency["p99"]["baseline"]  # type: ignore[operator]
    bounds = {f"{bound}_{quantile}" for bound in ("one_core", "one_thread") for quantile in ("p50", "p99")}
    assert set(costs.latency) == {"p50", "p99", "concurrent_p99", "cliff"} | bounds
    assert costs.file_bytes["baseline"] == (tmp_path / "baseline.onnx").stat().st_size


def test_model_on_another_server_takes_nothing_of_this_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process of this host is measured in its place; its time with the network is."""
    asked: list[str] = []

    def run_fresh(_settings: object, _model: str, role: str, *_: object) -> dict[str, float]:
        asked.append(role)
        return {"peak_bytes": 1.0, "cold_start_seconds": 1.0, "p50": 1.0, "p99": 1.0}

    monkeypatch.setattr(costs, "run_fresh", run_fresh)
    with remote_pair(tmp_path, Role.BASELINE) as remote:
        evaluation = prepare(remote.settings, None, remote.rows)
        found = measure_costs(evaluation, remote.settings, TimedProgress(NO_PROGRESS, None), stress=True)
    assert set(asked) == {Role.COMPRESSED}
    for figures in (
        found.peak_bytes,
        found.cold_start_seconds,
        found.cpu_seconds_per_row,
        found.latency["one_core_p50"],
    ):
        assert figures["baseline"] is None
        assert figures["compressed"]
    assert found.latency["p50"]["baseline"]


def test_energy_is_told_with_its_unit() -> None:
    """Joules where the host counts them, else seconds of the processor, which say so."""
    seconds: dict[str, float | None] = {"baseline": 2e-5, "compressed": 1e-5}
    counted = Costs({}, {}, {}, {}, seconds, {"baseline": 2e-3, "compressed": 5e-4})
    assert (counted.energy_record["how"], counted.by_criterion()["energy"]["compressed"]) == (BY_RAPL, 5e-4)
    other = Costs({}, {}, {}, {}, seconds)
    assert (other.energy_record["joules_per_row"], other.energy_record["how"]) == (None, BY_CPU_SECONDS)
    assert other.by_criterion()["energy"] == seconds


def test_no_time_is_spent_when_none_is_left(tmp_path: Path) -> None:
    """The stage ends before it begins."""
    settings = sided_settings(tmp_path)
    evaluation = prepare(settings, None, sided_rows(tmp_path))
    with pytest.raises(TimeIsUpError):
        measure_costs(evaluation, settings, TimedProgress(NO_PROGRESS, time.monotonic() - 1), stress=False)
