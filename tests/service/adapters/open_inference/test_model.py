"""A model on another server is asked as a file is, and told apart from one that is not there."""

import logging
import time
from collections.abc import Iterator

import numpy as np
import orjson
import pytest

from tests.support.serving.fake_oip_server import GIVEN, METADATA, TENSOR, Answer, Far, certain, far
from tests.support.serving.service_harness import eventually
from tightrope.service.adapters.open_inference.model import EndpointError, EndpointModel, apart, assume, connect
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.protocol.tensors import TensorSpec

ROWS = {"input": np.zeros((1, 2), np.float32)}
INFER = "POST /v2/models/m/infer"


@pytest.fixture
def server() -> Iterator[Far]:
    """A server with the model ``m``."""
    with far() as running:
        yield running


def fails(model: EndpointModel) -> str:
    """How a run fails."""
    with pytest.raises(RunFailedError) as caught:
        model.run(ROWS, ["probabilities"])
    return f"{type(caught.value).__name__}: {caught.value}"


def test_signature_is_what_the_server_tells(server: Far) -> None:
    """So that it can be checked against the other model's at start."""
    model = connect(server.where())
    assert model.inputs == (TensorSpec("input", "FP32", (-1, 2)),)
    assert model.outputs == (TensorSpec("probabilities", "FP32", (-1, 2)),)


def test_digest_is_of_the_address_the_name_and_the_version(server: Far) -> None:
    """The version that was asked for; otherwise those that were told. A trailing slash is the same address."""
    first = connect(server.where()).digest
    assert first == connect(server.where(url=f"{server.address}/", timeout=1.0, max_rows=3)).digest
    server.pages["GET /v2/models/m"] = (200, {**METADATA, "versions": ["1", "2"]})
    assert connect(server.where()).digest != first
    server.pages["GET /v2/models/m/versions/2"] = (200, METADATA)
    pinned = connect(server.where(version="2")).digest
    server.pages["GET /v2/models/m/versions/2"] = (200, {**METADATA, "versions": ["2", "3"]})
    assert connect(server.where(version="2")).digest == pinned
    assert len(pinned) == 64


def test_version_is_asked_for(server: Far) -> None:
    """Whoever pins a version gets no other."""
    server.version("7")
    connect(server.where(version="7")).run(ROWS, ["probabilities"])
    assert server.asked[-1] == "POST /v2/models/m/versions/7/infer"


@pytest.mark.parametrize(("extensions", "binary"), [([], False), (["binary_tensor_data"], True), (["x"], False)])
def test_tensors_travel_in_binary_where_the_server_can(server: Far, extensions: list[str], *, binary: bool) -> None:
    """It is faster, and holds every value; a server that does not announce it gets JSON."""
    server.pages["GET /v2"] = (200, {"name": "x", "extensions": extensions})
    server.pages[INFER] = (200, {"outputs": [{**GIVEN, "shape": [1, 2], "data": [0.5, 0.5]}]})
    connect(server.where()).run(ROWS, ["probabilities"])
    assert ("inference-header-content-length" in server.headers[-1]) is binary


def test_server_without_a_page_about_itself_gets_json(server: Far) -> None:
    """Some have none."""
    del server.pages["GET /v2"]
    assert connect(server.where()).run(ROWS, ["probabilities"])["probabilities"].tolist() == [[1.0, 0.0]]


def test_many_rows_are_sent_in_several_calls(server: Far) -> None:
    """As many as the server takes at a time, in order; the caller does not see it."""

    def echo(body: bytes) -> Answer:
        entry = orjson.loads(body)["inputs"][0]
        return 200, {"outputs": [{**entry, "name": "probabilities"}]}

    server.pages[INFER] = echo
    rows = np.arange(26, dtype=np.float32).reshape(13, 2)
    answer = connect(server.where(max_rows=5)).run({"input": rows}, ["probabilities"])
    assert answer["probabilities"].tolist() == rows.tolist()
    assert [orjson.loads(body)["inputs"][0]["shape"][0] for body in server.bodies if body] == [5, 5, 3]


def test_model_of_a_fixed_first_dimension_is_not_cut(server: Far) -> None:
    """Its rows belong together."""
    fixed = {**METADATA, "inputs": [{**TENSOR, "shape": [4, 2]}]}
    server.pages["GET /v2/models/m"] = (200, fixed)
    connect(server.where(max_rows=2)).run({"input": np.zeros((4, 2), np.float32)}, ["probabilities"])
    assert server.count(INFER) == 1


def test_answers_that_do_not_fit_together_are_a_failed_run(server: Far) -> None:
    """Two calls, outputs of different widths."""
    widths = iter([2, 3])

    def answer(_: bytes) -> Answer:
        width = next(widths)
        return 200, {"outputs": [{**GIVEN, "shape": [1, width], "data": [0.5] * width}]}

    server.pages[INFER] = answer
    with pytest.raises(RunFailedError, match="do not fit together"):
        connect(server.where(max_rows=1)).run({"input": np.zeros((2, 2), np.float32)}, ["probabilities"])


@pytest.mark.parametrize("status", [400, 422, 500])
def test_input_that_it_refuses_is_no_sign_of_absence(server: Far, status: int) -> None:
    """However often: bad input of one caller must not cost others the model."""
    model = connect(server.where(failures=2))
    server.pages[INFER] = (status, {"error": "not these"})
    for _ in range(5):
        assert fails(model) == f"RunFailedError: status {status}: not these"
    server.pages[INFER] = certain
    model.run(ROWS, ["probabilities"])


@pytest.mark.parametrize("status", [401, 404, 429, 503])
def test_server_that_says_that_it_cannot_is_away(server: Far, status: int) -> None:
    """After a few such answers it is left alone, and asked again as soon as it is back."""
    model = connect(server.where(failures=2, probe=0.05))
    server.pages[INFER] = (status, {"error": "not now"})
    assert [fails(model) for _ in range(2)] == [f"UnreachableError: status {status}: not now"] * 2
    assert fails(model).startswith("UnreachableError: away: ")
    server.pages[INFER] = certain
    eventually(lambda: not model.breaker.away or fails(model) == "")
    assert len(model.run(ROWS, ["probabilities"])) == 1


def test_server_that_hangs_in_inference_is_not_back_though_it_says_ready(server: Far) -> None:
    """Readiness is what it says; a row of zeros is what it does. Nobody's request is spent on finding out."""
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
        assert fails(model).startswith("UnreachableError: away: ")
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.01)
    assert slowest < 0.2
    assert server.count("GET /v2/models/m/ready") >= 2
    server.pages[INFER] = certain
    eventually(lambda: not model.breaker.away or fails(model) == "")


def test_server_that_refuses_zeros_is_back_all_the_same(server: Far) -> None:
    """It looked at them."""
    model = connect(server.where(failures=1, probe=0.01))
    server.pages[INFER] = (503, {"error": "loading"})
    fails(model)
    server.pages[INFER] = (400, {"error": "zeros are not allowed"})
    eventually(lambda: fails(model).startswith("RunFailedError"))


def test_server_that_comes_back_with_another_model_stays_away(server: Far) -> None:
    """With the reason: one cannot stand in for the other."""
    model = connect(server.where(failures=1, probe=0.01))
    server.pages[INFER] = (503, {"error": "loading"})
    fails(model)
    server.pages["GET /v2/models/m"] = (200, {**METADATA, "inputs": [{**TENSOR, "shape": [-1, 9]}]})
    server.pages[INFER] = certain
    eventually(lambda: "(-1, 9)" in fails(model))


def test_required_server_that_is_not_there_stops_the_start(server: Far) -> None:
    """With the address, the reason, and what to do."""
    server.pages["GET /v2/models/m"] = (503, {"error": "loading"})
    with pytest.raises(EndpointError, match=r"/v2/models/m: status 503: loading; start it first, or set required: f"):
        connect(server.where())


def test_server_that_need_not_be_there_is_taken_when_it_comes(caplog: pytest.LogCaptureFixture) -> None:
    """Until then runs fail at once; what it takes is what the other model takes, and its digest is the same."""
    with far() as server:
        like = connect(server.where())
        where = server.where(version="3", required=False, probe=0.05)
        port = int(server.address.rpartition(":")[2])
    with caplog.at_level(logging.WARNING):
        away = connect(where)
    assert "starting without it" in caplog.text
    model = assume(away, like)
    assert isinstance(model, EndpointModel)
    assert (away.inputs, model.inputs, model.outputs) == ((), like.inputs, like.outputs)
    assert fails(model).startswith("UnreachableError: away: ")
    with far(port) as server:
        server.version("3")
        server.pages["GET /v2"] = (200, {"name": "far", "extensions": ["binary_tensor_data"]})
        server.pages["POST /v2/models/m/versions/3/infer"] = (
            200, {"outputs": [{**GIVEN, "shape": [1, 2], "data": [0.5, 0.5]}]},
        )  # fmt: skip
        eventually(lambda: not model.breaker.away or fails(model) == "")
        assert model.run(ROWS, ["probabilities"])["probabilities"].tolist() == [[0.5, 0.5]]
        assert "inference-header-content-length" in server.headers[-1]
        assert model.digest == connect(where).digest == away.digest


def test_server_that_does_not_know_its_tensors_is_held_to_the_other_models(server: Far) -> None:
    """Some tell only a name; what is told is not replaced."""
    like = connect(server.where())
    server.pages["GET /v2/models/m"] = (200, {"name": "m", "inputs": [], "outputs": None})
    silent = connect(server.where())
    assert silent.inputs == ()
    assert assume(silent, like).inputs == like.inputs
    assert assume(like, silent) is like


def test_other_part_of_the_process_has_its_own_word_on_absence(server: Far) -> None:
    """The shadow's large batches may fail without costing callers the model; it is the same model all the same."""
    model = connect(server.where(failures=1, probe=60.0))
    other = apart(model)
    assert isinstance(other, EndpointModel)
    assert (other.digest, other.inputs) == (model.digest, model.inputs)
    server.pages[INFER] = (503, {"error": "busy"})
    fails(other)
    server.pages[INFER] = certain
    assert fails(other).startswith("UnreachableError: away")
    assert len(model.run(ROWS, ["probabilities"])) == 1
    assert apart(Fixed) is Fixed  # type: ignore[arg-type,comparison-overlap]


class Fixed:
    """A model that is no endpoint."""


@pytest.mark.parametrize(
    "metadata",
    [
        b"<html>", b"[]", b'{"inputs": [{}], "outputs": [{}]}', b'{"inputs": 3}',
        b'{"inputs": [{"name": "x", "datatype": "BF16", "shape": [1]}]}',
        b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [null]}]}',
    ],
)  # fmt: skip
def test_metadata_that_cannot_be_used_are_refused_in_one_line(server: Far, metadata: bytes) -> None:
    """Whatever answers there; the address is named."""
    server.pages["GET /v2/models/m"] = (200, metadata)
    with pytest.raises(EndpointError, match="/v2/models/m: its ") as caught:
        connect(server.where())
    assert "\n" not in str(caught.value)
