"""A request in the queue of a batcher, and the engine that answers it."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from tightrope.service.inference.batch import BatchItem
from tightrope.service.inference.engine import Answer, BatchAnswers
from tightrope.service.protocol.rest import InferRequest, InferResponse


class QueuedRequest(Protocol):
    """A decoded request, received whole at ``arrived`` (`time.perf_counter`); the batcher sets ``rows``."""

    request: InferRequest
    rows: int
    arrived: float

    @property
    def is_gone(self) -> bool:
        """Whether the caller is gone: then no run is spent on the request."""

    def deliver(self, answer: Answer) -> None:
        """Take the answer, on the event loop; must not raise."""


class AnsweringEngine(Protocol):
    """Answers batches, on any thread."""

    def answer(self, model: str, items: Sequence[BatchItem], *, avoid_stuck: bool = False) -> BatchAnswers:
        """Answer requests to one model; ``avoid_stuck``: try no model with a stuck run.

        Raises:
            EventLoopHeldError: when a run held the event loop.
        """


class AwaitedRequest(Struct, eq=False):
    """A queued request whose caller awaits a future."""

    request: InferRequest
    arrived: float
    future: asyncio.Future[InferResponse]
    rows: int = 0

    @property
    def is_gone(self) -> bool:
        """Whether the caller does not await it any more."""
        return self.future.done()

    def deliver(self, answer: Answer) -> None:
        """Give the future its result or error."""
        if isinstance(answer, Exception):
            self.future.set_exception(answer)
        else:
            self.future.set_result(answer)
