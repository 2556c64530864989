"""A model whose runs are made in a thread of its own, so that its caller goes on when one of them is stuck.

The worker runs models in this form: it waits for their answers, and other models' samples must not wait with it.
"""

import threading
import time
from collections.abc import Sequence
from copy import copy
from functools import partial
from queue import SimpleQueue

from tightrope.monitors.records import Tensors
from tightrope.service.adapters.ports import Model, RunDeadlineError, host_class_of
from tightrope.service.adapters.runs.cpu_threads import CpuSum, cpu_factor
from tightrope.service.adapters.runs.threads import RunThreads
from tightrope.service.adapters.runs.watched_runs import WatchedRuns, runs_of

UNMEASURED_ROWS = 64
"""Rows of a run before any was measured."""

DEADLINE_SHARE = 0.25
"""Share of the deadline that a run of many samples may be expected to take."""

FORGETTING = 0.5
"""A row is expected to take at least this share of what one took in the run before."""


class DetachedModel:
    """Runs of a model in another thread, one at a time. It shares nothing of the model but what was loaded."""

    def __init__(self, model: Model, runs: WatchedRuns) -> None:
        self.digest = model.digest
        self.inputs = model.inputs
        self.outputs = model.outputs
        self.host_class = host_class_of(model)
        self.runs = runs.renewed()
        self._model = copy(model)
        self._model.runs = self.runs  # type: ignore[attr-defined]
        self._threads = RunThreads(1, "shadow-run")
        self._row_seconds = 0.0
        self.cpu = CpuSum()
        self._factor = cpu_factor(model)

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer one batch; raises as the model does.

        Raises:
            RunDeadlineError: also when the run is stuck.
        """
        (answer,) = self.run_each([inputs], outputs)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def run_each(self, batches: Sequence[Tensors], outputs: Sequence[str]) -> list[Tensors | Exception]:
        """Answer batches, each in a run of its own; in the place of an answer there may be the error of its run. They
        are handed over together, because that costs more than a small run.
        """
        answers: list[Tensors | Exception] = []
        began = time.perf_counter()
        while len(answers) < len(batches):
            answers += self._run_until_stuck(batches[len(answers) :], outputs)
        if batches and not self.runs.breaker.is_open:
            rows = sum(max(map(len, inputs.values()), default=0) for inputs in batches)
            row_seconds = (time.perf_counter() - began) / max(1, rows)
            self._row_seconds = max(row_seconds, FORGETTING * self._row_seconds)
        return answers

    def _run_until_stuck(self, batches: Sequence[Tensors], outputs: Sequence[str]) -> list[Tensors | Exception]:
        """The answers to all batches, or to those up to the one whose run is stuck."""
        answers: list[Tensors | Exception] = []
        ended: SimpleQueue[bool] = SimpleQueue()
        over = threading.Event()

        def make_runs() -> None:
            for inputs in batches:
                began = time.thread_time()
                try:
                    answer: Tensors | Exception = self._model.run(inputs, outputs)
                except Exception as error:  # noqa: BLE001 - it stands in the place of the answer
                    answer = error
                self.cpu.add(self._factor * (time.thread_time() - began))
                if over.is_set():
                    return
                answers.append(answer)
            ended.put(item=True)

        self._threads.submit(make_runs, partial(ended.put, item=False))
        if ended.get():
            return answers
        over.set()
        return [*answers[: len(batches) - 1], _stuck_error()]

    def max_rows(self, limit: int) -> int:
        """The rows of samples that may share a run, up to ``limit``, so that they answer long before the deadline."""
        if not self._row_seconds:
            return min(limit, UNMEASURED_ROWS)
        return max(1, min(limit, int(DEADLINE_SHARE * self.runs.seconds / self._row_seconds)))


def detach(model: Model) -> Model:
    """The model with runs in another thread, and a breaker of its own; a remote one has a timeout, and stays."""
    runs = runs_of(model)
    return model if runs is None else DetachedModel(model, runs)


def _stuck_error() -> RunDeadlineError:
    return RunDeadlineError("a run of it is stuck")
