"""Limits of requests by raw sockets against a real server: sizes in memory, in rows, in depth, and gRPC's calls."""

import gzip
import json
import threading
import time
from collections.abc import Iterator

import grpc
import numpy as np
import pytest

from tests.service.transport.http.test_asgi_floods import Memory
from tests.support.servers import Server
from tests.support.serving.limited_server import GOOD, MB, SECTION, infer, serving_limited
from tests.support.serving.protocol_connection import post
from tests.support.serving.raw_caller import RawCaller
from tests.support.serving.service_harness import AUTH, LENGTH, body
from tightrope.service.config.process.server import ServerSection
from tightrope.service.transport.grpc.messages import ModelInferRequest
from tightrope.service.transport.grpc.servicer import SERVICE
from tightrope.service.transport.memory_bound import memory_bound


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server with small limits."""
    with serving_limited(tmp_path_factory.mktemp("limited")) as running:
        yield running


def test_bytes_in_flight_are_bounded(limited: Server) -> None:
    """A body that finds no room gets 503 and may retry; small requests are answered meanwhile."""
    with RawCaller(limited.address) as holder, RawCaller(limited.address) as second:
        holder.send(post(b"[" * 2 * MB)[: -MB // 8])
        time.sleep(0.3)
        status, error = second.send(post(b"[" * (2 * MB - 1))).final()
        assert (status, "server.limits.bytes_in_flight" in error) == (503, True)
        assert infer(limited, GOOD)[0] == 200
    time.sleep(0.2)
    assert infer(limited, b" " * (2 * MB - 1))[0] == 400


@pytest.mark.parametrize(("rows", "key"), [(101, "rows"), (76, "elements")], ids=["rows", "elements"])
@pytest.mark.parametrize("form", ["JSON", "nested", "binary", "gRPC"])
def test_rows_and_elements_are_bounded(limited: Server, form: str, rows: int, key: str) -> None:
    """413, and RESOURCE_EXHAUSTED over gRPC, in every form of a request."""
    values = np.ones((rows, 2), "<f4")
    if form == "gRPC":
        message = ModelInferRequest(model_name="m", raw_input_contents=[values.tobytes()])
        message.inputs.add(name="input", datatype="FP32", shape=values.shape)
        with grpc.insecure_channel(limited.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(f"/{SERVICE}/ModelInfer")(message.SerializeToString())
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert f"server.limits.{key}" in caught.value.details()
        return
    tensor = {"name": "input", "shape": values.shape, "datatype": "FP32"}
    if form == "binary":
        head = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": values.nbytes}}]}).encode()
        status, error = infer(limited, head + values.tobytes(), **{LENGTH: str(len(head))})
    else:
        data = values.tolist() if form == "nested" else values.ravel().tolist()
        status, error = infer(limited, json.dumps({"inputs": [{**tensor, "data": data}]}).encode())
    assert (status, f"server.limits.{key}" in error) == (413, True)


def test_grpc_calls_are_bounded(limited: Server) -> None:
    """One too many is refused, and taken once another has ended."""
    path = f"/{SERVICE}/ModelStreamInfer"
    message = ModelInferRequest(model_name="m", raw_input_contents=[np.ones(2, "<f4").tobytes()])
    message.inputs.add(name="input", datatype="FP32", shape=[1, 2])
    ends = [threading.Event() for _ in range(9)]

    def requests(end: threading.Event) -> Iterator[bytes]:
        yield message.SerializeToString()
        end.wait(30.0)

    with grpc.insecure_channel(limited.grpc) as channel:
        calls = [channel.stream_stream(path)(requests(end)) for end in ends[:8]]
        assert all(next(call) for call in calls)
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(f"/{SERVICE}/ModelInfer")(message.SerializeToString())
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        ends[0].set()
        assert list(calls[0]) == []
        assert channel.unary_unary(f"/{SERVICE}/ModelInfer")(message.SerializeToString())
        for end in ends:
            end.set()


def test_memory_stays_below_the_bound(limited: Server) -> None:
    """As many callers as there may be send the densest JSON at once; those without room may retry."""
    dense = b'{"inputs":[{"name":"input","datatype":"FP32","shape":[400000,1],"data":[' + b"[0]," * 480_000
    memory = Memory(limited)
    callers = [RawCaller(limited.address, f"127.0.3.{number}") for number in range(20)]
    sending = [threading.Thread(target=caller.send, args=(post(dense + b"[0]]}]}"),)) for caller in callers]
    for thread in sending:
        thread.start()
    statuses = {caller.response()[0] for caller in callers}
    for thread, caller in zip(sending, callers, strict=True):
        thread.join()
        caller.socket.close()
    assert 400 in statuses
    assert statuses <= {400, 503}
    assert memory.growth() < memory_bound(ServerSection.model_validate(SECTION))


def test_request_at_its_limits_is_answered(limited: Server) -> None:
    """75 rows of two elements are the most elements."""
    assert infer(limited, json.dumps(body([[0.0, 1.0]] * 75)).encode())[0] == 200


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (gzip.compress(GOOD + b" " * (2 * MB)), 413, "(server.max_body_bytes)"),
        (gzip.compress(b" " * (MB + MB // 2)), 413, "(server.limits.inflation_ratio)"),
        (gzip.compress(GOOD + b" " * (MB // 2)), 200, ""),
    ],
    ids=["size", "ratio", "within"],
)
def test_inflation_is_bounded(limited: Server, content: bytes, status: int, words: str) -> None:
    """By the size of a body, and by the ratio where that is more than a mebibyte."""
    if "max_body" in words:
        content = gzip.compress(np.random.default_rng(1).bytes(40_000) + b" " * (2 * MB))
    answer, error = infer(limited, content, **{"Content-Encoding": "gzip"})
    assert (answer, words in error) == (status, True), error


@pytest.mark.parametrize("path", ["/v2/models/m/infer", "/v1/models/m/labels", "/v1/models/m/force-safe"])
@pytest.mark.parametrize(
    "content",
    [
        b"[" * 11 + b"]" * 11,
        b'{"a":' * 11 + b"1" + b"}" * 11,
        b"[" * 100_000,
        b'{"a":[' * 50_000,
        GOOD[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
    ids=["arrays", "objects", "open", "mixed", "ignored field"],
)
def test_depth_of_json_is_bounded(limited: Server, path: str, content: bytes) -> None:
    """400 on every path that parses JSON, and no traceback."""
    with RawCaller(limited.address) as caller:
        authorised = {name.replace("-", "_"): value for name, value in AUTH.items()}
        request = post(content, path, Content_Type="application/json", **authorised)
        status, document = caller.send(request).response()
    assert (status, "server.limits.json_depth" in document["error"]) == (400, True), document
