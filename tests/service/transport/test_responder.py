"""Where a request runs, how it is counted, and what its caller learns: the same for every transport."""

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
from tests.support.serving.service_harness import Bench
from tightrope.service.errors import CallerError, ServerError
from tightrope.service.inference.autotune import SHORT, Pace
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.transport.responder import LARGE, LATER, SOON, is_large, told


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A gateway of one pair, m."""
    return Bench(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})


def request() -> InferRequest:
    """One row."""
    return InferRequest("an-id", {}, {"input": np.array([[0.0, 1.0]], np.float32)}, (), binary_default=False)


def where_it_runs(bench: Bench, monkeypatch: pytest.MonkeyPatch, pace: Pace) -> threading.Thread:
    """The thread that the gateway is asked on."""
    seen: list[threading.Thread] = []
    real = bench.gateway.answer

    def answer(*of: Any) -> Any:  # noqa: ANN401 - passed through
        seen.append(threading.current_thread())
        return real(*of)

    monkeypatch.setattr(bench.gateway, "answer", answer)
    responder = bench.responder(pace)
    response = asyncio.run(responder.respond(bench.pairs["m"], request(), 1, time.perf_counter()))
    assert response.id == "an-id"
    (thread,) = seen
    return thread


@pytest.mark.parametrize("seconds", [SHORT / 2, SHORT * 2])
def test_only_what_is_short_runs_on_the_event_loop(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """A slow model would hold up everybody else; a thread hop would cost more than a fast one."""
    pace = Pace(tried={1: seconds})
    assert bench.responder(pace).is_short(bench.pairs["m"], 1) is (seconds < SHORT)
    assert (where_it_runs(bench, monkeypatch, pace) is threading.current_thread()) is (seconds < SHORT)


def test_answers_are_sampled_soon_those_of_many_requests_in_one_go(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No caller waits for it."""
    seen: list[float] = []
    real = bench.gateway.afterwards

    def afterwards() -> int:
        seen.append(time.perf_counter())
        return real()

    monkeypatch.setattr(bench.gateway, "afterwards", afterwards)
    monkeypatch.setattr("tightrope.service.transport.responder.SOON", 0.2)
    responder = bench.responder()

    async def ask(count: int) -> int:
        asked = (responder.respond(bench.pairs["m"], request(), 1, time.perf_counter()) for _ in range(count))
        await asyncio.gather(*asked)
        return len(seen)

    async def run() -> list[int]:
        found = [await ask(1), await ask(3), await ask(1)]
        while len(seen) == found[-1]:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.001)
        return [*found, len(seen)]

    assert asyncio.run(run()) == [0, 0, 0, 1]
    assert bench.count("rows", model="m", role="compressed") == 5


def test_where_requests_come_seldom_they_are_sampled_later(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until they come often again: what counts is how many the last time was for."""
    responder = bench.responder()

    async def ask(count: int) -> None:
        asked = (responder.respond(bench.pairs["m"], request(), 1, time.perf_counter()) for _ in range(count))
        await asyncio.gather(*asked)
        await asyncio.sleep(2 * LATER)

    async def run() -> None:
        delays: list[float] = []
        loop = asyncio.get_running_loop()
        real = loop.call_later

        def call_later(delay: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:
            if delay in {SOON, LATER}:
                delays.append(delay)
            return real(delay, callback, *args)

        monkeypatch.setattr(loop, "call_later", call_later)
        await ask(1)
        await ask(1)
        assert delays == [SOON, LATER]
        deadline = time.monotonic() + 30.0
        while SOON not in delays[1:]:
            assert time.monotonic() < deadline
            await ask(200)

    asyncio.run(run())


def test_answer_is_large_by_its_outputs() -> None:
    """All of them together."""
    small = InferResponse(
        "m", "1", None, {}, {"a": np.zeros(LARGE // 2, np.uint8), "b": np.zeros(LARGE // 2, np.uint8)}
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
def test_answers_are_counted_by_whose_fault_they_are(
    bench: Bench, model: str, error: Exception | None, labels: dict[str, Any]
) -> None:
    """And timed; nobody can make up a label."""
    bench.responder().answered(model, error, time.perf_counter() - 1.0)
    assert bench.count("requests", **labels) == 1
    timed = bench.metrics.registry.get_sample_value("tightrope_request_seconds_sum", {"model": labels["model"]})
    assert timed is not None
    assert 1.0 <= timed < 60.0


def test_unforeseen_error_is_told_to_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    """Our own errors are written to be read; what nobody foresaw may tell too much."""
    assert told(CallerError("input 'x': is wrong")) == "input 'x': is wrong"
    assert caplog.text == ""
    assert told(RuntimeError("a secret of ours")) == "internal error; the server's log says more"
    assert "a secret of ours" in caplog.text
