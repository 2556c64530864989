"""The limits of a server hold over gRPC, too: what is in flight, and how many messages are decoded at a time."""

import asyncio
import threading
import time
from pathlib import Path

import grpc
import pytest

from tests.support.serving.grpc_server import refusal, row, serving_grpc
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness
from tightrope.service.config.process.limits import LimitsSection
from tightrope.service.inference.engine import LARGE_BYTES
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.rest import InferRequest
from tightrope.service.transport.grpc import messages, servicer


def padded(size: int) -> messages.ModelInferRequest:
    """A request of about this many bytes."""
    message = row(0.0, 5.0)
    message.parameters["padding"].string_param = "x" * size
    return message


def test_messages_are_decoded_and_held_within_the_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time here; the third finds no room meanwhile, and its caller may retry."""
    real, lock = servicer._decode, threading.Lock()
    most = at_a_time = 0

    def counted(pair: ModelPair, message: messages.ModelInferRequest) -> InferRequest:
        nonlocal most, at_a_time
        with lock:
            at_a_time += 1
            most = max(most, at_a_time)
        time.sleep(0.1)
        with lock:
            at_a_time -= 1
        return real(pair, message)

    monkeypatch.setattr(servicer, "_decode", counted)

    async def run() -> list[tuple[grpc.StatusCode, str] | str]:
        bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
        limits = LimitsSection(decodings=1, bytes_in_flight=5 * LARGE_BYTES)
        async with serving_grpc(bench, limits=limits) as client:
            calls = [client.infer(padded(2 * LARGE_BYTES)) for _ in range(3)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            await client.infer(padded(2 * LARGE_BYTES))
        return [
            (answer.code(), answer.details() or "") if isinstance(answer, grpc.aio.AioRpcError) else "answered"
            for answer in answers
        ]

    outcomes = asyncio.run(run())
    assert outcomes.count("answered") == 2
    assert most == 1
    ((code, details),) = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
    assert code is grpc.StatusCode.UNAVAILABLE
    assert "server.limits.bytes_in_flight" in details


def test_small_requests_are_bounded_where_the_limits_are_small(tmp_path: Path) -> None:
    """A single element too many."""

    async def run() -> tuple[grpc.StatusCode, str]:
        bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
        async with serving_grpc(bench, limits=LimitsSection(elements=1)) as client:
            return await refusal(client.infer(row(0.0, 5.0)))

    code, details = asyncio.run(run())
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "server.limits.elements" in details
