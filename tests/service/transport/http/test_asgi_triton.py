"""A stock Triton client works over HTTP against a running server: JSON and binary, compressed, asynchronously."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import tritonclient.http as triton  # type: ignore[import-untyped]
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped]

from tests.support.servers import Server
from tests.support.serving.model_pairs import TENSORS
from tightrope.service.protocol.tensors import Tensor

FORMS = [(datatype, binary) for datatype in TENSORS for binary in (True, False) if binary or datatype != "FP16"]


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Any]:
    """The client as its documentation shows it."""
    with triton.InferenceServerClient(urlsplit(server.address).netloc, concurrency=4) as opened:
        yield opened


def value(tensor: Tensor, datatype: str, *, binary: bool = True, name: str = "value") -> Any:  # noqa: ANN401 - untyped
    """An input of the client."""
    return triton.InferInput(name, list(tensor.shape), datatype).set_data_from_numpy(tensor, binary_data=binary)


def rows(*values: list[float]) -> list[Any]:
    """The inputs of the pair named plain."""
    return [value(np.array(values, np.float32), "FP32", name="input")]


def test_server_and_model_are_live_and_ready(client: Any) -> None:  # noqa: ANN401 - untyped
    """By the status codes that the client checks."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("plain")
    assert client.is_model_ready("modes", "7.1")
    assert not client.is_model_ready("nope")
    assert not client.is_model_ready("modes", "1")


def test_metadata_describes_the_tensors(client: Any) -> None:  # noqa: ANN401 - untyped
    """Names, datatypes and shapes, and that binary tensors are supported."""
    server = client.get_server_metadata()
    assert server["name"] == "tightrope"
    assert "binary_tensor_data" in server["extensions"]
    model = client.get_model_metadata("modes", "7.1")
    assert model == {
        "name": "modes",
        "versions": ["7.1"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}],
    }


@pytest.mark.parametrize(("datatype", "binary"), FORMS)
def test_values_round_trip(client: Any, datatype: str, *, binary: bool) -> None:  # noqa: ANN401 - untyped
    """Every datatype in both forms, strings too."""
    tensor = TENSORS[datatype]
    wanted = [triton.InferRequestedOutput("echo", binary_data=binary)]
    result = client.infer(f"echo_{datatype}", [value(tensor, datatype, binary=binary)], outputs=wanted)
    seen = result.as_numpy("echo")
    if datatype == "BYTES" and binary:  # the client hands strings back as bytes
        seen = np.array([[text.decode() for text in row] for row in seen], object)
    assert seen.tolist() == tensor.tolist()


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests_are_read(client: Any, algorithm: str) -> None:  # noqa: ANN401 - untyped
    """As the client compresses them."""
    result = client.infer("plain", rows([0, 1], [0, 5]), request_compression_algorithm=algorithm)
    assert result.as_numpy("probabilities")[:, 0] == pytest.approx([0.7310586, 0.9933072], abs=1e-6)


def test_compressed_response_may_be_requested(client: Any) -> None:  # noqa: ANN401 - untyped
    """It is sent uncompressed, which the client accepts as well."""
    result = client.infer("plain", rows([0, 1]), response_compression_algorithm="gzip")
    assert result.as_numpy("probabilities").shape == (1, 2)


def test_all_outputs_come_by_default(client: Any) -> None:  # noqa: ANN401 - untyped
    """In binary, which is the client's default."""
    result = client.infer("echo_INT64", [value(TENSORS["INT64"], "INT64")])
    assert result.as_numpy("echo").tolist() == TENSORS["INT64"].tolist()
    assert result.as_numpy("probabilities").tolist() == [[0.25, 0.75]]


def test_id_version_and_parameters_pass_both_ways(client: Any) -> None:  # noqa: ANN401 - untyped
    """The client shows the response's parameters."""
    result = client.infer("modes", rows([0, 5]), "7.1", request_id="abc", parameters={"region": "north"})
    result = result.get_response()
    assert (result["id"], result["model_version"]) == ("abc", "7.1")
    assert result["parameters"]["served_by"] == "compressed"


def test_asynchronous_requests_are_each_answered(client: Any) -> None:  # noqa: ANN401 - untyped
    """Several at a time, each with its own answer."""
    waiting = [client.async_infer("echo_INT64", [value(np.array([[n, -n]]), "INT64")]) for n in range(50)]
    echoes = [request.get_result(timeout=30).as_numpy("echo").tolist() for request in waiting]
    assert echoes == [[[n, -n]] for n in range(50)]


def test_error_has_our_text(client: Any) -> None:  # noqa: ANN401 - untyped
    """Status and error of a bad request, of an unknown model, of a value that is not finite, and asynchronously."""
    with pytest.raises(InferenceServerException) as caught:
        client.infer("plain", [value(TENSORS["INT64"], "INT64", name="input")])
    assert caught.value.status() == "400"
    assert caught.value.message() == "input 'input': datatype is 'INT64', must be FP32"
    with pytest.raises(InferenceServerException, match="model 'nope' is not served here") as caught:
        client.infer("nope", rows([0, 1]))
    assert caught.value.status() == "404"
    with pytest.raises(InferenceServerException, match="input 'input', row 1: has nan at") as caught:
        client.infer("plain", rows([0, 1], [0, float("nan")]))
    assert caught.value.status() == "400"
    with pytest.raises(InferenceServerException, match="must have 2 dimensions"):
        client.async_infer("plain", [value(np.zeros(2, np.float32), "FP32", name="input")]).get_result(timeout=30)
    with pytest.raises(InferenceServerException, match="model 'nope' is not served here"):
        client.get_model_metadata("nope")
