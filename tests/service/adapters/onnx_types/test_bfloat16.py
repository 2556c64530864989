"""Models with tensors of BF16 take and give FP32."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tests.support.onnx_models import identity
from tests.support.serving.mapped_pairs import ROWS, network
from tests.support.serving.model_pairs import save
from tests.support.serving.service_harness import GatewayHarness
from tests.support.serving.transport_answers import TRANSPORTS, ask
from tightrope.monitors.records import Role
from tightrope.service.adapters.model_files import ModelFileError
from tightrope.service.adapters.onnx_types.bfloat16 import from_single, to_single
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.protocol.tensors import TensorSpec

HALF = TensorProto.BFLOAT16


def brained(path: Path, *, takes: int = HALF, beside: int | None = None) -> str:
    """Write softmax(x @ w) as `network` does, with ``p`` of BF16 and ``x`` of the type ``takes``; ``beside``: also an
    input of this type that nothing reads.
    """
    weights = np.random.default_rng(0).normal(0, 1, (4, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["f", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["y"]),
        helper.make_node("Cast", ["y"], ["p"], to=HALF),
    ]
    inputs = [helper.make_tensor_value_info("x", takes, ["n", 4])]
    inputs += [helper.make_tensor_value_info("more", beside, ["n", 1])] if beside else []
    outputs: list[Any] = [helper.make_tensor_value_info("p", HALF, ["n", 3])]
    return str(save(path, nodes, inputs, outputs, [numpy_helper.from_array(weights, "w")]))


@given(st.integers(0, 2**16 - 1))
def test_every_bf16_comes_back(bits: int) -> None:
    """But NaN, which has many forms and gets one."""
    number = to_single(np.array([bits], np.uint16))
    assert number.dtype == np.float32
    assert from_single(number)[0] == (0x7FC0 if np.isnan(number[0]) else bits)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**127), max_value=2.0**127))
def test_numbers_become_the_nearest(number: float) -> None:
    """Ties go to the even one, as onnxruntime casts them."""
    near = float(to_single(from_single(np.array([number], np.float32)))[0])
    bits = int(np.array([number], np.float32).view(np.uint32)[0]) & 0xFFFF0000
    below, above = (float(np.array([each], np.uint32).view(np.float32)[0]) for each in (bits, bits + 0x10000))
    distances = [abs(number - each) for each in (below, above)]
    assert abs(number - near) == min(distances)


def test_number_beyond_the_type_fails() -> None:
    """A model would compute with infinity; infinity itself stays."""
    with pytest.raises(ValueError, match="too large for the model's BF16"):
        from_single(np.array([3.4e38], np.float32))
    assert np.isinf(to_single(from_single(np.array([np.inf, -np.inf], np.float32)))).all()


@pytest.mark.parametrize("takes", [HALF, TensorProto.FLOAT, TensorProto.FLOAT16])
def test_models_run_on_fp32(tmp_path: Path, takes: int) -> None:
    """With BF16 as output, and as input or beside other types; views of a request's body too."""
    model = OnnxModel(Path(brained(tmp_path / "b.onnx", takes=takes)))
    shown = "FP16" if takes == TensorProto.FLOAT16 else "FP32"
    assert (model.inputs, model.outputs) == ((TensorSpec("x", shown, (-1, 4)),), (TensorSpec("p", "FP32", (-1, 3)),))
    rows = ROWS.astype(np.float16 if shown == "FP16" else np.float32)
    rows = np.frombuffer(rows.tobytes(), rows.dtype).reshape(5, 4)
    single = OnnxModel(Path(network(tmp_path / "f.onnx")))
    seen = to_single(from_single(rows.astype(np.float32))) if takes == HALF else rows.astype(np.float32)
    expected = single.run({"x": seen}, ["p"])["p"]
    answer = model.run({"x": rows}, ["p"])["p"]
    assert answer.dtype == np.float32
    assert answer.tolist() == to_single(from_single(expected)).tolist()
    again = model.run({"x": rows[::-1]}, ["p"])["p"]
    assert again.tolist() == answer[::-1].tolist()


def test_outputs_outlive_their_run(tmp_path: Path) -> None:
    """They are copies of the model's memory, without rows too."""
    model = OnnxModel(identity(tmp_path / "i.onnx", HALF))
    sent = np.array([[1.5, -2.0]], np.float32)
    first = model.run({"value": sent}, ["probabilities", "echo"])
    for _ in range(20):
        model.run({"value": np.zeros((1, 2), np.float32)}, ["echo"])
    assert (first["echo"].tolist(), first["probabilities"].tolist()) == ([[1.5, -2.0]], [[0.25, 0.75]])
    assert model.run({"value": np.zeros((0, 2), np.float32)}, ["echo"])["echo"].shape == (0, 2)


def test_failed_runs_have_one_line(tmp_path: Path) -> None:
    """As those of other models: another shape, and a number beyond BF16."""
    model = OnnxModel(Path(brained(tmp_path / "b.onnx")))
    for rows in (np.ones((1, 5), np.float32), np.full((1, 4), 3.4e38, np.float32)):
        with pytest.raises(RunFailedError) as caught:
            model.run({"x": rows}, ["p"])
        assert "\n" not in str(caught.value)


def test_strings_beside_are_refused(tmp_path: Path) -> None:
    """onnxruntime makes no values of them."""
    path = Path(brained(tmp_path / "s.onnx", beside=TensorProto.STRING))
    with pytest.raises(ModelFileError, match="more is of strings, which no model with BF16 can take"):
        OnnxModel(path)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_pair_is_served(tmp_path: Path, transport: str) -> None:
    """With BF16 in both roles, or in the compressed model alone; both give FP32."""
    for number, baseline in enumerate((network(tmp_path / "f.onnx"), brained(tmp_path / "a.onnx"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        files = {"baseline": baseline, "compressed": brained(tmp_path / "b.onnx")}
        served = GatewayHarness(folder, {"m": files})
        answer = ask(served, transport, {"x": ROWS})
        assert (answer.status, answer.error, answer.datatypes) == (200, "", {"p": "FP32"})
        expected = served.pairs["m"].models[Role.COMPRESSED].run({"x": ROWS}, ["p"])["p"]
        assert answer.outputs["p"].tolist() == expected.tolist()
