"""A stock Triton client works over gRPC against a running server, asynchronously and in streams too."""

import queue
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton  # type: ignore[import-untyped]
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped]

from tests.support.servers import Server
from tests.support.serving.model_pairs import TENSORS
from tests.support.serving.service_harness import BackgroundClient
from tightrope.service.protocol.tensors import Tensor

Client = Any
"""The client ships no types."""


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    """The client as its documentation shows it."""
    with triton.InferenceServerClient(server.grpc) as opened:
        yield opened


def value(tensor: Tensor, datatype: str, name: str = "value") -> Any:  # noqa: ANN401 - untyped
    """An input of the client, which sends it raw."""
    return triton.InferInput(name, list(tensor.shape), datatype).set_data_from_numpy(tensor)


def rows(*values: list[float]) -> list[Any]:
    """The inputs of the pair named plain."""
    return [value(np.array(values, np.float32), "FP32", "input")]


def test_server_and_model_are_live_and_ready(client: Client) -> None:
    """By the client's own calls."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("plain")
    assert client.is_model_ready("modes", "7.1")
    assert not client.is_model_ready("nope")
    assert not client.is_model_ready("modes", "1")


def test_metadata_describes_the_tensors(client: Client) -> None:
    """Names, datatypes and shapes."""
    server = client.get_server_metadata(as_json=True)
    assert server["name"] == "tightrope"
    assert client.get_model_metadata("modes", "7.1", as_json=True) == {
        "name": "modes",
        "versions": ["7.1"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "input", "datatype": "FP32", "shape": ["-1", "2"]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": ["-1", "2"]}],
    }


@pytest.mark.parametrize("datatype", TENSORS)
def test_values_round_trip(client: Client, datatype: str) -> None:
    """Every datatype, strings too, with the output requested by name."""
    tensor = TENSORS[datatype]
    result = client.infer(f"echo_{datatype}", [value(tensor, datatype)], outputs=[triton.InferRequestedOutput("echo")])
    seen = result.as_numpy("echo")
    if datatype == "BYTES":  # the client hands strings back as bytes
        seen = np.array([[text.decode() for text in row] for row in seen], object)
    assert seen.tolist() == tensor.tolist()


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests_are_read(client: Client, algorithm: str) -> None:
    """As the client compresses them."""
    result = client.infer("plain", rows([0, 1], [0, 5]), compression_algorithm=algorithm)
    assert result.as_numpy("probabilities")[:, 0] == pytest.approx([0.7310586, 0.9933072], abs=1e-6)


def test_all_outputs_come_by_default(client: Client) -> None:
    """In the model's order."""
    result = client.infer("echo_INT64", [value(TENSORS["INT64"], "INT64")])
    assert result.as_numpy("echo").tolist() == TENSORS["INT64"].tolist()
    assert result.as_numpy("probabilities").tolist() == [[0.25, 0.75]]


def test_id_version_and_parameters_pass_both_ways(client: Client) -> None:
    """The client shows the response's parameters; the request's give the subgroup."""
    asked = {"region": "north", "age": 41, "urgent": True}
    result = client.infer("modes", rows([0, 5]), "7.1", request_id="abc", parameters=asked).get_response()
    assert (result.id, result.model_version) == ("abc", "7.1")
    assert result.parameters["served_by"].string_param == "compressed"


def test_refusal_is_in_the_response(client: Client) -> None:
    """An abstaining model has no outputs, which the client accepts."""
    result = client.infer("abstain", rows([0, 1]))
    assert result.get_response().parameters["refused"].bool_param
    assert result.as_numpy("probabilities") is None


def test_asynchronous_requests_are_each_answered(client: Client) -> None:
    """Several at a time, each with its own answer."""
    answers: queue.Queue[tuple[int, Any, Any]] = queue.Queue()
    for n in range(50):

        def put(result: Any, error: Any, n: int = n) -> None:  # noqa: ANN401 - untyped
            answers.put((n, result, error))

        client.async_infer("echo_INT64", [value(np.array([[n, -n]]), "INT64")], put)
    got = sorted((answers.get(timeout=30) for _ in range(50)), key=lambda answer: answer[0])
    assert [result.as_numpy("echo").tolist() for _, result, _ in got] == [[[n, -n]] for n in range(50)]


def test_stream_goes_on_after_an_error(client: Client) -> None:
    """Answers come in order; an error takes the place of its answer."""
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    for n in range(3):
        client.async_stream_infer("echo_INT64", [value(np.array([[n, n]]), "INT64")], request_id=str(n))
    client.async_stream_infer("nope", rows([0, 1]))
    client.async_stream_infer("plain", rows([0, 1]), request_id="last")
    got = [answers.get(timeout=30) for _ in range(5)]
    client.stop_stream()
    assert [result and result.get_response().id for result, _ in got] == ["0", "1", "2", None, "last"]
    assert "model 'nope' is not served here" in got[3][1].message()


WRONG: dict[str, tuple[Callable[[Client], object], str, str]] = {
    "a datatype": (
        lambda client: client.infer("plain", [value(TENSORS["INT64"], "INT64", "input")]),
        "INVALID_ARGUMENT",
        "input 'input': datatype is 'INT64', must be FP32",
    ),
    "a shape": (
        lambda client: client.infer("plain", [value(np.zeros(2, np.float32), "FP32", "input")]),
        "INVALID_ARGUMENT",
        "input 'input': shape is [2], must have 2 dimensions",
    ),
    "a model": (lambda client: client.infer("nope", rows([0, 1])), "NOT_FOUND", "model 'nope' is not served here"),
    "a version": (lambda client: client.infer("modes", rows([0, 1]), "1"), "NOT_FOUND", "has no version '1'"),
    "an output": (
        lambda client: client.infer("plain", rows([0, 1]), outputs=[triton.InferRequestedOutput("nope")]),
        "INVALID_ARGUMENT",
        "output name is 'nope', must be one of probabilities",
    ),
    "a classification": (
        lambda client: client.infer(
            "plain", rows([0, 1]), outputs=[triton.InferRequestedOutput("probabilities", class_count=1)]
        ),
        "INVALID_ARGUMENT",
        "output 'probabilities': parameters.classification is not supported",
    ),
    "a value": (
        lambda client: client.infer("plain", rows([0, 1], [0, float("nan")])),
        "INVALID_ARGUMENT",
        "input 'input', row 1: has nan at [1], must be finite unless allow_nan is true",
    ),
    "a call": (lambda client: client.get_inference_statistics("plain"), "UNIMPLEMENTED", "has no ModelStatistics here"),
    "metadata": (lambda client: client.get_model_metadata("nope"), "NOT_FOUND", "model 'nope' is not served here"),
    "a size": (
        lambda client: client.infer("plain", [value(np.zeros((3_000_000, 2), np.float32), "FP32", "input")]),
        "RESOURCE_EXHAUSTED",
        "larger than max",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_error_has_our_text_and_affects_no_other_caller(server: Server, client: Client, what: str) -> None:
    """With its status; requests over HTTP go on meanwhile."""
    ask, status, words = WRONG[what]
    with BackgroundClient(server.address) as neighbour:
        with pytest.raises(InferenceServerException) as caught:
            ask(client)
        neighbour.is_served()
    assert caught.value.status() == f"StatusCode.{status}"
    assert words in caught.value.message()


def test_large_batch_does_not_stop_the_event_loop(server: Server, client: Client) -> None:
    """A request at the limit is read, run and answered in a thread: health over HTTP is answered meanwhile."""
    tensor = np.ones((1_900_000, 2), np.float32)
    with BackgroundClient(server.address, live) as watch:
        began = time.monotonic()
        result = client.infer("large", [value(tensor, "FP32", "input")])
        took = time.monotonic() - began
    assert result.as_numpy("probabilities").shape == tensor.shape
    assert watch.failures == []
    assert watch.slowest < took / 2


def live(client: httpx.Client) -> bool:
    """Call the liveness page, as an orchestrator does."""
    return client.get("/v2/health/live").status_code == httpx.codes.OK


def test_stock_client_reads_the_health(server: Server) -> None:
    """As Kubernetes calls it."""
    with grpc.insecure_channel(server.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "inference.GRPCInferenceService"):
            result = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=30.0)
            assert result.status == health_pb2.HealthCheckResponse.SERVING


def test_both_transports_are_counted_together(server: Server, client: Client) -> None:
    """A model's requests count regardless of their transport."""
    before = total(server)
    client.infer("value", [value(np.array([[1, 2]], np.float32), "FP32", "input")])
    assert total(server) == before + 1


def total(server: Server) -> float:
    """The number of answered requests of the model named value."""
    line = 'tightrope_requests_total{model="value",outcome="ok"} '
    return next(
        float(text.removeprefix(line))
        for text in server.client.get("/metrics").text.splitlines()
        if text.startswith(line)
    )
