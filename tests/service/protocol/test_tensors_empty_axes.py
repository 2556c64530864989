"""An axis other than that of the rows may be empty, such as a first past; a request without rows is refused."""

import asyncio
from pathlib import Path

import grpc
import numpy as np
import pytest

from tests.support.serving import row_models
from tests.support.serving.graph_models import remembering
from tests.support.serving.grpc_server import refusal, serving_grpc
from tests.support.serving.model_pairs import CALM
from tests.support.serving.service_harness import GatewayHarness
from tests.support.serving.transport_answers import grpc_message
from tests.support.serving.transports import assert_close, everywhere, status_over_http, together
from tightrope.monitors.records import Role
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.errors import CallerError
from tightrope.service.protocol.tensors import Tensor, TensorSpec, check, decode_json

PAST = TensorSpec("past", "FP32", (-1, -1, 3))


@pytest.fixture
def bench(tmp_path: Path) -> GatewayHarness:
    """A gateway of a pair with a past of any length."""
    files = {"baseline": remembering(tmp_path / "b.onnx"), "compressed": remembering(tmp_path / "c.onnx", 0.05)}
    return GatewayHarness(tmp_path, {"m": {**files, "decision": {"output": "p"}, "probe": {"seconds": 60}}})


def given(rows: int, length: int) -> dict[str, Tensor]:
    """A request with a past of this length."""
    random = np.random.default_rng(10 * rows + length)
    tensors = {"x": random.normal(size=(rows, 4)), "past": random.normal(size=(rows, length, 3))}
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def alone(folder: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The compressed model's own answer."""
    return dict(OnnxModel(folder / "c.onnx").run(tensors, ["p", "present"]))


def test_first_past_is_empty(tmp_path: Path, bench: GatewayHarness) -> None:
    """It is answered over every transport, alone and among sixteen callers, beside pasts of other lengths."""
    assert bench.pairs["m"].batchability.is_open
    for found in everywhere(bench, given(2, 0)):
        assert_close(found, alone(tmp_path, given(2, 0)))
    for lengths in ((0,) * 16, tuple(n % 3 for n in range(16))):
        every = [given(1 + n % 3, length) for n, length in enumerate(lengths)]
        for answer, one in zip(together(bench, every), every, strict=True):
            assert answer.parameters["served_by"] == "compressed"
            assert_close(answer.outputs, alone(tmp_path, one))


def test_samples_keep_the_empty_axis(bench: GatewayHarness) -> None:
    """The worker runs the other model on the same past."""
    together(bench, [given(2, 0)])
    bench.engine.sample_answers()
    (sample,) = bench.published()[0]
    assert {name: tensor.shape for name, tensor in sample.inputs.items()} == {"x": (2, 4), "past": (2, 0, 3)}
    found = bench.pairs["m"].models[Role.BASELINE].run(sample.inputs, ["p"])
    assert found["p"].shape == (2, 3)


@pytest.mark.parametrize("binary", [False, True])
def test_request_without_rows_is_refused(bench: GatewayHarness, *, binary: bool) -> None:
    """Over HTTP with 400, over gRPC as an invalid argument."""
    status, error, _ = status_over_http(bench, given(0, 2), binary=binary)
    assert (status, "input 'x': shape is [0, 4], must have at least one row" in error) == (400, True)


def test_request_without_rows_is_refused_over_grpc(bench: GatewayHarness) -> None:
    """In typed and in raw contents."""

    async def ask() -> None:
        async with serving_grpc(bench) as client:
            for raw in (False, True):
                code, details = await refusal(client.infer(grpc_message(given(0, 2), raw=raw)))
                assert (code, "at least one row" in details) == (grpc.StatusCode.INVALID_ARGUMENT, True)

    asyncio.run(ask())


def test_rows_on_another_axis_must_be_there(tmp_path: Path) -> None:
    """A state without rows is refused with its axis."""
    path = str(row_models.listening(tmp_path / "m.onnx"))
    pair = {"baseline": path, "compressed": path, "decision": {"output": "probabilities"}, **CALM}
    bench = GatewayHarness(tmp_path, {"m": {**pair, "probe": {"seconds": 60}}})
    tensors = {"input": np.ones((1, 6), "f4"), "state": np.ones((2, 0, 8), "f4"), "sr": np.array(16000)}
    status, error, _ = status_over_http(bench, tensors, binary=True)
    assert status == 400
    assert "input 'state': shape is [2, 0, 8], must have at least one row on axis 1" in error


def test_empty_axis_does_not_hide_the_size_of_others(bench: GatewayHarness) -> None:
    """A few bytes may declare any shape: it counts as if the axis had one entry."""
    huge = {"x": np.zeros((1, 4), np.float32), "past": np.zeros((1, 0, 3), np.float32)}
    for rows in (10**8, 10**12):
        tensors = {**huge, "past": np.zeros((rows, 0, 3), np.float32)}
        status, error, _ = status_over_http(bench, tensors, binary=True)
        assert (status, "server.limits.rows" in error) == (413, True)


def test_fixed_sides_are_never_empty() -> None:
    """Only an axis of any length may be."""
    check((2, 0, 3), "FP32", PAST, "")
    for shape in ((2, 0, 0), (2, -1, 3), (0, 1, 3)):
        with pytest.raises(CallerError):
            check(shape, "FP32", PAST, "")


@pytest.mark.parametrize("data", [[], [[], []]])
def test_json_of_an_empty_axis_is_flat_or_nested(data: list[object]) -> None:
    """As that of any other shape."""
    assert decode_json("FP32", (2, 0, 3), data, "").shape == (2, 0, 3)
    with pytest.raises(CallerError):
        decode_json("FP32", (2, 0, 3), [[[]], []], "")
