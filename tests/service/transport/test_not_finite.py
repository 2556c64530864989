"""NaN and infinity in an input are the caller's error, over every transport; neighbours and the error budget are not
affected.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
import tritonclient.grpc as triton  # type: ignore[import-untyped]
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped]

from tests.support.servers import Server
from tests.support.serving.service_harness import LENGTH

INFER = "/v2/models/plain/infer"
NAN, INF = float("nan"), float("inf")
Rows = npt.NDArray[np.float32]


def binary(client: httpx.Client, rows: Rows, model: str = "plain") -> httpx.Response:
    """Send rows as binary data."""
    parameters = {"binary_data_size": rows.nbytes}
    entry = {"name": "input", "datatype": "FP32", "shape": list(rows.shape), "parameters": parameters}
    head = json.dumps({"inputs": [entry]}).encode()
    headers = {LENGTH: str(len(head))}
    return client.post(f"/v2/models/{model}/infer", content=head + rows.tobytes(), headers=headers)


def text(client: httpx.Client, data: str) -> httpx.Response:
    """Send one row in JSON."""
    body = '{"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 2], "data": %s}]}'
    return client.post(INFER, content=body % data)


def counts(client: httpx.Client) -> dict[str, float]:
    """The requests to the pair by outcome, and the failures of its models."""
    lines = client.get("/metrics").text.splitlines()
    wanted = ("tightrope_requests_total{", "tightrope_model_failures_total{")
    chosen = [line for line in lines if line.startswith(wanted) and 'model="plain"' in line]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in chosen}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([[NAN, 0.0]], "row 0: has nan at [0]"),
        ([[0.0, INF]], "row 0: has inf at [1]"),
        ([[1.0, 0.0], [-INF, 0.0]], "row 1: has -inf at [0]"),
        ([[1.0, 0.0]] * 4000 + [[0.0, NAN]], "row 4000: has nan at [1]"),
    ],
    ids=["nan", "infinity", "second row", "large"],
)
def test_binary_value_is_refused_by_its_row(client: httpx.Client, rows: list[list[float]], told: str) -> None:
    """With 400, the input's name and the place; counted as the caller's error and nothing else."""
    before = counts(client)
    answer = binary(client, np.array(rows, np.float32))
    assert answer.status_code == 400
    assert answer.json()["error"] == f"input 'input', {told}, must be finite unless allow_nan is true"
    after = counts(client)
    changed = {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name, 0.0)}
    assert changed == {'tightrope_requests_total{model="plain",outcome="caller_error"}': 1.0}


@pytest.mark.parametrize("data", ["[NaN, 0]", "[1e39, 0]", "[1e999, 0]", "[null, 0]"])
def test_text_value_is_refused(client: httpx.Client, data: str) -> None:
    """JSON has no NaN and no infinity, and a number that only its datatype cannot hold is no infinity."""
    assert text(client, data).status_code == 400


@pytest.mark.parametrize("value", [1e30, 3e38, 1e-45, -0.0])
def test_any_finite_value_is_taken(client: httpx.Client, value: float) -> None:
    """Also one whose square is infinite."""
    assert binary(client, np.array([[0.0, value]], np.float32)).status_code == 200


def test_text_is_no_number(client: httpx.Client) -> None:
    """Only floats are tested."""
    body = {"inputs": [{"name": "value", "datatype": "BYTES", "shape": [1, 2], "data": ["nan", ""]}]}
    assert client.post("/v2/models/echo_BYTES/infer", json=body).status_code == 200


@pytest.fixture
def grpc_client(server: Server) -> Iterator[Any]:
    """A stock client over gRPC."""
    with triton.InferenceServerClient(server.grpc) as opened:
        yield opened


def test_value_over_grpc_is_refused(grpc_client: Any) -> None:  # noqa: ANN401 - untyped
    """As an invalid argument, with the same text."""
    rows = np.array([[0, 1], [0, NAN]], np.float32)
    with pytest.raises(InferenceServerException, match=r"input 'input', row 1: has nan at \[1\]") as caught:
        grpc_client.infer("plain", [triton.InferInput("input", [2, 2], "FP32").set_data_from_numpy(rows)])
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_neighbours_of_a_refused_request_are_answered(server: Server) -> None:
    """Requests that come at the same time share runs; the refused one joins no run."""
    with httpx.Client(base_url=server.address, timeout=30.0) as client, ThreadPoolExecutor(8) as pool:
        rows = [np.array([[0.0, NAN if i % 4 == 0 else 5.0]], np.float32) for i in range(64)]
        answers = list(pool.map(lambda row: binary(client, row), rows))
    assert [answer.status_code for answer in answers] == [400 if i % 4 == 0 else 200 for i in range(64)]
    assert all("fallback" not in answer.text for answer in answers)
