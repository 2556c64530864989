from pathlib import Path

import pytest

from tests.support.qualified_pair import sided_settings
from tightrope.monitors.records import Role
from tightrope.offline.qualification.fresh_process import CpuBound, run_fresh


def test_a_fresh_process_tells_its_start_and_its_memory(tmp_path: Path) -> None:
    """It counts its own memory only, however large this process is."""
    ballast = bytearray(600 << 20)
    found = run_fresh(sided_settings(tmp_path), "m", Role.BASELINE, seconds=120)
    assert found is not None
    assert found["cold_start_seconds"] > 0
    assert 10 << 20 < found["peak_bytes"] < len(ballast)


@pytest.mark.parametrize("bound", [CpuBound.ONE_CORE, CpuBound.ONE_THREAD])
def test_a_bounded_process_tells_latencies_too(tmp_path: Path, bound: CpuBound) -> None:
    """The middle one is at most the slow one. One thread also where the configuration has more."""
    settings = sided_settings(tmp_path, runtime={"threads": 2, "node_threads": 2, "execution": "parallel"})
    found = run_fresh(settings, "m", Role.COMPRESSED, 120, bound)
    assert found is not None
    assert 0 < found["p50"] <= found["p99"]


def test_a_model_that_fails_has_no_figures(tmp_path: Path) -> None:
    """A missing file, or no time."""
    settings = sided_settings(tmp_path)
    (tmp_path / "baseline.onnx").unlink()
    assert run_fresh(settings, "m", Role.BASELINE, seconds=120) is None
    assert run_fresh(settings, "m", Role.COMPRESSED, seconds=0.01) is None
