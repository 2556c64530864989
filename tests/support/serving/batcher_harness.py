"""A model that remembers its batches, a queue in front of it, and those who ask."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TypeVar

import numpy as np
import pytest
import uvloop

from tightrope.service.inference.autotune import SHORT, Pace
from tightrope.service.inference.batcher import Batcher
from tightrope.service.inference.engine import Answer
from tightrope.service.protocol.rest import InferRequest, InferResponse

T = TypeVar("T")


def asked(name: str, rows: int = 1) -> InferRequest:
    """A request of so many rows."""
    return InferRequest(name, {}, {"x": np.zeros((rows, 1), np.float32)}, (), binary_default=False)


class Model:
    """Remembers the batches it is given, and where; each takes ``seconds``. A request named bad fails."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.batches: list[list[str]] = []
        self.began = threading.Event()
        self.threads: set[threading.Thread] = set()

    def __call__(self, requests: Sequence[InferRequest], arrived: Sequence[float]) -> Sequence[Answer]:
        """Answer them all."""
        assert len(arrived) == len(requests)
        self.batches.append([request.id or "" for request in requests])
        self.threads.add(threading.current_thread())
        self.began.set()
        time.sleep(self.seconds)
        return [
            ValueError(request.id) if request.id == "bad" else InferResponse("m", "1", request.id, {}, {})
            for request in requests
        ]


def batcher(model: Model, pace: Pace | None = None, most: int = 1000) -> Batcher:
    """A queue in front of it."""
    at = pace or Pace()
    return Batcher("m", model, lambda: at, most)


LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
"""Both that a server may run on: their timers and turns differ."""


def run_on(loop: Callable[[], asyncio.AbstractEventLoop], main: Coroutine[None, None, T]) -> T:
    """What it returns, on that loop."""
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main)


class Caller:
    """Waits on the event loop itself, as the fast path does; ``seen`` is told of every answer."""

    gone = False

    def __init__(self, of: Batcher, name: str, seen: Callable[[str], None] = lambda _: None, rows: int = 1) -> None:
        self.request, self.rows, self.arrived = asked(name, rows), rows, time.perf_counter()
        self.told = asyncio.Event()
        self._seen = seen
        of.put(self)

    def tell(self, _: Answer) -> None:
        """Be told."""
        self._seen(f"told {self.request.id}")
        self.told.set()

    async def answered(self) -> None:
        """When it is."""
        await asyncio.wait_for(self.told.wait(), 30.0)


def long(**how: int) -> Pace:
    """A pace of runs that may not hold up the event loop."""
    return Pace(**how, tried={1: 10 * SHORT})  # type: ignore[arg-type]


def ask(of: Batcher, request: InferRequest) -> asyncio.Task[InferResponse]:
    """Ask in a task of its own."""
    return asyncio.ensure_future(of.ask(request, len(request.inputs["x"]), time.perf_counter()))
