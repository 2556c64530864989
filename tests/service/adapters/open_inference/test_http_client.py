"""A call has one deadline, whatever the server does with its time; connections are kept."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.support.serving.fake_oip_server import far
from tightrope.service.adapters.open_inference import http_client
from tightrope.service.adapters.open_inference.http_client import Caller
from tightrope.service.adapters.ports import UnreachableError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def wire(*answers: bytes, drip: bytes = b"", close: bool = True) -> Iterator[tuple[str, list[int]]]:
    """A server that sends these bytes, one answer for each connection, then drips or closes; counts connections."""
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


def test_answer_comes_whole_whatever_its_status() -> None:
    """What a status means is the business of whoever asked."""
    with far() as server:
        server.pages["GET /x"] = (418, b"a teapot" * 100_000)
        reply = Caller(server.address, 5.0).ask("GET", "/x")
        assert (reply.status, len(reply.body)) == (418, 800_000)


def test_address_may_have_a_path_and_a_token_is_sent() -> None:
    """Behind an ingress a server often has a prefix, and asks who is there."""
    with far() as server:
        Caller(f"{server.address}/some/where/", 5.0, "secret").ask("POST", "/v2", b"x", {"X-Y": "z"})
        assert server.asked == ["POST /some/where/v2"]
        assert (server.headers[0]["authorization"], server.headers[0]["x-y"]) == ("Bearer secret", "z")


def test_connections_are_used_again() -> None:
    """Twenty calls, one connection."""
    with wire(DONE + DONE * 19, close=False) as (address, accepted):
        asking = Caller(address, 5.0)
        assert [asking.ask("GET", "/").body for _ in range(1)] == [b"ok"]
        assert accepted == [1]


def test_connection_that_the_server_closed_is_replaced() -> None:
    """Idle connections are closed by servers when they like: that is no failure."""
    with wire(DONE, DONE, DONE) as (address, accepted):
        asking = Caller(address, 5.0)
        assert [asking.ask("GET", "/").body for _ in range(3)] == [b"ok"] * 3
        assert len(accepted) == 3


def test_refused_connection_is_told_at_once() -> None:
    """In words, without the names of objects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=r"^\[Errno \d+\] Connection refused$"):
        Caller(f"http://127.0.0.1:{port}", 30.0).ask("GET", "/")
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize(
    ("answer", "drip"), [(b"", b""), (HEAD, b""), (HEAD, b"."), (DONE[:-2], b"")], ids=["mute", "head", "drip", "body"]
)
def test_slow_server_does_not_hold_a_caller_beyond_the_deadline(answer: bytes, drip: bytes) -> None:
    """Saying nothing, stopping in the middle, or one byte at a time: the whole call has one deadline."""
    with wire(answer, answer, drip=drip, close=False) as (address, _):
        began = time.monotonic()
        with pytest.raises(UnreachableError, match=r"no answer within 0\.4 s"):
            Caller(address, 0.4).ask("GET", "/")
        assert 0.3 < time.monotonic() - began < 3.0


def test_next_call_does_not_read_what_was_left_of_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that was given up takes its connection with it."""
    monkeypatch.setattr(http_client, "MOST_BYTES", 1000)
    with far() as server:
        server.pages["GET /long"] = (200, b"x" * 500_000)
        server.pages["GET /short"] = (200, b"short")
        asking = Caller(server.address, 5.0)
        with pytest.raises(UnreachableError, match="more than 1000 bytes"):
            asking.ask("GET", "/long")
        assert asking.ask("GET", "/short").body == b"short"


def test_server_that_closes_without_an_answer_is_unreachable() -> None:
    """Asked twice, because the first may have been an idle connection's end."""
    with wire(b"", b"") as (address, accepted):
        with pytest.raises(UnreachableError):
            Caller(address, 5.0).ask("GET", "/")
        assert len(accepted) == 2


def test_words_that_are_no_http_are_no_answer() -> None:
    """Whatever listens there, it is not the server."""
    with wire(b"220 mail\r\n\r\n", b"220 mail\r\n\r\n") as (address, _), pytest.raises(UnreachableError):
        Caller(address, 5.0).ask("GET", "/")
