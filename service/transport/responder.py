"""The transports' common part: queues decoded requests, counts answers, and gives errors their text."""

import asyncio
import logging
import time
from collections.abc import Mapping

from tightrope.service.adapters.prometheus.catalogue import UNKNOWN_MODEL
from tightrope.service.adapters.telemetry.span_queue import SpanQueue
from tightrope.service.errors import CallerError, TightropeError
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.inference.batcher import Batcher
from tightrope.service.inference.contention import Contention
from tightrope.service.inference.engine import BatchAnswers, InferenceEngine, row_count
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.runs.sizes import count_elements
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.transport.call_context import CallContext

log = logging.getLogger(__name__)

BUSY_SAMPLING_DELAY_SECONDS, IDLE_SAMPLING_DELAY_SECONDS = 0.01, 0.05
"""Seconds for which answered requests collect before they are sampled together: one by one, each would find other data
in the processor's caches. The delay is longer at lower request rates, where fewer would collect.
"""

BUSY_REQUESTS_PER_SECOND = 10_000
"""Request rate above which the shorter delay applies."""

INTERNAL_ERROR = "internal error; the server's log says more"
"""The text of an unexpected error for callers."""


NO_CONTEXT = CallContext()


class Responder:
    """Answers decoded requests through one batcher a pair; ``batchers`` is keyed by the pairs' names. ``spans`` takes
    the spans of requests, where a collector is configured.
    """

    def __init__(
        self, engine: InferenceEngine, profiles: Mapping[str, RunProfile], spans: SpanQueue | None = None
    ) -> None:
        self.engine = engine
        self.spans = spans
        self._profiles = profiles
        contention = Contention()
        self.batchers = {
            name: Batcher(name, engine, profiles, pair.queue, self._record, contention)
            for name, pair in engine.pairs.items()
        }
        self._sampling: asyncio.TimerHandle | None = None
        self._sampling_delay = BUSY_SAMPLING_DELAY_SECONDS

    def is_short(self, pair: ModelPair, request: InferRequest) -> bool:
        """Whether a request is answered on the event loop, before its caller could disconnect."""
        return self._profiles[pair.name].is_short(row_count(request), count_elements(request.inputs))

    async def respond(self, pair: ModelPair, request: InferRequest, arrived: float) -> InferResponse:
        """Answer a request, received whole at ``arrived`` (`time.perf_counter`). No run is spent on it if this is
        cancelled before its run begins.

        Raises the errors of `Batcher.respond`.
        """
        return await self.batchers[pair.name].respond(request, arrived)

    def count(
        self,
        model: str,
        error: Exception | None,
        started: float,
        request_id: str = "",
        context: CallContext | None = None,
    ) -> None:
        """Count an answer, observe its latency since ``started``, and note its span, if there are any."""
        label = model if model in self.engine.pairs else UNKNOWN_MODEL
        outcome = "ok" if error is None else "caller_error" if isinstance(error, CallerError) else "server_error"
        seconds = time.perf_counter() - started
        self.engine.metrics.record_request(label, outcome, seconds, request_id)
        if self.spans is not None:
            own = context or NO_CONTEXT
            self.spans.note(label, outcome, seconds, own.trace_id, own.parent_id, sampled=own.sampled)

    def _record(self, result: BatchAnswers) -> None:
        """Record an answered batch, and schedule its sampling."""
        self.engine.record(result)
        if self._sampling is None:
            self._sampling = asyncio.get_running_loop().call_later(self._sampling_delay, self._sample)

    def _sample(self) -> None:
        self._sampling = None
        is_busy = self.engine.sample_answers() > BUSY_REQUESTS_PER_SECOND * self._sampling_delay
        self._sampling_delay = BUSY_SAMPLING_DELAY_SECONDS if is_busy else IDLE_SAMPLING_DELAY_SECONDS


def error_text(error: Exception) -> str:
    """The text that the caller gets; that of an unexpected error goes to the log only."""
    if isinstance(error, TightropeError):
        return str(error)
    log.error("an inference request failed", exc_info=error)
    return INTERNAL_ERROR
