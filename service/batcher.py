"""One model's queue: whatever came while the last batch ran is the next batch. Nobody ever waits for a full one.

A short batch runs on the event loop, a long one in a thread. Callers who have gone are passed over; when too many wait,
more are refused at once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from service.errors import OverloadedError
from service.gateway import Answer
from service.pace import Pace
from service.protocol import InferRequest, InferResponse

log = logging.getLogger(__name__)

REFILL, QUIET, LEAST = 0.2, 0.02, 0.0005
"""After a batch of several, their callers are about to ask again. The next one waits for them at most this share of
what the last one took, and no longer than that share, or so many seconds, after the latest of them.
"""

Run = Callable[[Sequence[InferRequest], Sequence[float]], Sequence[Answer]]


class Waiting(Protocol):
    """A request of so many rows, which was there whole at ``arrived`` (of `time.perf_counter`)."""

    request: InferRequest
    rows: int
    arrived: float

    @property
    def gone(self) -> bool:
        """Whether nobody wants the answer any more: then no run is spent on it."""

    def tell(self, answer: Answer) -> None:
        """Take the answer, on the event loop; must not raise."""


@dataclass(slots=True, eq=False)
class _Asked:
    request: InferRequest
    rows: int
    arrived: float
    answer: asyncio.Future[InferResponse]

    @property
    def gone(self) -> bool:
        return self.answer.done()

    def tell(self, answer: Answer) -> None:
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class Batcher:
    """Belongs to one event loop. ``run`` answers a batch, ``most`` is how many requests may wait; ``afterwards`` is
    called when answers have been told.
    """

    def __init__(
        self, name: str, run: Run, pace: Callable[[], Pace], most: int, afterwards: Callable[[], None] = lambda: None
    ) -> None:
        self._name = name
        self._run = run
        self._pace = pace
        self._most = most
        self._afterwards = afterwards
        self._small: deque[Waiting] = deque()
        self._large: deque[Waiting] = deque()
        self._running = 0
        self._due: asyncio.Handle | None = None
        self._last = (0, 0.0, 0.0)
        self._was_large = False
        self._pool: ThreadPoolExecutor | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._small) + len(self._large)

    async def ask(self, request: InferRequest, rows: int, arrived: float) -> InferResponse:
        """The answer to a request, as `Waiting` has it.

        Raises:
            OverloadedError: when too many wait already.
            Exception: whatever `Gateway.answer` has for it.
        """
        asked = _Asked(request, rows, arrived, asyncio.get_running_loop().create_future())
        self.put(asked)
        return await asked.answer

    def put(self, one: Waiting) -> None:
        """Let a request wait for its turn.

        Raises:
            OverloadedError: when too many wait already.
        """
        if len(self._small) + len(self._large) >= self._most:
            raise OverloadedError(f"model {self._name!r}: {self._most} requests wait already", self._wait())
        (self._small if one.rows <= self._pace().most_rows else self._large).append(one)
        if self._due is None:
            self._due = asyncio.get_running_loop().call_soon(self._go)
        elif self._last[0] > 1:
            self._again(asyncio.get_running_loop())

    def _wait(self) -> float:
        """Seconds until most of those who wait will have been answered."""
        pace = self._pace()
        return len(self) / pace.most_rows * pace.takes(pace.most_rows) / pace.runners

    def _again(self, loop: asyncio.AbstractEventLoop) -> None:
        """Somebody came while the next batch waits for the callers of the last one: begin, or wait for one more."""
        assert self._due is not None  # noqa: S101 - the caller looked
        count, quiet, until = self._last
        if not isinstance(self._due, asyncio.TimerHandle):
            return
        self._due.cancel()
        now = loop.time()
        full = len(self._small) >= count or now >= until
        self._due = loop.call_soon(self._go) if full else loop.call_at(min(now + quiet, until), self._go)

    def _go(self) -> None:
        """Run what waits, as far as there are runners."""
        self._due, self._last = None, (0, 0.0, 0.0)
        pace = self._pace()
        # Where batches do not pay nothing is gained by waiting: a runner that is done finds the next one ready.
        most = pace.runners + (pace.most_rows == 1)
        while self._running < most and (batch := self._take(pace)):
            rows = sum(one.rows for one in batch)
            if not pace.is_short(rows):
                self._in_thread(batch)
                continue
            self._settle(batch, self._answers(batch))
            if len(self):
                self._due = asyncio.get_running_loop().call_soon(self._go)
            return

    def _take(self, pace: Pace) -> list[Waiting]:
        """The next batch: small requests up to the most rows, or one large one; they take turns. Empty when nobody
        waits.
        """
        for queue in (self._small, self._large):
            while queue and queue[0].gone:  # its caller has gone
                queue.popleft()
        self._was_large = bool(self._large) and not (self._small and self._was_large)
        if self._was_large:
            return [self._large.popleft()]
        batch: list[Waiting] = []
        rows = 0
        # At least one: what was small when it came may be large by now, because another artefact was deployed.
        while self._small and (not batch or rows + self._small[0].rows <= pace.most_rows):
            one = self._small.popleft()
            if not one.gone:
                batch.append(one)
                rows += one.rows
        return batch

    def _answers(self, batch: Sequence[Waiting]) -> Sequence[Answer]:
        try:
            return self._run([one.request for one in batch], [one.arrived for one in batch])
        except Exception as error:  # noqa: BLE001 - nobody may wait for ever, whatever went wrong
            return [error] * len(batch)

    def _in_thread(self, batch: Sequence[Waiting]) -> None:
        self._running += 1
        loop = asyncio.get_running_loop()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._pace().runners, self._name)
        began = loop.time()

        def done(run: asyncio.Future[Sequence[Answer]]) -> None:
            self._running -= 1
            self._settle(batch, run.result())
            if self._due is None:
                self._next(loop, len(batch), loop.time() - began)

        loop.run_in_executor(self._pool, self._answers, batch).add_done_callback(done)

    def _next(self, loop: asyncio.AbstractEventLoop, count: int, seconds: float) -> None:
        """After a batch: at once, unless the callers of several may be about to ask again."""
        if count == 1 or len(self._small) >= count or self._pace().runners > 1:
            self._due = loop.call_soon(self._go)
            return
        now, quiet = loop.time(), max(LEAST, QUIET * seconds)
        self._last = (count, quiet, now + REFILL * seconds)
        self._due = loop.call_at(min(now + 4 * quiet, self._last[-1]), self._go)

    def _settle(self, batch: Sequence[Waiting], answers: Sequence[Answer]) -> None:
        for one, answer in zip(batch, answers, strict=True):
            if not one.gone:
                one.tell(answer)
        try:
            self._afterwards()
        except Exception:  # what was answered is answered, and others wait
            log.exception("what was answered could not be sampled or counted")
