"""The runs of one model's batches in threads.

A run that is stuck is given up: its requests are answered again, each alone, by a model that is not stuck.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from msgspec import Struct

from tightrope.service.adapters.runs.threads import RunThreads
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.inference.batching.queued_request import AnsweringEngine, QueuedRequest
from tightrope.service.inference.contention import Contention
from tightrope.service.inference.engine import BatchAnswers


class LongRun(Struct, eq=False):
    """A run that is not short, since ``began`` (`time.perf_counter`), with the rows of its small requests."""

    batch: Sequence[QueuedRequest]
    small_rows: int
    began: float
    is_over: bool = False


class BatchRuns:
    """Runs the batches of one model. ``count`` is the number of runs under way that are not short, ``rows`` the rows of
    small requests in them. ``on_over`` gets a run and its answers on the event loop, None if the run was given up.
    """

    def __init__(
        self,
        model: str,
        engine: AnsweringEngine,
        contention: Contention,
        on_over: Callable[[LongRun, BatchAnswers | None], None],
    ) -> None:
        self.count = self.rows = 0
        self._model = model
        self._engine = engine
        self._contention = contention
        self._on_over = on_over
        self._threads: RunThreads | None = None

    def begin(self, batch: Sequence[QueuedRequest], small_rows: int) -> LongRun:
        """Count a run."""
        self.count += 1
        self.rows += small_rows
        self._contention.running += 1
        return LongRun(batch, small_rows, time.perf_counter())

    def finish(self, run: LongRun, result: BatchAnswers) -> None:
        """Count a run as over, unless it was given up."""
        if self._end(run):
            self._on_over(run, result)

    def submit(self, run: LongRun, profile: RunProfile, *, avoid_stuck: bool = False) -> None:
        """Make a run in a thread; ``avoid_stuck``: on a model that is not stuck."""
        if self._threads is None:
            self._threads = RunThreads(profile.runners, self._model)
        loop = asyncio.get_running_loop()
        answer = partial(self._engine.answer, avoid_stuck=True) if avoid_stuck else self._engine.answer
        abandon = partial(_call_on, loop, self._replace, run, profile)
        self._threads.submit(partial(self._run_in_thread, loop, run, answer), abandon)

    def _run_in_thread(
        self, loop: asyncio.AbstractEventLoop, run: LongRun, answer: Callable[..., BatchAnswers]
    ) -> None:
        try:
            result = answer(self._model, run.batch)
        except Exception as error:  # noqa: BLE001 - every caller must get an answer
            result = BatchAnswers([error] * len(run.batch), ())
        _call_on(loop, self.finish, run, result)

    def _replace(self, run: LongRun, profile: RunProfile) -> None:
        """Give up a run that is stuck, and answer its requests again, each alone."""
        if not self._end(run):
            return
        for queued in run.batch:
            self.submit(self.begin([queued], 0), profile, avoid_stuck=True)
        self._on_over(run, None)

    def _end(self, run: LongRun) -> bool:
        """Count a run as over; False if it is already."""
        if run.is_over:
            return False
        run.is_over = True
        self.count -= 1
        self.rows -= run.small_rows
        self._contention.running -= 1
        return True


def _call_on(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: object) -> None:
    """Call a function on the event loop, from another thread; a loop that is closed needs no answer."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)
