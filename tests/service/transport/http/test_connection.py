"""A connection loses nothing that was sent: not to an upgrade, not to a caller that sends no more, not to a server that
stops.
"""

import asyncio
import socket
from typing import Any

import pytest

from tests.support.serving.asgi_harness import LayerHarness
from tests.support.serving.protocol_connection import Answers, Connection, chunked, post

UPGRADE: dict[str, Any] = {
    "Connection": "Upgrade, HTTP2-Settings",
    "Upgrade": "h2c",
    "HTTP2-Settings": "AAMAAABkAAQAAP__",
}
HIDDEN = post(b"", "/v1/hidden", method="GET")
"""A request that stands in the body of another."""


def ask(world: LayerHarness, *pieces: bytes, count: int = 1) -> tuple[Answers, Connection]:
    """Send these bytes, and return the responses and the connection."""

    async def run() -> tuple[Answers, Connection]:
        connection = Connection(world.layer)
        for piece in pieces:
            connection.protocol.data_received(piece)
        answers = await connection.answers(count)
        await asyncio.sleep(0.02)
        return Answers(connection.transport.written) if len(answers.bodies) == count else answers, connection

    return asyncio.run(run())


def paths(world: LayerHarness) -> list[str]:
    """The paths that reached the application behind the layer."""
    return [path for _, path, _ in world.inner.asked]


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("apart", [False, True], ids=["one piece", "body apart"])
def test_upgrade_is_ignored(world: LayerHarness, version: str, apart: bool) -> None:  # noqa: FBT001 - a case
    """The request is answered with its body, also when that comes later (RFC 9110 section 7.8)."""
    head, body = post(version=version, **UPGRADE).split(b"\r\n\r\n", 1)
    pieces = [head + b"\r\n\r\n", body] if apart else [head + b"\r\n\r\n" + body]
    answers, _ = ask(world, *pieces)
    assert answers.statuses == [200]


@pytest.mark.parametrize("form", ["length", "chunked"])
def test_body_of_an_upgrade_is_no_request(world: LayerHarness, form: str) -> None:
    """A request in the body stays a body: it is not answered."""
    request = post(HIDDEN, **UPGRADE)
    if form == "chunked":
        request = post(b"", Content_Length="", Transfer_Encoding="chunked", **UPGRADE)
        request += b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
    cut = request.index(b"\r\n\r\n") + 4
    answers, _ = ask(world, request[:cut], request[cut:])
    assert (answers.statuses, paths(world)) == ([400], [])


def test_upgrade_to_websockets_is_ignored(world: LayerHarness) -> None:
    """The request reaches the application, as one without the header does."""
    request = post(b"", "/v1/other", method="GET", Connection="Upgrade", Upgrade="websocket")
    answers, _ = ask(world, request + post(), count=2)
    assert (answers.statuses, paths(world)) == ([299, 200], ["/v1/other"])


def test_many_upgrades_at_once_are_answered_in_order(world: LayerHarness) -> None:
    """Each of one piece is parsed again where the one before ended."""
    request = post(**UPGRADE) + post(b"", "/v1/other", method="GET", **UPGRADE)
    answers, _ = ask(world, request * 7, count=14)
    assert answers.statuses == [200, 299] * 7


def test_tunnel_is_refused(world: LayerHarness) -> None:
    """The bytes behind it are not read as a request."""

    async def run() -> tuple[Answers, bool]:
        connection = Connection(world.layer)
        connection.protocol.data_received(b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n" + HIDDEN)
        await asyncio.sleep(0.02)
        return Answers(connection.transport.written), connection.transport.closed

    answers, closed = asyncio.run(run())
    assert (answers.statuses, closed, paths(world)) == ([400], True, [])


@pytest.mark.parametrize("request_", [post(), chunked(), post() + chunked() + post()], ids=["fast", "slow", "three"])
def test_caller_that_sends_no_more_is_answered(world: LayerHarness, request_: bytes) -> None:
    """It may still read; then the connection is closed."""

    async def run() -> tuple[bool, Answers, bool]:
        connection = Connection(world.layer)
        connection.protocol.data_received(request_)
        stays = connection.protocol.eof_received()
        answers = await connection.answers(request_.count(b"POST"))
        await asyncio.sleep(0.02)
        return stays, answers, connection.transport.closed

    stays, answers, closed = asyncio.run(run())
    assert (stays, set(answers.statuses), closed) == (True, {200}, True)


@pytest.mark.parametrize("cut", [30, -1], ids=["head", "body"])
@pytest.mark.parametrize("first", [b"", post(), chunked()], ids=["nothing", "fast", "slow"])
def test_half_a_request_is_dropped_with_its_caller(world: LayerHarness, first: bytes, cut: int) -> None:
    """Those before it are answered, then the connection is closed."""

    async def run() -> tuple[bool, list[int]]:
        connection = Connection(world.layer)
        connection.protocol.data_received(first + chunked()[:cut])
        stays = connection.protocol.eof_received()
        async with asyncio.timeout(10):
            while stays and not connection.transport.closed:  # noqa: ASYNC110 - a transport has no event to wait for
                await asyncio.sleep(0.001)
        return stays, Answers(connection.transport.written).statuses

    stays, statuses = asyncio.run(run())
    assert (stays, statuses) == (bool(first), [200] if first else [])


def test_idle_caller_that_sends_no_more_is_let_go(world: LayerHarness) -> None:
    """Before its first request, and after one."""

    async def run() -> list[bool]:
        fresh, used = Connection(world.layer), Connection(world.layer)
        used.protocol.data_received(post())
        await used.answers(1)
        return [fresh.protocol.eof_received(), used.protocol.eof_received()]

    assert asyncio.run(run()) == [False, False]


def drain(world: LayerHarness, before: bytes, after: bytes, count: int) -> tuple[Answers, bool]:
    """The responses to what is sent before and after the server begins to stop; whether it closed the connection."""

    async def run() -> tuple[Answers, bool]:
        connection = Connection(world.layer)
        if before:
            connection.protocol.data_received(before)
        connection.protocol.shutdown()
        assert not connection.transport.closed
        if after:
            connection.protocol.data_received(after)
        answers = await connection.answers(count)
        await asyncio.sleep(0.02)
        return answers, connection.transport.closed

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        (b"", post(), 1),
        (b"", chunked(), 1),
        (post()[:40], post()[40:], 1),
        (chunked()[:-9], chunked()[-9:], 1),
        (chunked(), b"", 1),
        (chunked() + post(), b"", 2),
        (chunked(), post(), 2),
        (post(), post() + chunked(), 3),
        (b"", post() + chunked() + post(), 3),
    ],
    ids=["idle", "idle slow", "head", "body", "running", "queued", "behind", "behind fast", "pipelined"],
)
def test_draining_connection_answers_what_was_sent(
    world: LayerHarness, before: bytes, after: bytes, count: int
) -> None:
    """Its last response, and only that one, says that it closes."""
    answers, closed = drain(world, before, after, count)
    assert answers.statuses == [200] * count
    assert [headers.get("connection") for headers in answers.headers] == [None] * (count - 1) + ["close"]
    assert closed


def test_draining_connection_closes_only_while_it_is_idle(world: LayerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while a request is read, answered, or waits in the socket."""

    async def run() -> list[bool]:
        caller, own = socket.socketpair()
        with caller, own:
            connection = Connection(world.layer)
            monkeypatch.setattr(connection.transport, "get_extra_info", {"socket": own}.get)
            protocol, closed = connection.protocol, []

            def note() -> None:
                protocol.close_if_idle()
                closed.append(connection.transport.closed)

            protocol.data_received(chunked()[:20])
            note()
            protocol.data_received(chunked()[20:])
            note()
            await connection.answers(1)
            caller.send(post()[:1])
            note()
            own.recv(1)
            note()
            return closed

    assert asyncio.run(run()) == [False, False, False, True]
