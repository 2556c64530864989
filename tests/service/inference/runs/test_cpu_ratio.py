"""The processor time of both models beside each other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import classifier
from tests.support.serving.model_pairs import sure_and_unsure
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.records import Role
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.inference.runs.cpu_ratio import CpuRatio, measure_cpu_ratio


@pytest.mark.parametrize(("rows", "ratio"), [(1, 2.0), (7, 2.0), (8, 4.0), (900, 4.0)])
def test_ratio_is_that_of_the_nearest_smaller_size(rows: int, ratio: float) -> None:
    """The baseline would have taken more, the compressed model less."""
    found = CpuRatio({1: 2.0, 8: 4.0})
    assert found.other_seconds(Role.COMPRESSED, rows, 1.0) == ratio
    assert found.other_seconds(Role.BASELINE, rows, 1.0) == 1 / ratio


def test_unmeasured_pair_has_no_ratio() -> None:
    """It is unknown, and not 1."""
    assert CpuRatio().other_seconds(Role.COMPRESSED, 1, 1.0) is None


def test_larger_baseline_takes_more_processor_time(tmp_path: Path) -> None:
    """Five thousand classes against two: the ratio is above 1 for every size that batches allow."""
    large = classifier(tmp_path / "large.onnx", np.ones((400, 5000), np.float32))
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    small = classifier(tmp_path / "small.onnx", np.ones((400, 2), np.float32))
    models = {Role.BASELINE: OnnxModel(large), Role.COMPRESSED: OnnxModel(small)}
    found = measure_cpu_ratio(replace(pair, models=models), 8)
    assert set(found.by_rows) == {1, 8}
    assert min(found.by_rows.values()) > 1.0


def test_pair_with_a_remote_model_is_not_timed(tmp_path: Path) -> None:
    """Its processor time is another server's."""
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    pair.models[Role.BASELINE] = object()  # type: ignore[assignment]
    assert measure_cpu_ratio(pair, 8) == CpuRatio()
