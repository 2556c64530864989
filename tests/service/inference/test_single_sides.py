"""An output of shape [n, 1, classes] decides as one of [n, classes] does, and callers get it as the model gave it."""

from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper

from tests.support.serving import row_models
from tests.support.serving.model_pairs import CALM, save
from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.monitors.compare import Reading
from tightrope.monitors.records import Role
from tightrope.shadow.inference import WatchedPair, run_role


def with_single_side(path: Path) -> Path:
    """A classifier whose probabilities have the shape [rows, 1, 2]."""
    nodes = [
        helper.make_node("MatMul", ["input", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["probabilities"]),
    ]
    constants = [numpy_helper.from_array(row_models.WEIGHTS, "weights")]
    constants.append(numpy_helper.from_array(np.array([-1, 1, 2]), "shape"))
    inputs, outputs = [row_models.tensor("input", "rows", 2)], [row_models.tensor("probabilities", "rows", 1, 2)]
    return save(path, nodes, inputs, outputs, constants)


def test_output_with_a_single_side_is_answered_and_judged(tmp_path: Path) -> None:
    """With confidence, in a shared run, and with samples of rows and classes."""
    path = str(with_single_side(tmp_path / "m.onnx"))
    gateway = GatewayHarness(tmp_path, {"m": {"baseline": path, "compressed": path, **CALM}})
    assert gateway.pairs["m"].batchability.is_open
    answer = gateway.infer("m", body([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]]))
    assert answer.outputs["probabilities"].shape == (3, 1, 2)
    assert "fault" not in answer.parameters
    confidence = float(answer.outputs["probabilities"].max(axis=2).min())
    assert answer.parameters["confidence"] == pytest.approx(confidence, rel=1e-6)
    (sample,) = gateway.published()[0]
    assert sample.outputs["probabilities"].shape == (3, 2)
    pair = gateway.pairs["m"]
    (reading,) = run_role(
        WatchedPair(pair.models, pair.decision, pair.output, free=True), Role.BASELINE, [sample.inputs]
    )
    assert isinstance(reading, Reading)
    np.testing.assert_allclose(reading.values, sample.outputs["probabilities"], rtol=1e-6)
