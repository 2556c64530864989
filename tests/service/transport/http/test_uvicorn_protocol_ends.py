"""A closed connection leaves no objects behind."""

import asyncio
import gc
import weakref

import pytest

from tests.support.serving.asgi_harness import LayerHarness
from tests.support.serving.protocol_connection import Connection, chunked, post
from tightrope.service.transport.http.uvicorn_protocol import InferenceProtocol


@pytest.mark.parametrize("request_", [post(), chunked(), post(b"", method="GET")], ids=["fast", "slow", "elsewhere"])
def test_closed_connection_is_freed_at_once(world: LayerHarness, request_: bytes) -> None:
    """Without the garbage collector, which runs rarely while callers come and go."""

    async def run() -> InferenceProtocol | None:
        connection = Connection(world.layer)
        connection.protocol.data_received(request_)
        await connection.answers(1)
        left = weakref.ref(connection.protocol)
        connection.protocol.connection_lost(None)
        del connection.protocol
        for _ in range(10):  # the task that answered ends
            await asyncio.sleep(0)
        return left()

    gc.disable()
    try:
        assert asyncio.run(run()) is None
    finally:
        gc.enable()
