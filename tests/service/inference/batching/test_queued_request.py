"""A request whose caller awaits a future."""

import asyncio
import time

import pytest

from tests.support.serving.batcher_harness import make_request
from tightrope.service.inference.batching.queued_request import AwaitedRequest
from tightrope.service.protocol.rest import InferResponse


def test_future_gets_the_answer() -> None:
    """A response or an error; then the caller is gone."""

    async def deliver(answer: InferResponse | Exception) -> InferResponse:
        request = AwaitedRequest(make_request("a"), time.perf_counter(), asyncio.get_running_loop().create_future())
        assert not request.is_gone
        request.deliver(answer)
        assert request.is_gone
        return await request.future

    response = InferResponse("m", "1", "a", {}, {})
    assert asyncio.run(deliver(response)) is response
    with pytest.raises(ZeroDivisionError):
        asyncio.run(deliver(ZeroDivisionError()))
