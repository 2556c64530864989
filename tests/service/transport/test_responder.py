"""The responder runs, counts and samples requests, and words errors, for every transport."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness
from tightrope.service.errors import CallerError, ServerError
from tightrope.service.inference.autotune import SHORT_SECONDS, RunProfile
from tightrope.service.inference.engine import LARGE_BYTES, is_large
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.transport import responder as module
from tightrope.service.transport.responder import (
    BUSY_SAMPLING_DELAY_SECONDS,
    IDLE_SAMPLING_DELAY_SECONDS,
    error_text,
)


@pytest.fixture
def bench(tmp_path: Path) -> GatewayHarness:
    """A gateway of one pair, m."""
    return GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})


def request() -> InferRequest:
    """A request of one row."""
    return InferRequest("an-id", {}, {"input": np.array([[0.0, 1.0]], np.float32)}, (), binary_default=False)


def where_it_runs(bench: GatewayHarness, monkeypatch: pytest.MonkeyPatch, profile: RunProfile) -> threading.Thread:
    """The thread of the engine's run."""
    seen: list[threading.Thread] = []
    real = bench.engine.answer

    def answer(*of: Any) -> Any:  # noqa: ANN401 - passed through
        seen.append(threading.current_thread())
        return real(*of)

    monkeypatch.setattr(bench.engine, "answer", answer)
    responder = bench.responder(profile)
    response = asyncio.run(responder.respond(bench.pairs["m"], request(), time.perf_counter()))
    assert response.id == "an-id"
    (thread,) = seen
    return thread


@pytest.mark.parametrize("seconds", [SHORT_SECONDS / 2, SHORT_SECONDS * 2])
def test_only_short_runs_occupy_the_event_loop(
    bench: GatewayHarness, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """A slow model would delay other requests; for a fast one a thread hop would take longer."""
    profile = RunProfile(measured={1: seconds}, width=2)
    assert bench.responder(profile).is_short(bench.pairs["m"], request()) is (seconds < SHORT_SECONDS)
    assert (where_it_runs(bench, monkeypatch, profile) is threading.current_thread()) is (seconds < SHORT_SECONDS)


def test_answered_requests_are_sampled_together(bench: GatewayHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon, and after their responses."""
    seen: list[float] = []
    real = bench.engine.sample_answers

    def sample_answers() -> int:
        seen.append(time.perf_counter())
        return real()

    monkeypatch.setattr(bench.engine, "sample_answers", sample_answers)
    monkeypatch.setattr("tightrope.service.transport.responder.BUSY_SAMPLING_DELAY_SECONDS", 0.2)
    responder = bench.responder()

    async def ask(count: int) -> int:
        asked = (responder.respond(bench.pairs["m"], request(), time.perf_counter()) for _ in range(count))
        await asyncio.gather(*asked)
        return len(seen)

    async def run() -> list[int]:
        found = [await ask(1), await ask(3), await ask(1)]
        while len(seen) == found[-1]:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.001)
        return [*found, len(seen)]

    assert asyncio.run(run()) == [0, 0, 0, 1]
    assert bench.count("rows", model="m", role="compressed") == 5


def test_sampling_delay_depends_on_the_request_rate(bench: GatewayHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of requests in the last sampling decides."""
    monkeypatch.setattr(module, "BUSY_REQUESTS_PER_SECOND", 1000)
    responder = bench.responder()

    async def ask(count: int) -> None:
        asked = (responder.respond(bench.pairs["m"], request(), time.perf_counter()) for _ in range(count))
        await asyncio.gather(*asked)
        await asyncio.sleep(2 * IDLE_SAMPLING_DELAY_SECONDS)

    async def run() -> None:
        delays: list[float] = []
        loop = asyncio.get_running_loop()
        real = loop.call_later

        def call_later(delay: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:
            if delay in {BUSY_SAMPLING_DELAY_SECONDS, IDLE_SAMPLING_DELAY_SECONDS}:
                delays.append(delay)
            return real(delay, callback, *args)

        monkeypatch.setattr(loop, "call_later", call_later)
        await ask(1)
        await ask(1)
        assert delays == [BUSY_SAMPLING_DELAY_SECONDS, IDLE_SAMPLING_DELAY_SECONDS]
        deadline = time.monotonic() + 30.0
        while BUSY_SAMPLING_DELAY_SECONDS not in delays[1:]:
            assert time.monotonic() < deadline
            await ask(200)

    asyncio.run(run())


def test_response_is_large_by_its_outputs() -> None:
    """Their bytes add up."""
    small = InferResponse(
        "m", "1", None, {}, {"a": np.zeros(LARGE_BYTES // 2, np.uint8), "b": np.zeros(LARGE_BYTES // 2, np.uint8)}
    )
    assert not is_large(small)
    assert is_large(replace(small, outputs={**small.outputs, "c": np.zeros(1, np.uint8)}))


@pytest.mark.parametrize(
    ("model", "error", "labels"),
    [
        ("m", None, {"model": "m", "outcome": "ok"}),
        ("m", CallerError(""), {"model": "m", "outcome": "caller_error"}),
        ("m", ServerError(""), {"model": "m", "outcome": "server_error"}),
        ("m", RuntimeError(), {"model": "m", "outcome": "server_error"}),
        ("made up", CallerError(""), {"model": "unknown", "outcome": "caller_error"}),
    ],
)
def test_answers_are_counted_by_outcome(
    bench: GatewayHarness, model: str, error: Exception | None, labels: dict[str, Any]
) -> None:
    """And timed; a caller cannot invent a label."""
    bench.responder().count(model, error, time.perf_counter() - 1.0)
    assert bench.count("requests", **labels) == 1
    timed = bench.metrics.registry.get_sample_value("tightrope_request_seconds_sum", {"model": labels["model"]})
    assert timed is not None
    assert 1.0 <= timed < 60.0


def test_unexpected_error_goes_to_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    """Its text may reveal too much; our own errors are written for callers."""
    assert error_text(CallerError("input 'x': is wrong")) == "input 'x': is wrong"
    assert caplog.text == ""
    assert error_text(RuntimeError("a secret of ours")) == "internal error; the server's log says more"
    assert "a secret of ours" in caplog.text
