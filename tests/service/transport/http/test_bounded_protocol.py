"""Limits of a connection that depend on time, or on what is held, with a stepped clock and no network."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.serving.asgi_harness import LayerHarness, admission
from tests.support.serving.protocol_connection import Answers, Connection, SteppedLoop, chunked, post
from tightrope.service.transport.http.bounded_protocol import LINGERING_SECONDS, MAX_LINGERING
from tightrope.service.transport.http.codec import RequestDecoder


def within(world: LayerHarness, run: Callable[[Connection, SteppedLoop], Any], **limits: float) -> Any:  # noqa: ANN401
    """The result of a coroutine function with a connection of these limits, and its clock."""
    world.layer.admission = admission(**limits)
    world.layer.decoder = RequestDecoder(world.layer.admission)

    async def started() -> Any:  # noqa: ANN401 - as above
        connection = Connection(world.layer)
        clock = SteppedLoop(connection.protocol.loop)
        connection.protocol.loop = clock  # type: ignore[assignment] - its clock is all that differs
        return await run(connection, clock)

    return asyncio.run(started())


def test_unread_response_is_held_and_then_cut_off(world: LayerHarness) -> None:
    """Its bytes are in flight until the caller reads them, or the connection is lost, which is counted."""
    counted: list[str] = []

    async def run(connection: Connection, clock: SteppedLoop) -> list[object]:
        protocol, held = connection.protocol, world.layer.admission
        held.count_refused = counted.append
        connection.transport.written = b"x" * 1000
        protocol.pause_writing()
        seen: list[object] = [held.bytes_in_flight]
        clock.seconds += 9.0
        protocol.expire(clock.time())
        seen.append(connection.transport.closed)
        protocol.resume_writing()
        seen.append(held.bytes_in_flight)
        protocol.pause_writing()
        clock.seconds += 11.0
        protocol.expire(clock.time())
        seen.append(connection.transport.closed)
        protocol.connection_lost(None)
        return [*seen, held.bytes_in_flight, held.connections]

    assert within(world, run, body_seconds=10) == [1000, False, 0, True, 0, 0]
    assert counted == ["body_seconds"]


def test_unread_last_response_is_cut_off(world: LayerHarness) -> None:
    """A transport that closes waits for its caller to read, by itself for ever; one who reads on is waited for."""

    async def run(connection: Connection, clock: SteppedLoop) -> list[bool]:
        protocol, aborted = connection.protocol, list[float]()
        connection.transport.abort = lambda: aborted.append(clock.seconds)  # type: ignore[method-assign]
        connection.transport.close()
        seen = []
        for seconds, has_read in ((0.0, False), (9.0, True), (9.0, False), (9.0, False)):
            clock.seconds += seconds
            if has_read:
                protocol.resume_writing()
            protocol.expire(clock.time())
            seen.append(bool(aborted))
        clock.seconds += 2.0
        protocol.expire(clock.time())
        return [*seen, bool(aborted)]

    assert within(world, run, body_seconds=10) == [False, False, False, True, True]


@pytest.mark.parametrize("data", [b"", b"\r\n"], ids=["nothing", "an empty line"])
def test_connection_without_a_request_is_closed(world: LayerHarness, data: bytes) -> None:
    """After the idle time."""

    async def run(connection: Connection, clock: SteppedLoop) -> list[bool]:
        closed = []
        connection.protocol.data_received(data)
        for _ in range(2):
            clock.seconds += 0.6 * connection.protocol.timeout_keep_alive
            connection.protocol.expire(clock.time())
            closed.append(connection.transport.closed)
        return closed

    assert within(world, run) == [False, True]


def test_refusal_waits_for_the_response_before_it(world: LayerHarness) -> None:
    """The status of a request is never taken for that of another."""

    async def run(connection: Connection, _: SteppedLoop) -> Answers:
        connection.protocol.data_received(chunked() + b"no HTTP\r\n\r\n")
        assert connection.transport.written == b""
        return await connection.answers(2)

    assert within(world, run).statuses == [200, 400]


def test_queued_request_that_is_not_whole_gets_no_response_before_its_turn(world: LayerHarness) -> None:
    """Its chunks are no HTTP; the request before it is answered first."""

    async def run(connection: Connection, _: SteppedLoop) -> Answers:
        connection.protocol.data_received(chunked() + chunked()[:-10] + b"zzzz")
        async with asyncio.timeout(10.0):
            while len(Answers(connection.transport.written).bodies) < 2:  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.001)
        return Answers(connection.transport.written)

    assert within(world, run).statuses == [200, 400]


def test_refused_connection_lingers_for_a_moment(world: LayerHarness) -> None:
    """Then it is closed, though its caller still sends; its data are not read."""

    async def run(connection: Connection, clock: SteppedLoop) -> list[object]:
        connection.transport.can_write_eof = lambda: True  # type: ignore[method-assign]
        connection.transport.write_eof = lambda: None  # type: ignore[method-assign]
        connection.protocol.data_received(b"no HTTP\r\n\r\n" + post())
        connection.protocol.data_received(post())
        seen: list[object] = [Answers(connection.transport.written).statuses, connection.transport.closed]
        clock.seconds += LINGERING_SECONDS + 0.1
        connection.protocol.expire(clock.time())
        return [*seen, connection.transport.closed]

    assert within(world, run) == [[400], False, True]


def test_connections_beyond_the_limit_are_answered_up_to_a_number(world: LayerHarness) -> None:
    """All are counted, and forgotten when they are lost."""
    counted: list[str] = []

    async def run(_: Connection, __: SteppedLoop) -> tuple[list[bool], int, int]:
        world.layer.admission.count_refused = counted.append
        beyond = [Connection(world.layer) for _ in range(MAX_LINGERING + 2)]
        answered = [bool(one.transport.written) for one in beyond]
        for one in beyond:
            one.protocol.connection_lost(None)
        return answered, world.layer.admission.connections, world.layer.admission.beyond

    assert within(world, run, connections=1) == ([True] * MAX_LINGERING + [False] * 2, 1, 0)
    assert counted == ["connections"] * (MAX_LINGERING + 2)


def test_head_limit_counts_no_bytes_of_the_body_before(world: LayerHarness) -> None:
    """A small head behind the end of a large body in the same piece is taken, whole or not."""
    whole = post(b" " * 60_000)
    first, second = whole[:50_000], whole[50_000:] + post()[:20]

    async def run(connection: Connection, _: SteppedLoop) -> Answers:
        for piece in (first, second, post()[20:]):
            connection.protocol.data_received(piece)
        return await connection.answers(2)

    assert within(world, run, header_bytes=1024, url_bytes=256).statuses == [400, 200]
