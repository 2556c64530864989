"""Callers of models of FP16 see FP32, and may send FP16 in binary."""

from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper

from tests.support.serving.api_client import api_client
from tests.support.serving.engine_requests import answer_together
from tests.support.serving.mapped_pairs import ROWS, TYPES, network
from tests.support.serving.model_pairs import save
from tests.support.serving.service_harness import GatewayHarness
from tests.support.serving.transport_answers import TRANSPORTS, ask
from tightrope.monitors.records import Role
from tightrope.service.adapters.ports import loaded_model
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.protocol.tensors import Tensor


@pytest.fixture(params=[("f2", "f2"), ("f4", "f2"), ("f2", "f4")], ids="/".join)
def served(tmp_path: Path, request: pytest.FixtureRequest) -> GatewayHarness:
    """A gateway of a pair with FP16 in both roles, or in one."""
    kinds = dict(zip((Role.BASELINE, Role.COMPRESSED), request.param, strict=True))
    files = {str(role): network(tmp_path / f"{role}.onnx", kind=kind) for role, kind in kinds.items()}
    return GatewayHarness(tmp_path, {"m": files})


def summed(path: Path, kind: str) -> str:
    """Write the sum of ``x`` (rows, 4) as ``y`` (rows, 1)."""
    tensors = [helper.make_tensor_value_info(name, TYPES[kind], ["n", width]) for name, width in (("x", 4), ("y", 1))]
    ones = numpy_helper.from_array(np.ones((4, 1), kind), "w")
    return str(save(path, [helper.make_node("MatMul", ["x", "w"], ["y"])], tensors[:1], tensors[1:], [ones]))


def alone(served: GatewayHarness, role: Role, rows: Tensor) -> Tensor:
    """The answer of a role's own model to rows of its own type, as callers see it."""
    model = loaded_model(served.pairs["m"].models[role])
    kind = np.float16 if model.inputs[0].datatype == "FP16" else np.float32
    return np.asarray(model.run({"x": rows.astype(kind)}, ["p"])["p"].astype(np.float32))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_fp32_is_taken_and_given(served: GatewayHarness, transport: str, role: Role) -> None:
    """In every form, by each role."""
    if role is Role.BASELINE:
        served.safe("m", "model")
    answer = ask(served, transport, {"x": ROWS})
    assert (answer.status, answer.error, answer.datatypes) == (200, "", {"p": "FP32"})
    assert answer.outputs["p"].tolist() == alone(served, role, ROWS).tolist()


@pytest.mark.parametrize("transport", ["binary", "grpc_raw"])
def test_fp16_is_taken_in_binary(served: GatewayHarness, transport: str) -> None:
    """It loses nothing on its way to either model."""
    rows = ROWS.astype(np.float16)
    answer = ask(served, transport, {"x": rows})
    assert (answer.status, answer.error, answer.datatypes) == (200, "", {"p": "FP32"})
    assert answer.outputs["p"].tolist() == alone(served, Role.COMPRESSED, rows).tolist()
    served.engine.sample_answers()
    (sample,) = served.published()[0]
    assert (sample.inputs["x"].dtype, sample.outputs["p"].dtype) == (np.float32, np.float32)


def test_metadata_have_fp32(served: GatewayHarness) -> None:
    """Every caller can send it."""
    described = api_client(served).get("/v2/models/m").json()
    assert {entry["datatype"] for side in ("inputs", "outputs") for entry in described[side]} == {"FP32"}


def test_other_types_are_refused(served: GatewayHarness) -> None:
    """The sentence names both that are taken."""
    answer = ask(served, "binary", {"x": ROWS.astype(np.float64)})
    assert (answer.status, answer.error) == (400, "input 'x': datatype is 'FP64', must be FP32 or FP16, in binary")


def test_fp16_is_not_taken_by_models_without_it(tmp_path: Path) -> None:
    """There the caller has mistaken the model."""
    path = network(tmp_path / "m.onnx")
    answer = ask(
        GatewayHarness(tmp_path, {"m": {"baseline": path, "compressed": path}}), "binary", {"x": ROWS.astype("f2")}
    )
    assert (answer.status, answer.error) == (400, "input 'x': datatype is 'FP16', must be FP32")


def test_callers_at_once_get_their_own_rows(served: GatewayHarness) -> None:
    """Sixteen of one to three rows."""
    given = [np.random.default_rng(n).normal(0, 1, (1 + n % 3, 4)).astype(np.float32) for n in range(16)]
    asked = [InferRequest(f"r{n}", {}, {"x": rows}, (), binary_default=False) for n, rows in enumerate(given)]
    for answer, rows in zip(answer_together(served.engine, "m", asked), given, strict=True):
        assert isinstance(answer, InferResponse)
        np.testing.assert_allclose(answer.outputs["p"], alone(served, Role.COMPRESSED, rows), atol=2e-3)


def test_infinity_of_fp16_is_a_fault_of_its_row(tmp_path: Path) -> None:
    """Beyond 65,504 the other role answers."""
    files = {"baseline": summed(tmp_path / "b.onnx", "f4"), "compressed": summed(tmp_path / "c.onnx", "f2")}
    pair = {**files, "decision": {"scale": "regression"}}
    for value, role in ((1e4, "compressed"), (4e4, "baseline")):
        entry = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [value] * 4}
        answer = GatewayHarness(tmp_path, {"m": pair}).infer("m", {"inputs": [entry]})
        assert (answer.parameters["served_by"], answer.outputs["y"].tolist()) == (role, [[4 * value]])
