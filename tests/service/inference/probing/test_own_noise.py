"""The least tolerance of a regression, from the difference of its baseline from itself."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from onnx import TensorProto, helper, numpy_helper, save_model

from tests.support.configs import write_config
from tests.support.serving.service_harness import settings_of
from tightrope.monitors.records import Tensors
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.config.loader import load
from tightrope.service.inference.loading.pair_loading import build_pair
from tightrope.service.inference.probing.own_noise import OwnNoise, measured_noise
from tightrope.service.inference.probing.probe_memory import ProbeMemory
from tightrope.wiring.configuration_check import check_configuration
from tightrope.wiring.embedded import build_embedded

Numbers = npt.NDArray[np.float32]


def line(path: Path, *weights: float) -> str:
    """Write a regression: ``x`` (rows, f) times the weights is ``y`` (rows, 1)."""
    column = np.array(weights, np.float32)[:, None]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "line",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", len(weights)])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 1])],
        [numpy_helper.from_array(column, "w")],
    )
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return str(path)


def section(folder: Path, **changes: object) -> Mapping[str, Any]:
    """Write a pair of two regressions that differ a little; without a tolerance."""
    files = {"baseline": line(folder / "b.onnx", 2.0, 100.0), "compressed": line(folder / "c.onnx", 2.0, 100.5)}
    return {**files, "decision": {"scale": "regression"}, **changes}


class NoisyModel:
    """A model whose sums differ by a little where rows share a run."""

    digest, inputs, outputs = "", (), ()

    def __init__(self, noise: float) -> None:
        self.noise = noise

    def run(self, inputs: Tensors, _outputs: object) -> Tensors:
        """Answer a batch; a negative number fails."""
        rows: Numbers = np.asarray(inputs["x"], np.float32)
        if (rows < 0).any():
            raise RunFailedError("negative")
        return {"y": rows.sum(axis=1) + self.noise * (len(rows) > 1)}


@pytest.mark.parametrize(
    ("difference", "largest", "tolerance"),
    [(3e-6, 2.0, 3e-5), (3.2e-6, 2.0, 4e-5), (0.0, 300.0, 4e-4), (0.0, 0.0, 1e-7), (9.9, 1.0, 100.0)],
)
def test_tolerance_is_ten_times_the_noise_and_above_rounding(
    difference: float, largest: float, tolerance: float
) -> None:
    """It has one digit, rounded up."""
    assert OwnNoise(difference, largest, "").tolerance == pytest.approx(tolerance)


def test_noise_is_measured_alone_and_beside_other_rows() -> None:
    """Rows that may not share a run have no noise; a model that fails tells nothing."""
    rows = {"x": np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)}
    noise = measured_noise(NoisyModel(0.5), rows, "y", "2 golden rows", together=True)
    assert noise == OwnNoise(0.5, 7.0, "2 golden rows")
    assert measured_noise(NoisyModel(0.5), rows, "y", "", together=False) == OwnNoise(0.0, 7.0, "")
    assert measured_noise(NoisyModel(0.0), {"x": -rows["x"]}, "y", "", together=True) is None
    assert measured_noise(NoisyModel(np.inf), rows, "y", "", together=True) is None


def test_check_proposes_a_tolerance_from_made_up_rows(tmp_path: Path) -> None:
    """The warning has the figure, its reason and the key; nothing is told where a tolerance is written."""
    found = check_configuration(write_config(tmp_path, {"models": {"m": section(tmp_path)}}))
    assert found.problems == []
    (told,) = found.warnings
    assert told.startswith("models.m.decision.tolerance: is 0, so that any difference counts as a disagreement; the ")
    assert "on made-up rows; write tolerance: 0.0" in told
    written = section(tmp_path, decision={"scale": "regression", "tolerance": 1.0})
    assert check_configuration(write_config(tmp_path, {"models": {"m": written}})).warnings == []


@pytest.mark.parametrize("loss", ["absolute", "clipped"])
def test_regression_by_its_kind_gets_the_proposal_where_it_needs_a_tolerance(tmp_path: Path, loss: str) -> None:
    """Another loss than the absolute one has none."""
    decision = {"kind": "regression", "loss": loss, "cap": 2.0}
    found = check_configuration(write_config(tmp_path, {"models": {"m": section(tmp_path, decision=decision)}}))
    assert found.problems == []
    proposals = ["on made-up rows; write tolerance: 0.0" in told for told in found.warnings]
    assert proposals == ([True] if loss == "absolute" else [])


def test_golden_rows_are_preferred(tmp_path: Path) -> None:
    """They are small: rounding is the smaller."""
    (tmp_path / "golden.csv").write_text("a,b\n0.1,0.001\n0.2,0.002\n")
    path = write_config(tmp_path, {"models": {"m": section(tmp_path, golden="golden.csv")}})
    (told,) = check_configuration(path).warnings
    assert "by nothing on 2 golden rows; write tolerance: 7e-07" in told


def test_start_proposes_it_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Also the next one, which remembers the probe."""
    settings = settings_of(tmp_path, {"m": section(tmp_path)})
    with caplog.at_level(logging.WARNING):
        build_embedded(settings).store.close()
        first = [record.message for record in caplog.records if "write tolerance: 0.0" in record.message]
        caplog.clear()
        build_embedded(settings).store.close()
    assert len(first) == 1
    assert first == [record.message for record in caplog.records if "write tolerance: 0.0" in record.message]


def test_noise_is_remembered(tmp_path: Path) -> None:
    """The findings of the first probe hold it."""
    settings = load(write_config(tmp_path, {"models": {"m": section(tmp_path)}}), {})
    memory = ProbeMemory(tmp_path)
    pairs = [build_pair("m", settings, memory=memory) for _ in range(2)]
    assert pairs[0].own_noise is not None
    assert pairs[0].own_noise == pairs[1].own_noise
