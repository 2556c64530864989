"""Remote models with their rows on another axis are found out by the same runs, and served in declared shapes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.serving import row_models
from tests.support.serving.engine_requests import answer_together
from tests.support.serving.fake_oip_server import FakeServer, fake_server, serve_model
from tests.support.serving.model_pairs import CALM
from tests.support.serving.service_harness import GatewayHarness, eventually
from tests.support.serving.transport_answers import are_close
from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.open_inference.model import endpoint_of, independent_copy
from tightrope.service.protocol.rest import InferRequest, InferResponse

OUTPUTS = ["probabilities", "stateN"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    """A server of the model with a state on axis 1 and a shared scalar."""
    with fake_server() as running:
        serve_model(running, OnnxModel(row_models.listening(tmp_path / "m.onnx")))
        yield running


def far(server: FakeServer, **endpoint: Any) -> dict[str, Any]:  # noqa: ANN401 - any key
    """The server's model as an artefact."""
    return {"endpoint": server.address, "model": "m", **endpoint}


def gateway(folder: Path, **artefacts: object) -> GatewayHarness:
    """A gateway of the pair m; a role that is left out is the file of the server."""
    files = {str(role): str(folder / "m.onnx") for role in Role}
    pair = {**files, **artefacts, "decision": {"output": "probabilities"}, **CALM}
    return GatewayHarness(folder, {"m": pair})


def tensors(rows: int, seed: int) -> Tensors:
    """A request's tensors in their declared shapes."""
    random = np.random.default_rng(seed)
    return {
        "input": random.normal(size=(rows, 6)).astype(np.float32),
        "state": random.normal(size=(2, rows, 8)).astype(np.float32),
        "sr": np.array((8000, 16000)[seed % 2]),
    }


def answer(served: GatewayHarness, given: Tensors) -> InferResponse:
    """The answer to one request."""
    pair = served.pairs["m"]
    request = pair.rows_first(InferRequest("r", {}, dict(given), (), binary_default=False))
    return served.engine.infer(pair, request)


def is_own(folder: Path, given: Tensors, response: object) -> bool:
    """Whether a response is what the model gives to these tensors alone."""
    assert isinstance(response, InferResponse), response
    expected = OnnxModel(folder / "m.onnx").run(given, OUTPUTS)
    return all(are_close(response.outputs[name], expected[name]) for name in OUTPUTS)


@pytest.mark.parametrize("roles", [("baseline",), ("compressed",), ("baseline", "compressed")])
def test_axes_are_found_by_calls(tmp_path: Path, server: FakeServer, roles: tuple[str, ...]) -> None:
    """Sixteen callers of one to three rows get their own, in declared shapes."""
    served = gateway(tmp_path, **{role: far(server) for role in roles})
    pair = served.pairs["m"]
    assert pair.layout is not None
    assert pair.layout.axes == {"input": 0, "state": 1, "sr": None}
    assert (pair.batchability.describe(), pair.is_remote) == ("share runs", True)
    given = [tensors(1 + n % 3, n) for n in range(16)]
    asked = [
        pair.rows_first(InferRequest(f"r{n}", {}, dict(each), (), binary_default=False)) for n, each in enumerate(given)
    ]
    for each, response in zip(given, answer_together(served.engine, "m", asked), strict=True):
        assert is_own(tmp_path, each, response)


def test_server_gets_no_more_rows_than_it_takes(tmp_path: Path, server: FakeServer) -> None:
    """A run of more is split on the axes of its rows; an output of the parts is joined on its own."""
    served = gateway(tmp_path, compressed=far(server, max_rows=4))
    server.bodies.clear()
    given = tensors(10, 0)
    assert is_own(tmp_path, given, answer(served, given))
    sent = [{each["name"]: each["shape"] for each in json.loads(body)["inputs"]} for body in server.bodies if body]
    assert [each["input"][0] for each in sent] == [each["state"][1] for each in sent] == [4, 4, 2]
    assert {len(each["sr"]) for each in sent} == {0}


def test_requests_to_a_server_that_is_away_run_apart(tmp_path: Path, server: FakeServer) -> None:
    """The axes of the other role count; it answers until the server is back."""
    pages, server.pages = dict(server.pages), {}
    server.pages.update({page: (503, {"error": "away"}) for page in pages})
    served = gateway(tmp_path, compressed=far(server, required=False, version="1", probe_seconds=0.05))
    pair = served.pairs["m"]
    assert pair.layout is not None
    assert pair.layout.axes == {"input": 0, "state": 1, "sr": None}
    assert pair.batchability.is_closed
    assert "cannot be reached" in pair.batchability.reason
    given = tensors(3, 1)
    response = answer(served, given)
    assert (response.parameters["served_by"], is_own(tmp_path, given, response)) == ("baseline", True)
    server.pages = pages
    server.add_version("1")

    def is_back() -> bool:
        response = answer(served, given)
        assert is_own(tmp_path, given, response)
        return response.parameters["served_by"] == "compressed"

    eventually(is_back)


def test_likeliest_axes_count_where_none_are_known(tmp_path: Path, server: FakeServer) -> None:
    """Servers that describe their tensors, and do not answer: each request will get there as it came."""
    infer = server.pages.pop("POST /v2/models/m/infer")
    server.pages["GET /v2/models/m/ready"] = (503, b"")
    served = gateway(tmp_path, **{role: far(server, failures=100) for role in Role})
    pair = served.pairs["m"]
    assert pair.layout is not None
    assert pair.layout.axes == {"input": 0, "state": 1, "sr": None}
    assert pair.batchability.is_closed
    server.pages["POST /v2/models/m/infer"] = infer
    given = tensors(3, 1)
    assert is_own(tmp_path, given, answer(served, given))


def test_worker_has_a_breaker_of_its_own(tmp_path: Path, server: FakeServer) -> None:
    """Behind the layout too, as the health of the server is seen through it."""
    model = gateway(tmp_path, compressed=far(server)).pairs["m"].models[Role.COMPRESSED]
    own, other = endpoint_of(model), endpoint_of(independent_copy(model))
    assert own is not None
    assert other is not None
    assert own.breaker is not other.breaker
    assert endpoint_of(model) is own
