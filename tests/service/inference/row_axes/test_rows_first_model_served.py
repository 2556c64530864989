"""Requests to a model with a state on axis 1 and a shared scalar are answered in declared shapes by every transport."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.serving import row_models
from tests.support.serving.api_client import api_client
from tests.support.serving.asgi_harness import InnerApp, LayerHarness, admission
from tests.support.serving.engine_requests import answer_together
from tests.support.serving.grpc_server import serving_grpc
from tests.support.serving.model_pairs import CALM
from tests.support.serving.service_harness import LENGTH, GatewayHarness
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.errors import CallerError
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.protocol.tensors import Tensor, encode_binary, require_finite
from tightrope.service.transport.grpc.messages import ModelInferRequest
from tightrope.service.transport.http.asgi import InferLayer

PATH = "/v2/models/m/infer"
DATATYPES = {"input": "FP32", "state": "FP32", "sr": "INT64"}


@pytest.fixture
def bench(tmp_path: Path) -> GatewayHarness:
    """A gateway of the pair m."""
    path = str(row_models.listening(tmp_path / "m.onnx"))
    pair = {"baseline": path, "compressed": path, "decision": {"output": "probabilities"}, **CALM}
    return GatewayHarness(tmp_path, {"m": pair})


def tensors(rows: int, seed: int, rate: int = 16000) -> dict[str, Tensor]:
    """A request's tensors in their declared shapes."""
    random = np.random.default_rng(seed)
    return {
        "input": random.normal(size=(rows, 6)).astype(np.float32),
        "state": random.normal(size=(2, rows, 8)).astype(np.float32),
        "sr": np.array(rate),
    }


def alone(folder: Path, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The model's outputs for these tensors."""
    return dict(OnnxModel(folder / "m.onnx").run(given, ["probabilities", "stateN"]))


def http_request(given: dict[str, Tensor], *, binary: bool) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a request."""
    entries, blobs = [], []
    for name, tensor in given.items():
        entry: dict[str, object] = {"name": name, "shape": tensor.shape, "datatype": DATATYPES[name]}
        if binary:
            blobs.append(encode_binary(tensor))
            entry["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            entry["data"] = tensor.ravel().tolist()
        entries.append(entry)
    head = json.dumps({"inputs": entries}).encode()
    return head + b"".join(blobs), {LENGTH: str(len(head))} if binary else {}


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("rows", [1, 3])
def test_http_has_declared_shapes(tmp_path: Path, bench: GatewayHarness, rows: int, *, binary: bool) -> None:
    """One row with a state [2,1,8] and a scalar is answered, and so are three."""
    inner, given = InnerApp(), tensors(rows, 1)
    layer = LayerHarness(bench, inner, InferLayer(lambda: inner, bench.responder(), admission()))
    body, headers = http_request(given, binary=binary)
    exchange = layer.post(PATH, body, headers=headers)
    assert exchange.status == 200, exchange.error
    outputs = {each["name"]: each for each in json.loads(exchange.sent[1]["body"])["outputs"]}
    for name, tensor in alone(tmp_path, given).items():
        assert outputs[name]["shape"] == list(tensor.shape)
        np.testing.assert_allclose(outputs[name]["data"], tensor.ravel(), rtol=1e-5)


def test_metadata_have_declared_shapes(bench: GatewayHarness) -> None:
    """Callers never see the rows first."""
    inputs = api_client(bench).get("/v2/models/m").json()["inputs"]
    assert {each["name"]: each["shape"] for each in inputs} == {"input": [-1, -1], "state": [2, -1, 8], "sr": []}


@pytest.mark.parametrize("raw", [False, True])
def test_grpc_has_declared_shapes(tmp_path: Path, bench: GatewayHarness, *, raw: bool) -> None:
    """In typed and in raw contents."""
    given = tensors(1, 2)
    message = ModelInferRequest(model_name="m")
    for name, tensor in given.items():
        entry = message.inputs.add(name=name, datatype=DATATYPES[name], shape=tensor.shape)
        if raw:
            message.raw_input_contents.append(encode_binary(tensor))
        else:
            field = entry.contents.int64_contents if name == "sr" else entry.contents.fp32_contents
            field.extend(tensor.ravel().tolist())

    async def ask() -> None:
        async with serving_grpc(bench) as client:
            answer = await client.infer(message)
        assert [list(output.shape) for output in answer.outputs] == [[1, 2], [2, 1, 8]]
        expected = alone(tmp_path, given)["stateN"]
        state = answer.outputs[1].contents.fp32_contents
        found = np.frombuffer(answer.raw_output_contents[1], np.float32) if raw else np.array(state)
        np.testing.assert_allclose(found, expected.ravel(), rtol=1e-5)

    asyncio.run(ask())


def test_callers_at_once_get_their_own_rows(tmp_path: Path, bench: GatewayHarness) -> None:
    """Sixteen of one to three rows share a run, though they differ in the input that their rows share."""
    pair = bench.pairs["m"]
    given = [tensors(1 + n % 3, n, (8000, 16000)[n % 2]) for n in range(16)]
    asked = [pair.rows_first(InferRequest(f"r{n}", {}, each, (), binary_default=False)) for n, each in enumerate(given)]
    for answer, each in zip(answer_together(bench.engine, "m", asked), given, strict=True):
        assert isinstance(answer, InferResponse)
        for name, tensor in alone(tmp_path, each).items():
            assert answer.outputs[name].shape == tensor.shape
            np.testing.assert_allclose(answer.outputs[name], tensor, rtol=1e-5)
    assert pair.batchability.is_open


def test_samples_carry_rows_first(bench: GatewayHarness) -> None:
    """The worker gets one entry of each input for each row."""
    pair = bench.pairs["m"]
    request = pair.rows_first(InferRequest("r", {}, tensors(3, 4), (), binary_default=False))
    bench.engine.infer(pair, request)
    (sample,) = bench.published()[0]
    assert {name: tensor.shape for name, tensor in sample.inputs.items()} == {
        "input": (3, 6),
        "state": (3, 2, 8),
        "sr": (3,),
    }


def test_other_rows_in_the_state_are_refused(bench: GatewayHarness) -> None:
    """All inputs with rows must have as many, each on its own axis."""
    inner, given = InnerApp(), tensors(2, 1)
    layer = LayerHarness(bench, inner, InferLayer(lambda: inner, bench.responder(), admission()))
    body, _ = http_request({**given, "state": given["state"][:, :1]}, binary=False)
    exchange = layer.post(PATH, body)
    assert exchange.status == 400
    assert "inputs: all must have the same number of rows" in exchange.error


def test_scalar_that_is_not_finite_is_named() -> None:
    """It has no row to name."""
    with pytest.raises(CallerError, match="input 'sr': is nan, must be finite"):
        require_finite({"sr": np.array(np.nan, np.float32)})
