"""Mutated requests against a running server, over HTTP with JSON and with binary tensors, and over gRPC.

None is answered as the server's fault, a good caller beside them is answered within a second each time, and memory
stays below the bound that the server prints at its start. The generators have a fixed seed; `make fuzz` sends many
more requests, from a seed of its own.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.support.configs import write_config
from tests.support.fuzz.good_client import GoodClient, peak_bytes
from tests.support.fuzz.grpc_calls import grpc_calls
from tests.support.fuzz.http_requests import ECHOES, HttpRequest, binary_requests, json_requests
from tests.support.fuzz.http_sender import HttpSender
from tests.support.fuzz.mutations import seeded
from tests.support.servers import Server, serving
from tests.support.serving.model_pairs import all_pairs
from tightrope.service.config.process.server import ServerSection
from tightrope.service.transport.grpc.servicer import SERVICE
from tightrope.service.transport.memory_bound import memory_bound

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "1000"))
"""Requests of each test."""
SEED = int(os.environ.get("FUZZ_SEED", "15"))
LIMITS = {
    "max_body_bytes": 1 << 20,
    "limits": {"connections": 32, "connections_per_peer": 32, "decodings": 2, "grpc_calls": 8},
}
"""Narrow limits, so that the bound on memory that follows of them is narrow, too."""
MODELS = ("plain", "modes", "escalate", "abstain", *(f"echo_{datatype}" for datatype in ECHOES))

SERVER_FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of models that answer every request that fits them."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    pairs = {name: pair for name, pair in all_pairs(folder).items() if name in MODELS}
    section = {"port": 0, "grpc_port": 0, **LIMITS}
    with serving(write_config(folder, {"models": pairs, "state": "state", "server": section})) as running:
        yield running


@pytest.fixture
def good(server: Server) -> Iterator[GoodClient]:
    """A good caller, and what must hold of it and of the server at the end."""
    with GoodClient(server) as client:
        before = peak_bytes(server)
        yield client
        client.assert_served()
        assert peak_bytes(server) - before < memory_bound(ServerSection.model_validate({"grpc_port": 0, **LIMITS}))
    assert server.process.poll() is None


def send_all(server: Server, requests: Iterator[HttpRequest]) -> Counter[int]:
    """Send the requests one after another, and return how often each status came."""
    statuses: Counter[int] = Counter()
    with HttpSender(server.address) as sender:
        for request in requests:
            status, body = sender.send(request)
            statuses[status] += 1
            assert status < 500 or status == 503, (request, body)
            if status >= 400 and request.method != "HEAD":
                assert [*json.loads(body)] == ["error"], (request, body)
    return statuses


def test_mutated_documents_are_no_fault_of_the_server(server: Server, good: GoodClient) -> None:
    """Inference, labels, orders, deployments, payload events, and the queries of all pages."""
    statuses = send_all(server, json_requests(seeded(SEED), REQUESTS))
    assert {200, 202, 400, 401, 404} <= {*statuses}, statuses
    assert not good.failures


def test_mutated_tensors_are_no_fault_of_the_server(server: Server, good: GoodClient) -> None:
    """Shapes, sizes, lengths and bytes that do not agree, of every kind of datatype."""
    statuses = send_all(server, binary_requests(seeded(SEED), REQUESTS))
    assert {200, 400} <= {*statuses}, statuses
    assert not good.failures


def test_mutated_calls_are_no_fault_of_the_server(server: Server, good: GoodClient) -> None:
    """Messages of every call, one by one and in a stream."""
    codes: Counter[grpc.StatusCode] = Counter()
    streamed: list[bytes] = []
    with grpc.insecure_channel(server.grpc) as channel:
        for method, message in grpc_calls(seeded(SEED), REQUESTS):
            call = channel.unary_unary(f"/{SERVICE}/{method}").future(message, timeout=30.0)
            codes[call.code()] += 1
            assert call.code() not in SERVER_FAULTS, (method, message, call.details())
            streamed += [message] if method == "ModelInfer" else []
        answers = list(channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")(iter(streamed[:500]), timeout=60.0))
    assert len(answers) == len(streamed[:500])
    assert {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND} <= {*codes}, codes
    assert not good.failures
