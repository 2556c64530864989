"""The description of inference, and what its paths answer to other methods."""

import json
from typing import Any

import httpx
import pytest

from tightrope.service.api.inference_schema import EXAMPLE, INFERENCE_SCHEMAS, create_router
from tightrope.service.protocol.rest import decode_request
from tightrope.service.protocol.tensors import DATATYPE_NAMES, TensorSpec


@pytest.mark.parametrize("path", ["/v2/models/plain/infer", "/v2/models/plain/versions/1/infer"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(client: httpx.Client, path: str, method: str) -> None:
    """With the method that the path takes; 404 would say that the path is wrong."""
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert list(answer.json()) == ["error"]


def test_example_can_be_decoded() -> None:
    """A model of these inputs takes it."""
    spec = TensorSpec("input", "FP32", (-1, 2))
    request = decode_request(json.dumps(EXAMPLE).encode(), None, [spec], [])
    assert request.inputs["input"].tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("name", ["InputTensor", "OutputTensor"])
def test_datatypes_are_those_of_the_protocol(name: str) -> None:
    """Every datatype that is encoded is documented."""
    assert INFERENCE_SCHEMAS[name]["properties"]["datatype"]["enum"] == [*DATATYPE_NAMES.values()]


def test_routes_describe_binary_tensors() -> None:
    """Requests and answers have a second content type, and the header that splits it."""
    routes: list[Any] = [*create_router({}).routes]
    assert [route.path for route in routes] == [
        "/v2/models/{model}/infer",
        "/v2/models/{model}/versions/{version}/infer",
    ]
    for route in routes:
        assert "application/octet-stream" in route.openapi_extra["requestBody"]["content"]
        assert "Inference-Header-Content-Length" in route.responses[200]["headers"]
