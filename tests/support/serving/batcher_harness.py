"""A fake engine that records its batches, a batcher in front of it, and callers."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TypeVar

import numpy as np
import pytest
import uvloop

from tightrope.service.inference.autotune import SHORT_SECONDS, RunProfile
from tightrope.service.inference.batch import BatchItem
from tightrope.service.inference.batcher import Batcher
from tightrope.service.inference.contention import Contention
from tightrope.service.inference.engine import Answer, BatchAnswers
from tightrope.service.protocol.rest import InferRequest, InferResponse

T = TypeVar("T")


def make_request(name: str, rows: int = 1) -> InferRequest:
    """A request of this many rows."""
    return InferRequest(name, {}, {"x": np.zeros((rows, 1), np.float32)}, (), binary_default=False)


class FakeEngine:
    """Records the batches that it answers, and their threads; each takes ``seconds``. A request named bad fails."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.batches: list[list[str]] = []
        self.began = threading.Event()
        self.threads: set[threading.Thread] = set()

    def answer(self, model: str, items: Sequence[BatchItem], *, avoid_stuck: bool = False) -> BatchAnswers:
        """Answer all requests of a batch."""
        del avoid_stuck
        assert model in {"m", "n"}
        assert all(item.rows == len(item.request.inputs["x"]) for item in items)
        self.batches.append([item.request.id or "" for item in items])
        self.threads.add(threading.current_thread())
        self.began.set()
        time.sleep(self.seconds)
        return BatchAnswers([_answer(item.request) for item in items], ())


def _answer(request: InferRequest) -> Answer:
    if request.id == "bad":
        return ValueError(request.id)
    return InferResponse("m", "1", request.id, {}, {})


def make_batcher(
    engine: FakeEngine,
    profile: RunProfile | None = None,
    max_queued: int = 1000,
    model: str = "m",
    contention: Contention | None = None,
    on_answered: Callable[[BatchAnswers], None] = lambda _: None,
) -> Batcher:
    """A batcher in front of an engine."""
    profiles = {model: profile or RunProfile()}
    return Batcher(model, engine, profiles, max_queued, on_answered, contention or Contention())


LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
"""Both event loops that a server may run on: their timers and iterations differ."""


def run_on(loop: Callable[[], asyncio.AbstractEventLoop], main: Coroutine[None, None, T]) -> T:
    """Run a coroutine on a loop of that kind, and return its result."""
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main)


class Caller:
    """A caller on the event loop itself, as on the fast path; ``on_answer`` is called with every answer's request."""

    is_gone = False

    def __init__(
        self, batcher: Batcher, name: str, on_answer: Callable[[str], None] = lambda _: None, rows: int = 1
    ) -> None:
        self.request, self.rows, self.arrived = make_request(name, rows), 0, time.perf_counter()
        self._delivered = asyncio.Event()
        self._on_answer = on_answer
        batcher.submit(self)

    def deliver(self, _: Answer) -> None:
        """Note the answer."""
        self._on_answer(f"answered {self.request.id}")
        self._delivered.set()

    async def answered(self) -> None:
        """Wait for the answer."""
        await asyncio.wait_for(self._delivered.wait(), 30.0)


def long_profile(**kwargs: int) -> RunProfile:
    """A profile of runs that may not occupy the event loop."""
    return RunProfile(**kwargs, measured={1: 10 * SHORT_SECONDS})  # type: ignore[arg-type]


def ask(batcher: Batcher, request: InferRequest) -> asyncio.Task[InferResponse]:
    """Await a response in a task of its own."""
    return asyncio.ensure_future(batcher.respond(request, time.perf_counter()))
