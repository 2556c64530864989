"""The queue of one model on one event loop, and the loop that runs its batches.

How it works: requests that arrive while runs are under way form the next batch; no request waits for a full one. The
exception is a short wait after a batch of several: its callers are about to send their next requests, so a free runner
waits until its share of them is queued. Short runs take place on the event loop; longer ones in a thread, except for a
caller without contention. Runs that take much longer than expected are left to `BatchRuns`. `_turn` is the only place
that starts runs; it follows this table (limit: runs at a time):

    state      runs         queue        next turn    ends when
    idle       none         empty        none         a request is submitted: ready
    ready      any          any          call_soon    the turn starts runs: running; or has run all that is short: idle
    returning  below limit  below share  call_later   the share is queued, or the time is up: ready
    running    one or more  any          none         a run is finished, or a request is submitted: ready

Requests whose callers are gone are dropped; when the queue is full, more are refused at once.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import get_ident

from tightrope.service.adapters.ports import EventLoopHeldError
from tightrope.service.adapters.runs.watch import RUN_WATCH
from tightrope.service.errors import OverloadedError
from tightrope.service.inference.autotune import BRIEF_SECONDS, LOOP_BAN_SECONDS, RunProfile
from tightrope.service.inference.batching.batch_runs import BatchRuns, LongRun
from tightrope.service.inference.batching.queued_request import AnsweringEngine, AwaitedRequest, QueuedRequest
from tightrope.service.inference.contention import Contention
from tightrope.service.inference.engine import BatchAnswers, row_count
from tightrope.service.inference.runs.sizes import count_elements
from tightrope.service.protocol.rest import InferRequest, InferResponse

log = logging.getLogger(__name__)

RETURN_SHARE = 0.2
"""Longest wait for returning callers, as a share of the seconds that their batch took."""

RETURN_GAP_SHARE, MIN_RETURN_GAP_SECONDS = 0.02, 0.001
"""The wait ends when no caller returned for this share of the batch's seconds, and not before this many seconds."""

FIRST_RETURN_GAPS = 4
"""Gaps that the first caller may take: answers have to be written and read."""


class Batcher:
    """Queues and runs the requests to one model. All batchers of an event loop share ``contention``; ``profiles`` has
    each model's present profile; ``on_answered`` is called once the answers of a batch are delivered.
    """

    def __init__(
        self,
        model: str,
        engine: AnsweringEngine,
        profiles: Mapping[str, RunProfile],
        max_queued: int,
        on_answered: Callable[[BatchAnswers], None],
        contention: Contention,
    ) -> None:
        self._model = model
        self._profiles = profiles
        self._max_queued = max_queued
        self._on_answered = on_answered
        self._contention = contention
        self._small: deque[QueuedRequest] = deque()
        self._large: deque[QueuedRequest] = deque()
        self._last_was_large = False
        self._engine = engine
        self._runs = BatchRuns(model, engine, contention, self._finish_run)
        self._queued_rows = self._returning_rows = 0  # of small requests
        self._delivered_at = self._return_gap = self._return_until = 0.0
        self._next_turn: asyncio.Handle | None = None

    def __len__(self) -> int:
        """Number of queued requests."""
        return len(self._small) + len(self._large)

    async def respond(self, request: InferRequest, arrived: float) -> InferResponse:
        """Queue a request, and await its response.

        Raises:
            CallerError: when its inputs differ in rows.
            OverloadedError: when the queue is full.
            Exception: the error that `InferenceEngine.answer` gives it.
        """
        # Tasks and threads on the way here hide whether other requests came at the same time: assume that they did.
        self._contention.overlapped_at = arrived
        queued = AwaitedRequest(request, arrived, asyncio.get_running_loop().create_future())
        self.submit(queued)
        return await queued.future

    def submit(self, queued: QueuedRequest) -> None:
        """Queue a request.

        Raises:
            CallerError: when its inputs differ in rows.
            OverloadedError: when the queue is full.
        """
        inputs, profile = queued.request.inputs, self._profiles[self._model]
        rows = queued.rows = len(next(iter(inputs.values()))) if len(inputs) == 1 else row_count(queued.request)
        if len(self._small) + len(self._large) >= self._max_queued:
            raise OverloadedError(f"model {self._model!r}: {self._max_queued} requests wait already", self._backlog())
        # A request that may not share a run waits among the large ones, which run alone.
        if rows <= profile.max_rows and (
            profile.batchability.is_open
            or profile.batchability.allows([output.name for output in queued.request.outputs])
        ):
            self._small.append(queued)
            self._queued_rows += rows
        else:
            self._large.append(queued)
        if self._contention.running:
            self._contention.note_overlap(queued.arrived, other_model=self._contention.running > self._runs.count)
        if self._returning_rows:
            self._returning_rows = max(0, self._returning_rows - rows)
            if self._next_turn is not None and self._return_delay(profile) <= 0:
                self._next_turn.cancel()
                self._next_turn = None
        if self._next_turn is None:
            self._next_turn = asyncio.get_running_loop().call_soon(self._turn)

    def _backlog(self) -> float:
        """Seconds until most of the queued requests will be answered."""
        profile = self._profiles[self._model]
        return len(self) / profile.max_rows * profile.expected_seconds(profile.max_rows) / profile.runners

    def _turn(self) -> None:
        """Start runs until the limit is reached or the queue is empty, or wait for returning callers."""
        loop, profile = asyncio.get_running_loop(), self._profiles[self._model]
        self._next_turn = None
        # Where batches do not pay, waiting gains nothing: one run more than runners is ready for the next free one.
        limit = self._pooled_runners(profile) if profile.pays else profile.runners + 1
        while self._runs.count < limit:
            if self._returning_rows and (delay := self._return_delay(profile)) > 0:
                self._next_turn = loop.call_later(max(MIN_RETURN_GAP_SECONDS, delay), self._turn)
                return
            batch, rows = self._next_batch(profile)
            if not batch:
                return
            elements = _elements(batch)
            is_short = profile.short_runs.get((rows, elements))
            if is_short is None:
                is_short = profile.is_short(rows, elements)
            if is_short:
                if (result := self._answer_on_loop(batch, profile)) is None:
                    self._start_run(batch, rows, elements, profile)
                    continue
                self._deliver(batch, result)
                if self._small or self._large:
                    self._next_turn = loop.call_soon(self._turn)
                return
            self._start_run(batch, rows, elements, profile)

    def _return_delay(self, profile: RunProfile) -> float:
        """Seconds to wait for returning callers; not positive when the wait is over."""
        if self._large or self._queued_rows >= self._share(profile):
            return 0.0
        latest = self._small[-1].arrived + self._return_gap if self._small else 0.0
        first = self._delivered_at + FIRST_RETURN_GAPS * self._return_gap
        delay = min(self._return_until, max(first, latest)) - time.perf_counter()
        if delay <= 0:
            self._returning_rows = 0
        return delay

    def _pooled_runners(self, profile: RunProfile) -> int:
        """Runs at a time where batches pay. The last core gains least, so other models get it when they need it."""
        return profile.runners - (profile.runners > 1 and self._contention.is_across_models(time.perf_counter()))

    def _share(self, profile: RunProfile) -> int:
        """Rows of the next batch: one runner's share of all rows that are queued, running or returning. Where a batch
        saves only the work around the model it is half of that, so that no caller waits long for the others. Rows that
        are short together are not divided.
        """
        rows = self._queued_rows + self._runs.rows + self._returning_rows
        parts = self._pooled_runners(profile) if profile.pays else 2 * profile.runners
        if parts > 1 and not self._is_short_together(profile):
            rows = -(-rows // parts)
        return min(rows, profile.max_rows)

    def _is_short_together(self, profile: RunProfile) -> bool:
        """Whether the small requests in the queue are short together, if all rows are as wide as those of the first."""
        rows = min(self._queued_rows, profile.max_rows)
        if not self._small:
            return profile.is_short(rows)
        first = self._small[0]
        return profile.is_short(rows, rows * count_elements(first.request.inputs) // max(first.rows, 1))

    def _next_batch(self, profile: RunProfile) -> tuple[Sequence[QueuedRequest], int]:
        """Take the next batch, if any, and its rows: small requests up to their share, or one large one, in turn."""
        while self._small and self._small[0].is_gone:
            self._queued_rows -= self._small.popleft().rows
        while self._large and self._large[0].is_gone:
            self._large.popleft()
        self._last_was_large = bool(self._large) and not (self._small and self._last_was_large)
        if self._last_was_large:
            large = self._large.popleft()
            return [large], large.rows
        batch: list[QueuedRequest] = []
        rows, share = 0, self._share(profile) if len(self._small) > 1 else 0
        # At least one: a deployment since it was queued may have made it larger than the new profile's maximum.
        while self._small and (not batch or rows + self._small[0].rows <= share):
            queued = self._small.popleft()
            self._queued_rows -= queued.rows
            if not queued.is_gone:
                batch.append(queued)
                rows += queued.rows
        return batch, rows

    def _answer_on_loop(self, batch: Sequence[QueuedRequest], profile: RunProfile) -> BatchAnswers | None:
        """Answer a batch at once; None if its run held the event loop: then the model leaves it for a while."""
        RUN_WATCH.loop_thread = get_ident()
        try:
            return self._engine.answer(self._model, batch)
        except EventLoopHeldError as error:
            profile.leave_loop(LOOP_BAN_SECONDS)
            log.warning("models.%s: %s; for %g s its runs are made in threads", self._model, error, LOOP_BAN_SECONDS)
            return None
        except Exception as error:  # noqa: BLE001 - every caller must get an answer
            return BatchAnswers([error] * len(batch), ())
        finally:
            RUN_WATCH.loop_thread = 0

    def _start_run(self, batch: Sequence[QueuedRequest], rows: int, elements: int, profile: RunProfile) -> None:
        """Start a run that is not short: in a thread, or on the event loop when no other request would be delayed."""
        now = batch[-1].arrived
        if self._contention.running or len(batch) > 1 or len(self):
            self._contention.overlapped_at = now
        run = self._runs.begin(batch, 0 if self._last_was_large else rows)
        if not profile.is_brief(rows, elements) or self._contention.is_recent(now):
            self._runs.submit(run, profile)
            return
        result = self._answer_on_loop(batch, profile)
        if time.perf_counter() - run.began > BRIEF_SECONDS:
            self._contention.overlapped_at = time.perf_counter()
        if result is None:
            self._runs.submit(run, profile)
            return
        # Two iterations of the loop later, requests that came during the run have been read: they count as contention.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._runs.finish, run, result)

    def _finish_run(self, run: LongRun, result: BatchAnswers | None) -> None:
        """Deliver a run's answers, if it was not given up. The callers of a batch of several are expected to return
        together.
        """
        if result is not None:
            self._deliver(run.batch, result)
        now = time.perf_counter()
        if result is not None and len(run.batch) > 1 and self._profiles[self._model].pays:
            seconds = now - run.began
            self._returning_rows = run.small_rows + (self._returning_rows if now < self._return_until else 0)
            self._delivered_at, self._return_until = now, now + RETURN_SHARE * seconds
            self._return_gap = max(MIN_RETURN_GAP_SECONDS, RETURN_GAP_SHARE * seconds)
        if self._next_turn is None:
            self._next_turn = asyncio.get_running_loop().call_soon(self._turn)

    def _deliver(self, batch: Sequence[QueuedRequest], result: BatchAnswers) -> None:
        for queued, answer in zip(batch, result.answers, strict=True):
            if not queued.is_gone:
                queued.deliver(answer)
        try:
            self._on_answered(result)
        except Exception:  # the answers are sent, and other requests wait
            log.exception("answered requests could not be recorded")


def _elements(batch: Sequence[QueuedRequest]) -> int:
    """The elements of all inputs of a batch."""
    inputs = batch[0].request.inputs
    if len(batch) == len(inputs) == 1 and not (tensor := next(iter(inputs.values()))).dtype.hasobject:
        return tensor.size
    return sum(count_elements(queued.request.inputs) for queued in batch)
