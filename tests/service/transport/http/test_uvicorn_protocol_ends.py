"""What is left of a connection when it is over: nothing."""

import asyncio
import gc
import weakref

import pytest

from tests.support.serving.asgi_harness import World
from tests.support.serving.protocol_connection import Line, chunked, post
from tightrope.service.transport.http.uvicorn_protocol import FastPath


@pytest.mark.parametrize("request_", [post(), chunked(), post(b"", method="GET")], ids=["fast", "slow", "elsewhere"])
def test_connection_that_is_over_is_freed_at_once(world: World, request_: bytes) -> None:
    """Without a look for garbage: whoever serves looks rarely at what is old, and callers come and go."""

    async def run() -> FastPath | None:
        line = Line(world.layer)
        line.protocol.data_received(request_)
        await line.answers(1)
        left = weakref.ref(line.protocol)
        line.protocol.connection_lost(None)
        del line.protocol
        for _ in range(10):  # the task that answered ends
            await asyncio.sleep(0)
        return left()

    gc.disable()
    try:
        assert asyncio.run(run()) is None
    finally:
        gc.enable()
