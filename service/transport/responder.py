"""Where requests of any transport are answered, and how an answer, or an error, is counted and told."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from tightrope.service.adapters.prometheus.catalogue import UNKNOWN
from tightrope.service.errors import CallerError, TightropeError
from tightrope.service.inference.autotune import Pace
from tightrope.service.inference.batcher import Batcher, Waiting
from tightrope.service.inference.contention import Company
from tightrope.service.inference.engine import Answer, Gateway
from tightrope.service.inference.model_pair import Pair
from tightrope.service.protocol.rest import InferRequest, InferResponse

log = logging.getLogger(__name__)
T = TypeVar("T")

SOON, LATER = 0.01, 0.05
"""Seconds after which answers of many requests are sampled, all in one go: each by itself would find the processor's
caches full of other things. Later where requests come seldom, because then there would be one or two in a go.
"""

OFTEN = 1000
"""Requests in a second that come often."""

LARGE = 64 * 1024
"""Bytes of a request or an answer that is read or written in a thread: it would hold up the event loop."""


class Responder:
    """Answers requests that are decoded, through each pair's batcher."""

    def __init__(self, gateway: Gateway, paces: Mapping[str, Pace]) -> None:
        self.gateway = gateway
        self._paces = paces
        self._company = Company()
        self._batchers = {name: self._batcher(name) for name in gateway.pairs}
        self._due: asyncio.TimerHandle | None = None
        self._pause = SOON

    def is_short(self, pair: Pair, rows: int) -> bool:
        """Whether so many rows are answered on the event loop, sooner than their caller could go away."""
        return self._paces[pair.name].is_short(rows)

    async def respond(self, pair: Pair, request: InferRequest, rows: int, arrived: float) -> InferResponse:
        """Answer a request, which was there whole at ``arrived`` (of `time.perf_counter`). When this is cancelled
        before its run begins, no run is spent on it.

        Raises what `Gateway.infer` does, and OverloadedError when too many wait.
        """
        return await self._batchers[pair.name].ask(request, rows, arrived)

    def put(self, pair: Pair, one: Waiting) -> None:
        """The same of a request that is told its answer.

        Raises:
            OverloadedError: when too many wait.
        """
        self._batchers[pair.name].put(one)

    def _batcher(self, name: str) -> Batcher:
        """Of whatever is deployed under that name."""

        def run(requests: Sequence[InferRequest], arrived: Sequence[float]) -> Sequence[Answer]:
            return self.gateway.answer(self.gateway.pairs[name], requests, arrived)

        queue = self.gateway.pairs[name].queue
        return Batcher(name, run, lambda: self._paces[name], queue, self._afterwards, self._company)

    def _afterwards(self) -> None:
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(self._pause, self._catch_up)

    def _catch_up(self) -> None:
        self._due = None
        self._pause = SOON if self.gateway.afterwards() > OFTEN * self._pause else LATER

    def answered(self, model: str, error: Exception | None, started: float, request_id: str = "") -> None:
        """Count what has been answered, and how long that took since ``started``."""
        label = model if model in self.gateway.pairs else UNKNOWN
        outcome = "ok" if error is None else "caller_error" if isinstance(error, CallerError) else "server_error"
        self.gateway.metrics.answered(label, outcome, time.perf_counter() - started, request_id)


async def aside(work: Callable[[], T], *, large: bool) -> T:
    """Do what is large in a thread, the rest at once."""
    return await asyncio.to_thread(work) if large else work()


def is_large(response: InferResponse) -> bool:
    """Whether an answer takes its time to be written; a string is a pointer here and more on the wire."""
    size = 0
    for tensor in response.outputs.values():
        size += tensor.nbytes
    return size > LARGE


def told(error: Exception) -> str:
    """What the caller learns; the text of an error that nobody foresaw goes to the log only."""
    if isinstance(error, TightropeError):
        return str(error)
    log.error("an inference request failed", exc_info=error)
    return "internal error; the server's log says more"
