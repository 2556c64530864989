"""One model's queue: whatever came while the last batch ran is the next batch. Nobody ever waits for a full one.

A short batch runs on the event loop, a long one in a thread, unless nobody is there whom it could hold up. Callers who
have gone are passed over; when too many wait, more are refused at once.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from tightrope.service.errors import OverloadedError
from tightrope.service.inference.autotune import BRIEF, Pace
from tightrope.service.inference.contention import Company
from tightrope.service.inference.engine import Answer
from tightrope.service.protocol.rest import InferRequest, InferResponse

log = logging.getLogger(__name__)

REFILL, QUIET, LEAST = 0.2, 0.02, 0.001
"""After a batch of several, their callers are about to ask again. A free runner waits for its share of them, but no
longer than this share of what that batch took, nor than that share, or so many seconds, after the latest who came.
"""

PATIENCE = 4
"""How many times longer the first of them is waited for: answers have to be written and read."""

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
    """Belongs to one event loop, where all models know each other's ``company``. ``run`` answers a batch, ``most`` is
    how many requests may wait; ``afterwards`` is called when answers have been told.
    """

    def __init__(
        self,
        name: str,
        run: Run,
        pace: Callable[[], Pace],
        most: int,
        afterwards: Callable[[], None] = lambda: None,
        company: Company | None = None,
    ) -> None:
        self._name = name
        self._run = run
        self._pace = pace
        self._most = most
        self._afterwards = afterwards
        self._company = company or Company()
        self._small: deque[Waiting] = deque()
        self._large: deque[Waiting] = deque()
        self._was_large = False
        self._runs = 0
        self._waiting = self._running = self._returning = 0  # rows of small requests
        self._told, self._quiet, self._until = 0.0, 0.0, 0.0
        self._due: asyncio.Handle | None = None
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
        self._company.met = arrived  # who else was there cannot be told: its way here leads through tasks and threads
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
        if one.rows <= self._pace().most_rows:
            self._small.append(one)
            self._waiting += one.rows
        else:
            self._large.append(one)
        if self._company.running:
            self._company.meet(one.arrived, others=self._company.running > self._runs)
        if self._due is None:
            self._due = asyncio.get_running_loop().call_soon(self._go)
        if self._returning:
            self._came_back(one.rows)

    def _wait(self) -> float:
        """Seconds until most of those who wait will have been answered."""
        pace = self._pace()
        return len(self) / pace.most_rows * pace.takes(pace.most_rows) / pace.runners

    def _came_back(self, rows: int) -> None:
        """Somebody came who was expected: begin at once when that is enough."""
        self._returning = max(0, self._returning - rows)
        if self._due is not None and self._patience(self._pace()) <= 0:
            self._due.cancel()
            self._due = asyncio.get_running_loop().call_soon(self._go)

    def _patience(self, pace: Pace) -> float:
        """How many seconds to wait for those who are about to ask again."""
        if self._large or self._waiting >= self._share(pace):
            return 0.0
        latest = self._small[-1].arrived + self._quiet if self._small else 0.0
        left = min(self._until, max(self._told + PATIENCE * self._quiet, latest)) - time.perf_counter()
        if left <= 0:
            self._returning = 0
        return left

    def _runners(self, pace: Pace) -> int:
        """Runs at a time where batches pay. The last core gives the least there: others have it when they are asked."""
        return pace.runners - (pace.runners > 1 and self._company.is_shared(time.perf_counter()))

    def _share(self, pace: Pace) -> int:
        """The rows of the next batch: a runner's part of all that are there, and of those about to be; half of it where
        nothing is gained but work around the model, so that none waits long for the rest. What is short is not parted.
        """
        there = self._waiting + self._running + self._returning
        parts = self._runners(pace) if pace.pays else 2 * pace.runners
        if parts > 1 and not pace.is_short(min(self._waiting, pace.most_rows)):
            there = -(-there // parts)
        return min(there, pace.most_rows)

    def _go(self) -> None:
        """Run what waits, as far as there are runners."""
        self._due, pace = None, self._pace()
        if (
            len(self._small) == 1
            and not (self._large or self._runs or self._returning)
            and pace.is_short(self._waiting)
        ):
            self._alone(self._small.popleft())
            return
        # Where batches do not pay nothing is gained by waiting: a runner that is done finds the next one ready.
        most = self._runners(pace) if pace.pays else pace.runners + 1
        while self._runs < most:
            if self._returning and (patience := self._patience(pace)) > 0:
                self._due = asyncio.get_running_loop().call_later(max(LEAST, patience), self._go)
                return
            if not (batch := self._take(pace)):
                return
            rows = sum(one.rows for one in batch)
            if pace.is_short(rows):
                self._settle(batch, self._answers(batch))
                if len(self):
                    self._due = asyncio.get_running_loop().call_soon(self._go)
                return
            self._begin(batch, rows, pace)

    def _alone(self, one: Waiting) -> None:
        """The usual case: a small request, nobody beside it, and a run too short to be shared, or to wait for more."""
        self._waiting = 0
        if not one.gone:
            self._settle([one], self._answers([one]))

    def _take(self, pace: Pace) -> list[Waiting]:
        """The next batch: small requests up to their share, or one large one; they take turns. Nothing when nobody
        waits.
        """
        while self._small and self._small[0].gone:  # its caller has gone
            self._waiting -= self._small.popleft().rows
        while self._large and self._large[0].gone:
            self._large.popleft()
        self._was_large = bool(self._large) and not (self._small and self._was_large)
        if self._was_large:
            return [self._large.popleft()]
        batch: list[Waiting] = []
        rows, share = 0, self._share(pace)
        # At least one: what was small when it came may be large by now, because another artefact was deployed.
        while self._small and (not batch or rows + self._small[0].rows <= share):
            one = self._small.popleft()
            self._waiting -= one.rows
            if not one.gone:
                batch.append(one)
                rows += one.rows
        return batch

    def _answers(self, batch: Sequence[Waiting]) -> Sequence[Answer]:
        try:
            return self._run([one.request for one in batch], [one.arrived for one in batch])
        except Exception as error:  # noqa: BLE001 - nobody may wait for ever, whatever went wrong
            return [error] * len(batch)

    def _begin(self, batch: Sequence[Waiting], rows: int, pace: Pace) -> None:
        """A run that would hold up others: in a thread, unless there are none."""
        loop, at = asyncio.get_running_loop(), batch[-1].arrived
        if self._company.running or len(batch) > 1 or len(self):
            self._company.met = at
        alone = pace.is_brief(rows) and not self._company.is_there(at)
        small = 0 if self._was_large else rows
        self._runs += 1
        self._running += small
        self._company.running += 1
        began = time.perf_counter()
        if not alone:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(pace.runners, self._name)
            self._pool.submit(self._in_thread, loop, batch, small, began)
            return
        answers = self._answers(batch)
        if time.perf_counter() - began > BRIEF:
            self._company.met = time.perf_counter()
        # Told two turns of the loop later: whoever came meanwhile has been read by then, and was company.
        loop.call_soon(loop.call_soon, self._done, batch, answers, small, began)

    def _in_thread(self, loop: asyncio.AbstractEventLoop, batch: Sequence[Waiting], small: int, began: float) -> None:
        answers = self._answers(batch)
        loop.call_soon_threadsafe(self._done, batch, answers, small, began)

    def _done(self, batch: Sequence[Waiting], answers: Sequence[Answer], small: int, began: float) -> None:
        """A run is over, which was of so many rows of small requests. Unless it was of one alone, others are about to
        come back together.
        """
        self._runs -= 1
        self._running -= small
        self._company.running -= 1
        self._settle(batch, answers)
        now = time.perf_counter()
        if len(batch) > 1 and self._pace().pays:
            seconds = now - began
            self._returning = small + (self._returning if now < self._until else 0)
            self._told, self._quiet, self._until = now, max(LEAST, QUIET * seconds), now + REFILL * seconds
        if self._due is None:
            self._due = asyncio.get_running_loop().call_soon(self._go)

    def _settle(self, batch: Sequence[Waiting], answers: Sequence[Answer]) -> None:
        for one, answer in zip(batch, answers, strict=True):
            if not one.gone:
                one.tell(answer)
        try:
            self._afterwards()
        except Exception:  # what was answered is answered, and others wait
            log.exception("what was answered could not be sampled or counted")
