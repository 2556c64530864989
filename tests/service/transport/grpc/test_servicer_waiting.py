"""The thread of a run, and requests whose callers no longer wait."""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest

from tests.support.serving.asgi_harness import admission
from tests.support.serving.grpc_server import refusal, row, serving_grpc
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness
from tightrope.service.inference.batch import BatchItem
from tightrope.service.inference.engine import LARGE_BYTES, BatchAnswers
from tightrope.service.transport.grpc.messages import ModelInferRequest
from tightrope.service.transport.grpc.servicer import InferenceServicer

Code = grpc.StatusCode
GOT = {"outcome": "ok", "model": "m"}
LATE = {"outcome": "server_error", "model": "m"}


class RecordedRuns:
    """Records the ids and threads of the engine's runs, and delays them by ``seconds``."""

    def __init__(self, bench: GatewayHarness) -> None:
        self.recorded: list[tuple[str | None, threading.Thread]] = []
        self.seconds = 0.0
        self._begun = threading.Event()
        self._answer = bench.engine.answer

    def answer(self, model: str, items: Sequence[BatchItem], *, avoid_stuck: bool = False) -> BatchAnswers:
        """Answer after a delay."""
        del avoid_stuck
        self.recorded += [(item.request.id, threading.current_thread()) for item in items]
        self._begun.set()
        time.sleep(self.seconds)
        return self._answer(model, items)

    async def begun(self) -> None:
        """Wait for the first run, in a thread of its own."""
        with ThreadPoolExecutor(1) as own:
            assert await asyncio.get_running_loop().run_in_executor(own, self._begun.wait, 60.0)

    @property
    def ids(self) -> list[str | None]:
        """The ids of the runs."""
        return [recorded for recorded, _ in self.recorded]


@pytest.fixture
def bench(tmp_path: Path) -> GatewayHarness:
    """A gateway of one pair, m."""
    return GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})


@pytest.fixture
def runs(bench: GatewayHarness, monkeypatch: pytest.MonkeyPatch) -> RecordedRuns:
    """The engine's runs, recorded."""
    watch = RecordedRuns(bench)
    monkeypatch.setattr(bench.engine, "answer", watch.answer)
    return watch


def many() -> ModelInferRequest:
    """A request of more rows than are read on the event loop."""
    rows = LARGE_BYTES // 8
    message = ModelInferRequest(model_name="m", raw_input_contents=[np.ones((rows, 2), "<f4").tobytes()])
    message.inputs.add(name="input", datatype="FP32", shape=[rows, 2])
    return message


@pytest.mark.parametrize(("slow", "message"), [(False, row(0, 5)), (True, row(0, 5)), (False, many())])
def test_only_fast_small_requests_run_on_the_event_loop(
    bench: GatewayHarness, runs: RecordedRuns, message: ModelInferRequest, *, slow: bool
) -> None:
    """As over HTTP: both use the same responder."""

    async def run() -> None:
        async with serving_grpc(bench, slow=slow) as client:
            await client.infer(message)

    asyncio.run(run())
    ((_, thread),) = runs.recorded
    assert (thread is threading.current_thread()) is not (slow or message.inputs[0].shape[0] > 1)


def test_call_whose_deadline_passes_in_the_queue_is_not_run(bench: GatewayHarness, runs: RecordedRuns) -> None:
    """The only thread is busy: queued calls are dropped and count as server errors; the next one is answered."""
    runs.seconds = 1.0

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        async with serving_grpc(bench, slow=True) as client:
            first = asyncio.create_task(client.infer(row(0, 5, id="first")))
            await runs.begun()
            late = [refusal(client.infer(row(0, 5, id=f"late {n}"), timeout=0.2)) for n in range(5)]
            assert {code for code, _ in await asyncio.gather(*late)} == {Code.DEADLINE_EXCEEDED}
            runs.seconds = 0.0
            assert (await first).id == "first"
            assert (await client.infer(row(0, 5, id="last"), timeout=30.0)).id == "last"

    asyncio.run(run())
    assert runs.ids == ["first", "last"]
    assert bench.count("requests", **GOT) == 2
    assert bench.count("requests", **LATE) == 5


class Over:
    """The context of a call whose deadline has passed, before the library cancels it."""

    def __init__(self) -> None:
        self.statuses: list[tuple[grpc.StatusCode, str]] = []

    def time_remaining(self) -> float:
        """No time."""
        return 0.0

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """None."""
        return ()

    async def abort(self, code: grpc.StatusCode, words: str, _: object = ()) -> bytes:
        """Record the status."""
        self.statuses.append((code, words))
        return b""


def test_call_whose_deadline_passed_before_its_turn_is_not_run(bench: GatewayHarness, runs: RecordedRuns) -> None:
    """The event loop was busy since the call came; it counts as a server error."""
    context = Over()
    inference = InferenceServicer(bench.responder(), lambda: True, admission())
    asyncio.run(inference._infer(row(0, 5).SerializeToString(), context))  # type: ignore[arg-type]
    assert context.statuses == [(Code.DEADLINE_EXCEEDED, "the deadline passed before it was this request's turn")]
    assert runs.ids == []
    assert bench.count("requests", **LATE) == 1


def test_cancelled_call_is_not_counted(bench: GatewayHarness, runs: RecordedRuns) -> None:
    """Its deadline had not come; the next call is answered."""
    runs.seconds = 0.5

    async def run() -> None:
        async with serving_grpc(bench, slow=True) as client:
            leaving = asyncio.create_task(client.infer(row(0, 5, id="leaves"), timeout=60.0))
            await runs.begun()
            leaving.cancel()
            assert await refusal(leaving) == (Code.CANCELLED, "")
            assert (await client.infer(row(0, 5, id="next"))).id == "next"

    asyncio.run(run())
    assert runs.ids == ["leaves", "next"]
    assert bench.count("requests", **GOT) == 1
    assert bench.count("requests", **LATE) == 0
