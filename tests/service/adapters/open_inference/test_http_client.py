"""A call has one deadline for all its steps; connections are reused."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import urllib3

from tests.support.serving.fake_oip_server import fake_server
from tightrope.service.adapters.open_inference import http_client
from tightrope.service.adapters.open_inference.http_client import HttpClient
from tightrope.service.adapters.ports import UnreachableError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def wire(*answers: bytes, drip: bytes = b"", close: bool = True) -> Iterator[tuple[str, list[int]]]:
    """A server that answers each connection with the next bytes, then drips or closes; it counts connections."""
    accepted: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stopping = threading.Event()

        def serve() -> None:
            held = []
            for answer in answers:
                with suppress(OSError):
                    connection, _ = listener.accept()
                    held.append(connection)
                    accepted.append(1)
                    if answer or not close:
                        connection.recv(65536)
                    connection.sendall(answer)
                    while drip and not stopping.wait(0.05):
                        connection.sendall(drip)
                    if close:
                        connection.close()
            stopping.wait(30.0)
            for connection in held:
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", accepted
        finally:
            stopping.set()
            with suppress(OSError):
                socket.create_connection(listener.getsockname(), 1.0).close()
            thread.join(10.0)


def test_response_is_complete_with_any_status() -> None:
    """The caller interprets the status."""
    with fake_server() as server:
        server.pages["GET /x"] = (418, b"a teapot" * 100_000)
        reply = HttpClient(server.address, 5.0).request("GET", "/x")
        assert (reply.status, len(reply.body)) == (418, 800_000)


def test_address_may_have_a_path_and_a_token_is_sent() -> None:
    """A server behind an ingress often has a prefix and requires a token."""
    with fake_server() as server:
        HttpClient(f"{server.address}/some/where/", 5.0, "secret").request("POST", "/v2", b"x", {"X-Y": "z"})
        assert server.requests == ["POST /some/where/v2"]
        assert (server.headers[0]["authorization"], server.headers[0]["x-y"]) == ("Bearer secret", "z")


def test_connections_are_reused() -> None:
    """Twenty calls use one connection."""
    with wire(DONE + DONE * 19, close=False) as (address, accepted):
        asking = HttpClient(address, 5.0)
        assert [asking.request("GET", "/").body for _ in range(1)] == [b"ok"]
        assert accepted == [1]


def test_connection_that_the_server_closed_is_replaced() -> None:
    """A server may close idle connections; that is no failure."""
    with wire(DONE, DONE, DONE) as (address, accepted):
        asking = HttpClient(address, 5.0)
        assert [asking.request("GET", "/").body for _ in range(3)] == [b"ok"] * 3
        assert len(accepted) == 3


def test_refused_connection_is_reported_at_once() -> None:
    """The error has no names of library objects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=r"^\[Errno \d+\] Connection refused$"):
        HttpClient(f"http://127.0.0.1:{port}", 30.0).request("GET", "/")
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize(
    ("answer", "drip"), [(b"", b""), (HEAD, b""), (HEAD, b"."), (DONE[:-2], b"")], ids=["mute", "head", "drip", "body"]
)
def test_slow_server_does_not_delay_a_caller_beyond_the_deadline(answer: bytes, drip: bytes) -> None:
    """A silent, stalled or dripping response ends at the deadline."""
    with wire(answer, answer, drip=drip, close=False) as (address, _):
        began = time.monotonic()
        with pytest.raises(UnreachableError, match=r"no answer within 0\.4 s"):
            HttpClient(address, 0.4).request("GET", "/")
        assert 0.3 < time.monotonic() - began < 3.0


def test_next_call_does_not_read_the_rest_of_the_last_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of an abandoned response is closed."""
    monkeypatch.setattr(http_client, "MAX_RESPONSE_BYTES", 1000)
    with fake_server() as server:
        server.pages["GET /long"] = (200, b"x" * 500_000)
        server.pages["GET /short"] = (200, b"short")
        asking = HttpClient(server.address, 5.0)
        with pytest.raises(UnreachableError, match="more than 1000 bytes"):
            asking.request("GET", "/long")
        assert asking.request("GET", "/short").body == b"short"


def test_server_that_closes_without_an_answer_is_unreachable() -> None:
    """The request is sent twice, because the first connection may have been idle."""
    with wire(b"", b"") as (address, accepted):
        with pytest.raises(UnreachableError):
            HttpClient(address, 5.0).request("GET", "/")
        assert len(accepted) == 2


def test_text_that_is_not_http_is_unreachable() -> None:
    """The listener is not an HTTP server."""
    with wire(b"220 mail\r\n\r\n", b"220 mail\r\n\r\n") as (address, _), pytest.raises(UnreachableError):
        HttpClient(address, 5.0).request("GET", "/")


def test_relay_is_connected_to_and_the_server_named() -> None:
    """The request names the server itself, as one of many names needs it."""
    with fake_server() as server:
        server.pages["GET /base/x"] = (200, b"ok")
        client = HttpClient("http://models.example:8000/base", 5.0, relay=server.address.removeprefix("http://"))
        assert client.request("GET", "/x").body == b"ok"
        assert server.headers[-1]["host"] == "models.example:8000"


def test_certificate_behind_a_relay_is_the_servers() -> None:
    """Its name is checked, not that of the relay."""
    pool = HttpClient("https://models.example/base", 5.0, relay="127.0.0.1:9")._pool
    assert isinstance(pool, urllib3.HTTPSConnectionPool)
    assert (pool.host, pool.port, pool.assert_hostname) == ("127.0.0.1", 9, "models.example")
    assert pool.conn_kw["server_hostname"] == "models.example"
