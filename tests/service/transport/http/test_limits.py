"""Limits of connections and heads by raw sockets against a real server: the status, the key that the answer names, and
that the server goes on.
"""

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support.servers import Server
from tests.support.serving.limited_server import GOOD, KB, LIMITS, MB, infer, serving_limited
from tests.support.serving.protocol_connection import chunked, post
from tests.support.serving.raw_caller import RawCaller
from tests.support.serving.service_harness import body
from tightrope.service.adapters.prometheus.connection_catalogue import CONNECTION_LIMITS, PIPELINED


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server with small limits."""
    with serving_limited(tmp_path_factory.mktemp("limited")) as running:
        yield running


def call(server: Server, data: bytes) -> tuple[int, str]:
    """The last response to this data."""
    with RawCaller(server.address) as caller:
        return caller.send(data).final()


def refusals(server: Server) -> dict[str, int]:
    """The connections that a server counts as refused, by reason; over a new connection: the kept one counts among its
    peer's, and ends when it was idle.
    """
    name = 'tightrope_refused_connections_total{reason="'
    lines = httpx.get(f"{server.address}/metrics").text.splitlines()
    found = [line.removeprefix(name).split('"} ') for line in lines if line.startswith(name)]
    return {reason: int(float(count)) for reason, count in found}


HEAD = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: h\r\n"
ENDLESS = b"x" * (8 * MB)
CHUNK = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1"


@pytest.mark.parametrize(
    ("data", "status", "key"),
    [
        (post(path="/v2/models/" + "m" * 600 + "/infer"), 414, "url_bytes"),
        (b"GET /" + ENDLESS, 414, "url_bytes"),
        (post(**{f"X-{number}": "1" for number in range(30)}), 431, "headers"),
        (post(**{"X-Large": "x" * 3 * KB}), 431, "header_bytes"),
        (HEAD + b"X: " + ENDLESS, 431, "header_bytes"),
        (HEAD + b"X" + ENDLESS, 431, "header_bytes"),
        (HEAD + b"X: y\r\n" * MB, 431, "headers"),
        (CHUNK + b"\r\n{\r\n0\r\nX: " + ENDLESS, 431, "header_bytes"),
        (CHUNK + b";x=" + ENDLESS, 431, "header_bytes"),
    ],
    ids=[
        "url",
        "endless url",
        "headers",
        "header",
        "endless header",
        "endless name",
        "header flood",
        "trailer",
        "chunk",
    ],
)
def test_head_is_bounded(limited: Server, data: bytes, status: int, key: str) -> None:
    """The line names the limit and its key, and the connection ends, whether or not the caller goes on sending."""
    answer, error = call(limited, data)
    assert (answer, f"server.limits.{key}" in error) == (status, True), error
    assert infer(limited, GOOD)[0] == 200


def test_refused_connections_are_counted_by_key(limited: Server) -> None:
    """Once each; a sound request, bytes that are no HTTP, and a body with too many rows are not among them."""
    before = refusals(limited)
    for data in (post(path="/" + "m" * 600), HEAD + b"X: y\r\n" * 30, HEAD + b"X: " + ENDLESS, HEAD):
        call(limited, data)
    call(limited, post(b"", "/v2/health/live", method="GET") * 500)
    assert infer(limited, GOOD)[0] == 200
    assert call(limited, b"no HTTP\r\n\r\n")[0] == 400
    assert infer(limited, json.dumps(body([[0.0, 1.0]] * 101)).encode())[0] == 413
    after = refusals(limited)
    assert after.keys() == set(CONNECTION_LIMITS)
    counted = {reason: after[reason] - before[reason] for reason in after if after[reason] != before[reason]}
    assert counted == dict.fromkeys(("url_bytes", "headers", "header_bytes", "head_seconds", PIPELINED), 1)


def test_head_at_its_limits_is_taken(limited: Server) -> None:
    """Nothing is refused that is within them, also when it comes in pieces after another request."""
    path = "/v2/models/m/infer?" + "x" * (512 - len("/v2/models/m/infer?"))
    headers = {f"X-{number}": "y" * 90 for number in range(18)}
    with RawCaller(limited.address) as caller:
        for part in (post() + post(path=path, **headers)[:700], post(path=path, **headers)[700:]):
            caller.send(part)
            time.sleep(0.05)
        assert [caller.response()[0]] == [200]


def test_large_head_behind_another_request_is_refused(limited: Server) -> None:
    """In one piece with it; its response is sent first."""
    with RawCaller(limited.address) as caller:
        received = caller.send(post() + post(**{"X-Large": "x" * 3 * KB})).read_all()
    statuses = [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 431]


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (HEAD, "head_seconds"),
        (b"\r\nG", "head_seconds"),
        (post() + HEAD, "head_seconds"),
        (post()[:-5], "body_seconds"),
        (chunked()[:-9], "body_seconds"),
        (post(path="/v1/models/m/labels")[:-5], "body_seconds"),
    ],
    ids=["head", "first byte", "second head", "body", "chunked body", "other body"],
)
def test_half_sent_request_is_answered_with_408(limited: Server, data: bytes, key: str) -> None:
    """In the configured time and a second more, and not before it."""
    began = time.monotonic()
    status, error = call(limited, data)
    assert (status, f"server.limits.{key}" in error) == (408, True), error
    assert LIMITS[key] - 0.2 < time.monotonic() - began < LIMITS[key] + 4.0


def test_slow_drip_does_not_extend_the_time(limited: Server) -> None:
    """A byte now and then keeps no connection open."""
    began = time.monotonic()
    with RawCaller(limited.address) as caller:
        caller.send(HEAD)
        for _ in range(16):
            caller.send(b"X")
            time.sleep(0.1)
        assert caller.final()[0] == 408
    assert time.monotonic() - began < 5.0


def test_connections_of_one_peer_are_bounded(limited: Server) -> None:
    """429 for one too many; other addresses connect, and the peer does again once it has closed one."""
    callers = [RawCaller(limited.address, "127.0.0.7") for _ in range(12)]
    with RawCaller(limited.address, "127.0.0.7") as refused:
        status, error = refused.final()
    assert (status, "server.limits.connections_per_peer" in error) == (429, True)
    assert refusals(limited)["connections_per_peer"] == 1
    assert infer(limited, GOOD)[0] == 200
    callers.pop().socket.close()
    time.sleep(0.1)
    with RawCaller(limited.address, "127.0.0.7") as again:
        assert again.send(post()).response()[0] == 200
    for caller in callers:
        caller.socket.close()


def test_connections_in_all_are_bounded(limited: Server) -> None:
    """503 for one too many, and those that are open are served."""
    time.sleep(0.2)  # those of the test before are closed
    callers = [RawCaller(limited.address, f"127.0.1.{number // 10}") for number in range(10, 30)]
    with RawCaller(limited.address, "127.0.2.1") as refused:
        status, error = refused.send(post()).final()
    assert (status, "server.limits.connections)" in error) == (503, True)
    assert [caller.send(post()).response()[0] for caller in callers] == [200] * 20
    for caller in callers:
        caller.socket.close()
    time.sleep(0.2)
    assert infer(limited, GOOD)[0] == 200


def test_pipelined_requests_are_bounded(limited: Server) -> None:
    """Those that are owed are answered in order, one that is too many is refused, and no more is read."""
    with RawCaller(limited.address) as caller:
        received = caller.send(post(b"", "/v2/health/live", method="GET") * 500).read_all()
    statuses = [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]
    assert (set(statuses[:-1]), statuses[-1]) == ({200}, 429)
    assert len(statuses) < 100
