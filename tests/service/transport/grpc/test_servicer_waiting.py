"""Where requests run, and what becomes of those that nobody waits for any more."""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest

from tests.support.serving.grpc_server import refusal, row, talking
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import Bench
from tightrope.service.inference.engine import Answer
from tightrope.service.inference.model_pair import Pair
from tightrope.service.protocol.rest import InferRequest
from tightrope.service.transport.grpc.messages import ModelInferRequest
from tightrope.service.transport.grpc.servicer import Inference
from tightrope.service.transport.responder import LARGE

Code = grpc.StatusCode
GOT = {"outcome": "ok", "model": "m"}
LATE = {"outcome": "server_error", "model": "m"}


class Seen:
    """The gateway's door, watched: on which threads it was asked for which ids; it opens when it may."""

    def __init__(self, bench: Bench) -> None:
        self.asked: list[tuple[str | None, threading.Thread]] = []
        self.seconds = 0.0
        self._begun = threading.Event()
        self._answer = bench.gateway.answer

    def answer(self, pair: Pair, requests: Sequence[InferRequest], arrived: Sequence[float]) -> Sequence[Answer]:
        """Answer after a while."""
        self.asked += [(request.id, threading.current_thread()) for request in requests]
        self._begun.set()
        time.sleep(self.seconds)
        return self._answer(pair, requests, arrived)

    async def begun(self) -> None:
        """Wait until it has been asked, in a thread that nobody else needs."""
        with ThreadPoolExecutor(1) as own:
            assert await asyncio.get_running_loop().run_in_executor(own, self._begun.wait, 60.0)

    @property
    def ids(self) -> list[str | None]:
        """For which ids."""
        return [asked for asked, _ in self.asked]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A gateway of one pair, m."""
    return Bench(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})


@pytest.fixture
def seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Its door, watched."""
    watch = Seen(bench)
    monkeypatch.setattr(bench.gateway, "answer", watch.answer)
    return watch


def many() -> ModelInferRequest:
    """More rows than are read on the event loop."""
    rows = LARGE // 8
    message = ModelInferRequest(model_name="m", raw_input_contents=[np.ones((rows, 2), "<f4").tobytes()])
    message.inputs.add(name="input", datatype="FP32", shape=[rows, 2])
    return message


@pytest.mark.parametrize(("slow", "message"), [(False, row(0, 5)), (True, row(0, 5)), (False, many())])
def test_only_what_is_fast_and_small_runs_on_the_event_loop(
    bench: Bench, seen: Seen, message: ModelInferRequest, *, slow: bool
) -> None:
    """As over HTTP: it is the same door."""

    async def run() -> None:
        async with talking(bench, slow=slow) as talk:
            await talk.infer(message)

    asyncio.run(run())
    ((_, thread),) = seen.asked
    assert (thread is threading.current_thread()) is not (slow or message.inputs[0].shape[0] > 1)


def test_call_whose_deadline_passes_in_the_queue_is_not_run(bench: Bench, seen: Seen) -> None:
    """The one thread is busy; the calls behind are dropped, counted as ours, and the next one is answered."""
    seen.seconds = 1.0

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        async with talking(bench, slow=True) as talk:
            first = asyncio.create_task(talk.infer(row(0, 5, id="first")))
            await seen.begun()
            late = [refusal(talk.infer(row(0, 5, id=f"late {n}"), timeout=0.2)) for n in range(5)]
            assert {code for code, _ in await asyncio.gather(*late)} == {Code.DEADLINE_EXCEEDED}
            seen.seconds = 0.0
            assert (await first).id == "first"
            assert (await talk.infer(row(0, 5, id="last"), timeout=30.0)).id == "last"

    asyncio.run(run())
    assert seen.ids == ["first", "last"]
    assert bench.count("requests", **GOT) == 2
    assert bench.count("requests", **LATE) == 5


class Over:
    """The context of a call whose deadline has passed, though the library has not said so yet."""

    def __init__(self) -> None:
        self.told: list[tuple[grpc.StatusCode, str]] = []

    def time_remaining(self) -> float:
        """None."""
        return 0.0

    async def abort(self, code: grpc.StatusCode, words: str, _: object = ()) -> bytes:
        """Remember it."""
        self.told.append((code, words))
        return b""


def test_call_whose_deadline_passed_before_its_turn_is_not_run(bench: Bench, seen: Seen) -> None:
    """The event loop was busy with others since it came: what is read is not run any more, and counts as ours."""
    context = Over()
    inference = Inference(bench.responder(), lambda: True)
    asyncio.run(inference._infer(row(0, 5).SerializeToString(), context))  # type: ignore[arg-type]
    assert context.told == [(Code.DEADLINE_EXCEEDED, "the deadline passed before it was this request's turn")]
    assert seen.ids == []
    assert bench.count("requests", **LATE) == 1


def test_caller_that_goes_away_is_not_counted(bench: Bench, seen: Seen) -> None:
    """It had time, and nobody was at fault; whoever comes next is served."""
    seen.seconds = 0.5

    async def run() -> None:
        async with talking(bench, slow=True) as talk:
            leaving = asyncio.create_task(talk.infer(row(0, 5, id="leaves"), timeout=60.0))
            await seen.begun()
            leaving.cancel()
            assert await refusal(leaving) == (Code.CANCELLED, "")
            assert (await talk.infer(row(0, 5, id="next"))).id == "next"

    asyncio.run(run())
    assert seen.ids == ["leaves", "next"]
    assert bench.count("requests", **GOT) == 1
    assert bench.count("requests", **LATE) == 0
