"""A remote model is called like a file, and its failures differ from an unreachable server."""

import logging
import time
from collections.abc import Iterator

import numpy as np
import orjson
import pytest

from tests.support.serving.fake_oip_server import INPUT, METADATA, OUTPUT, Answer, FakeServer, class_zero, fake_server
from tests.support.serving.service_harness import eventually
from tightrope.service.adapters.open_inference.model import (
    EndpointError,
    EndpointModel,
    connect,
    independent_copy,
    with_tensors_of,
)
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.protocol.tensors import TensorSpec

ROWS = {"input": np.zeros((1, 2), np.float32)}
INFER = "POST /v2/models/m/infer"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server with the model ``m``."""
    with fake_server() as running:
        yield running


def fails(model: EndpointModel) -> str:
    """The error of a run; empty if it succeeds."""
    with pytest.raises(RunFailedError) as caught:
        model.run(ROWS, ["probabilities"])
    return f"{type(caught.value).__name__}: {caught.value}"


def test_signature_is_that_of_the_server(server: FakeServer) -> None:
    """The tensors are compared with those of the other model at the start."""
    model = connect(server.where())
    assert model.inputs == (TensorSpec("input", "FP32", (-1, 2)),)
    assert model.outputs == (TensorSpec("probabilities", "FP32", (-1, 2)),)


def test_digest_is_of_the_address_the_name_and_the_version(server: FakeServer) -> None:
    """The digest covers the configured version, or else the reported ones; a trailing slash is ignored."""
    first = connect(server.where()).digest
    assert first == connect(server.where(url=f"{server.address}/", timeout=1.0, max_rows=3)).digest
    server.pages["GET /v2/models/m"] = (200, {**METADATA, "versions": ["1", "2"]})
    assert connect(server.where()).digest != first
    server.pages["GET /v2/models/m/versions/2"] = (200, METADATA)
    pinned = connect(server.where(version="2")).digest
    server.pages["GET /v2/models/m/versions/2"] = (200, {**METADATA, "versions": ["2", "3"]})
    assert connect(server.where(version="2")).digest == pinned
    assert len(pinned) == 64


def test_configured_version_is_in_every_path(server: FakeServer) -> None:
    """A pinned version is part of every path."""
    server.add_version("7")
    connect(server.where(version="7")).run(ROWS, ["probabilities"])
    assert server.requests[-1] == "POST /v2/models/m/versions/7/infer"


@pytest.mark.parametrize(("extensions", "binary"), [([], False), (["binary_tensor_data"], True), (["x"], False)])
def test_tensors_travel_in_binary_where_the_server_can(
    server: FakeServer, extensions: list[str], *, binary: bool
) -> None:
    """Binary is faster and holds every value; a server without the extension gets JSON."""
    server.pages["GET /v2"] = (200, {"name": "x", "extensions": extensions})
    server.pages[INFER] = (200, {"outputs": [{**OUTPUT, "shape": [1, 2], "data": [0.5, 0.5]}]})
    connect(server.where()).run(ROWS, ["probabilities"])
    assert ("inference-header-content-length" in server.headers[-1]) is binary


def test_server_without_a_page_about_itself_gets_json(server: FakeServer) -> None:
    """Some servers have no such page."""
    del server.pages["GET /v2"]
    assert connect(server.where()).run(ROWS, ["probabilities"])["probabilities"].tolist() == [[1.0, 0.0]]


def test_many_rows_are_sent_in_several_calls(server: FakeServer) -> None:
    """Calls of at most ``max_rows`` rows are joined in order."""

    def echo(body: bytes) -> Answer:
        entry = orjson.loads(body)["inputs"][0]
        return 200, {"outputs": [{**entry, "name": "probabilities"}]}

    server.pages[INFER] = echo
    rows = np.arange(26, dtype=np.float32).reshape(13, 2)
    answer = connect(server.where(max_rows=5)).run({"input": rows}, ["probabilities"])
    assert answer["probabilities"].tolist() == rows.tolist()
    assert [orjson.loads(body)["inputs"][0]["shape"][0] for body in server.bodies if body] == [5, 5, 3]


def test_model_of_a_fixed_first_dimension_is_not_cut(server: FakeServer) -> None:
    """The rows of one batch belong together."""
    fixed = {**METADATA, "inputs": [{**INPUT, "shape": [4, 2]}]}
    server.pages["GET /v2/models/m"] = (200, fixed)
    connect(server.where(max_rows=2)).run({"input": np.zeros((4, 2), np.float32)}, ["probabilities"])
    assert server.count(INFER) == 1


def test_output_that_is_not_by_rows_is_not_joined(server: FakeServer) -> None:
    """Then all rows are sent in one call, and its answer is whole."""

    def layers(body: bytes) -> Answer:
        rows = orjson.loads(body)["inputs"][0]["shape"][0]
        entry = {**OUTPUT, "shape": [3, rows], "data": [0.5] * 3 * rows}
        return 200, {"outputs": [entry]}

    server.pages[INFER] = layers
    answer = connect(server.where(max_rows=5)).run({"input": np.zeros((13, 2), np.float32)}, ["probabilities"])
    assert answer["probabilities"].shape == (3, 13)
    assert server.count(INFER) == 2


def test_answers_that_do_not_fit_together_are_a_failed_run(server: FakeServer) -> None:
    """Two calls return outputs of different widths."""
    widths = iter([2, 3])

    def answer(_: bytes) -> Answer:
        width = next(widths)
        return 200, {"outputs": [{**OUTPUT, "shape": [1, width], "data": [0.5] * width}]}

    server.pages[INFER] = answer
    with pytest.raises(RunFailedError, match="do not fit together"):
        connect(server.where(max_rows=1)).run({"input": np.zeros((2, 2), np.float32)}, ["probabilities"])


@pytest.mark.parametrize("status", [400, 422, 500])
def test_refused_input_does_not_open_the_breaker(server: FakeServer, status: int) -> None:
    """One caller's bad input must not open the breaker for others."""
    model = connect(server.where(failures=2))
    server.pages[INFER] = (status, {"error": "not these"})
    for _ in range(5):
        assert fails(model) == f"RunFailedError: status {status}: not these"
    server.pages[INFER] = class_zero
    model.run(ROWS, ["probabilities"])


@pytest.mark.parametrize("status", [401, 404, 429, 503])
def test_unavailable_statuses_open_the_breaker(server: FakeServer, status: int) -> None:
    """After some of these statuses calls stop, until a probe succeeds."""
    model = connect(server.where(failures=2, probe=0.05))
    server.pages[INFER] = (status, {"error": "not now"})
    assert [fails(model) for _ in range(2)] == [f"UnreachableError: status {status}: not now"] * 2
    assert fails(model).startswith("UnreachableError: unreachable: ")
    server.pages[INFER] = class_zero
    eventually(lambda: not model.breaker.open_reason or fails(model) == "")
    assert len(model.run(ROWS, ["probabilities"])) == 1


def test_server_that_hangs_in_inference_is_not_back_although_it_is_ready(server: FakeServer) -> None:
    """The probe sends a row of zeros as well, so that no caller's request is spent on it."""
    model = connect(server.where(failures=1, timeout=0.3, probe=0.01))

    def hang(_: bytes) -> Answer:
        time.sleep(0.6)
        return 200, b""

    server.pages[INFER] = hang
    assert fails(model) == "UnreachableError: no answer within 0.3 s"
    slowest = 0.0
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        began = time.monotonic()
        assert fails(model).startswith("UnreachableError: unreachable: ")
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.01)
    assert slowest < 0.2
    assert server.count("GET /v2/models/m/ready") >= 2
    server.pages[INFER] = class_zero
    eventually(lambda: not model.breaker.open_reason or fails(model) == "")


def test_server_that_refuses_zeros_is_back(server: FakeServer) -> None:
    """An error about the input shows that the server is up."""
    model = connect(server.where(failures=1, probe=0.01))
    server.pages[INFER] = (503, {"error": "loading"})
    fails(model)
    server.pages[INFER] = (400, {"error": "zeros are not allowed"})
    eventually(lambda: fails(model).startswith("RunFailedError"))


def test_server_that_returns_with_another_model_is_refused(server: FakeServer) -> None:
    """The reason is reported: the other model is no replacement."""
    model = connect(server.where(failures=1, probe=0.01))
    server.pages[INFER] = (503, {"error": "loading"})
    fails(model)
    server.pages["GET /v2/models/m"] = (200, {**METADATA, "inputs": [{**INPUT, "shape": [-1, 9]}]})
    server.pages[INFER] = class_zero
    eventually(lambda: "(-1, 9)" in fails(model))


def test_unreachable_required_server_stops_the_start(server: FakeServer) -> None:
    """The error names the address, the reason and the remedy."""
    server.pages["GET /v2/models/m"] = (503, {"error": "loading"})
    with pytest.raises(EndpointError, match=r"/v2/models/m: status 503: loading; start it first, or set required: f"):
        connect(server.where())


def test_optional_server_is_used_once_it_is_up(caplog: pytest.LogCaptureFixture) -> None:
    """Until then runs fail at once; it has the tensors of the other model, and an unchanged digest."""
    with fake_server() as server:
        like = connect(server.where())
        where = server.where(version="3", required=False, probe=0.05)
        port = int(server.address.rpartition(":")[2])
    with caplog.at_level(logging.WARNING):
        away = connect(where)
    assert "starting without it" in caplog.text
    model = with_tensors_of(away, like)
    assert isinstance(model, EndpointModel)
    assert (away.inputs, model.inputs, model.outputs) == ((), like.inputs, like.outputs)
    assert fails(model).startswith("UnreachableError: unreachable: ")
    with fake_server(port) as server:
        server.add_version("3")
        server.pages["GET /v2"] = (200, {"name": "far", "extensions": ["binary_tensor_data"]})
        server.pages["POST /v2/models/m/versions/3/infer"] = (
            200, {"outputs": [{**OUTPUT, "shape": [1, 2], "data": [0.5, 0.5]}]},
        )  # fmt: skip
        eventually(lambda: not model.breaker.open_reason or fails(model) == "")
        assert model.run(ROWS, ["probabilities"])["probabilities"].tolist() == [[0.5, 0.5]]
        assert "inference-header-content-length" in server.headers[-1]
        assert model.digest == connect(where).digest == away.digest


def test_unknown_tensors_are_those_of_the_other_model(server: FakeServer) -> None:
    """Missing tensors are taken from the other model; reported ones are kept."""
    like = connect(server.where())
    server.pages["GET /v2/models/m"] = (200, {"name": "m", "inputs": [], "outputs": None})
    silent = connect(server.where())
    assert silent.inputs == ()
    assert with_tensors_of(silent, like).inputs == like.inputs
    assert with_tensors_of(like, silent) is like


def test_independent_copy_has_its_own_breaker(server: FakeServer) -> None:
    """Failures of the shadow's large batches must not open the breaker for callers; the digest is equal."""
    model = connect(server.where(failures=1, probe=60.0))
    other = independent_copy(model)
    assert isinstance(other, EndpointModel)
    assert (other.digest, other.inputs) == (model.digest, model.inputs)
    server.pages[INFER] = (503, {"error": "busy"})
    fails(other)
    server.pages[INFER] = class_zero
    assert fails(other).startswith("UnreachableError: unreachable")
    assert len(model.run(ROWS, ["probabilities"])) == 1
    assert independent_copy(Fixed) is Fixed  # type: ignore[arg-type,comparison-overlap]


class Fixed:
    """A model that is not remote."""


@pytest.mark.parametrize(
    "metadata",
    [
        b"<html>", b"[]", b'{"inputs": [{}], "outputs": [{}]}', b'{"inputs": 3}',
        b'{"inputs": [{"name": "x", "datatype": "BF16", "shape": [1]}]}',
        b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [null]}]}',
    ],
)  # fmt: skip
def test_unusable_metadata_are_refused_in_one_line(server: FakeServer, metadata: bytes) -> None:
    """The error names the address."""
    server.pages["GET /v2/models/m"] = (200, metadata)
    with pytest.raises(EndpointError, match="/v2/models/m: its ") as caught:
        connect(server.where())
    assert "\n" not in str(caught.value)
