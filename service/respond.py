"""Where requests of any transport are answered: on the event loop what is fast, in a thread whatever would hold up
everybody else. And how an answer, or an error, is counted and told.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service.adapters.series import UNKNOWN
from service.errors import CallerError, TightropeError
from service.gateway import Gateway
from service.pair import Pair
from service.protocol import InferRequest, InferResponse

log = logging.getLogger(__name__)
T = TypeVar("T")

LARGE = 64 * 1024
"""Bytes of a request or an answer that is read or written in a thread: it would hold up the event loop."""
WAITERS = 32
"""Threads of a pair with a model elsewhere: so many requests are answered at a time."""


class Responder:
    """Answers requests that are decoded; ``slow`` says which pairs must not run on the event loop."""

    def __init__(self, gateway: Gateway, slow: Mapping[str, bool]) -> None:
        self.gateway = gateway
        self._slow = slow
        self._waiters: dict[str, ThreadPoolExecutor] = {}

    async def respond(self, pair: Pair, request: InferRequest, arrived: float, *, large: bool = False) -> InferResponse:
        """Answer a request, which was there whole at ``arrived`` (of `time.perf_counter`).

        Raises what `Gateway.infer` does.
        """
        if self.gateway.is_guarded(pair.name):
            await asyncio.sleep(0)  # behind all that wait already, so that the wait is seen
        if not (self._slow[pair.name] or large):
            return self.gateway.infer(pair, request, arrived)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads(pair), self.gateway.infer, pair, request, arrived)

    def answered(self, model: str, error: Exception | None, started: float, request_id: str = "") -> None:
        """Count what has been answered, and how long that took since ``started``."""
        label = model if model in self.gateway.pairs else UNKNOWN
        fault = "caller_error" if isinstance(error, CallerError) else "server_error"
        outcome = "ok" if error is None else fault
        self.gateway.metrics.answered(label, outcome, time.perf_counter() - started, request_id)

    def _threads(self, pair: Pair) -> ThreadPoolExecutor | None:
        """Those that everybody shares, or for a pair with a model elsewhere its own: they wait, and hold up nobody
        else.
        """
        if not pair.elsewhere:
            return None
        if pair.name not in self._waiters:
            self._waiters[pair.name] = ThreadPoolExecutor(WAITERS, f"{pair.name}-elsewhere")
        return self._waiters[pair.name]


async def aside(work: Callable[[], T], *, large: bool) -> T:
    """Do what is large in a thread, the rest at once."""
    return await asyncio.get_running_loop().run_in_executor(None, work) if large else work()


def is_large(response: InferResponse) -> bool:
    """Whether an answer takes its time to be written; a string is a pointer here and more on the wire."""
    return sum(tensor.nbytes for tensor in response.outputs.values()) > LARGE


def told(error: Exception) -> str:
    """What the caller learns; the text of an error that nobody foresaw goes to the log only."""
    if isinstance(error, TightropeError):
        return str(error)
    log.error("an inference request failed", exc_info=error)
    return "internal error; the server's log says more"
