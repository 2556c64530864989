"""Autotuning of one pair: whether batches and threads pay, and which runs fit the event loop.

How it works: `measure_profile` runs both models on rows of zeros when a pair is loaded. It compares one row with a
batch of `TRIAL_ROWS`, and two threads with one, and takes batches or threads where they give enough more rows a second.
Only requests that the pair's `Batchability` allows share a run.

In service, `RunProfile.observe` corrects the measurements. Runs are grouped by size (`runs/sizes.py`): by the elements
of their inputs, and of a row. Of every `RUNS_PER_UPDATE` runs of a size, the mean gives the seconds to expect and the
minimum tells whether the size is short: single runs may be slow only because other threads held the interpreter. A size
that was not observed gets an upper estimate from those that were, so it may be made in threads until it was.
"""

import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from math import inf

import numpy as np

from tightrope.monitors.records import Tensors
from tightrope.service.adapters import cpu
from tightrope.service.adapters.ports import Model, RunDeadlineError, RunFailedError
from tightrope.service.inference.batchability import Batchability
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.runs.cpu_ratio import CpuRatio, measure_cpu_ratio
from tightrope.service.inference.runs.sizes import CUBIC, LINEAR, count_elements, estimate_seconds, run_size
from tightrope.service.protocol.tensors import zeros

log = logging.getLogger(__name__)

SHORT_SECONDS = 0.001
"""Longest run on the event loop while other requests wait; a thread hop costs a tenth of it."""

BRIEF_SECONDS = 0.01
"""Longest run on the event loop without contention: a request that comes meanwhile is delayed by it, once."""

MAX_BATCH_ROWS = 64
"""Rows of one batch: beyond it callers wait for each other and little is gained."""

TRIAL_ROWS = 32
"""Rows of the batch that is tried."""

TRIALS, TRIALS_SECONDS = 5, 0.25
"""Runs of each trial, and the seconds after which it is not repeated."""

MAX_TRIAL_SECONDS = 2.0
"""Expected seconds of a batch beyond which it is not tried, so as not to delay the start; see `batch_rows`."""

MIN_SPEED_UP = 1.25
"""Rows a second that a batch, or a second thread, must give relative to one row, or one thread, to pay."""

MIN_HALVES_SPEED_UP, HALVES_TRIALS, HALVES_SECONDS = 1.1, 15, 0.5
"""Speed-up of two threads with half a batch each, trials and seconds. A trial shows less than the gain in use, where
one batch is read or written while the other one runs, and it shows less still on a busy machine.
"""

MIN_TRIALS = 5
"""Trials before threads are said to pay: the minimum of fewer may be from a moment when other processes were busy."""

MAX_OTHER_WORK = 1.1
"""Processor time of the whole process during a run, relative to that of the run's own thread, up to which the run is
that thread's work alone.
"""

MIN_NEUTRAL_SPEED_UP, NEUTRAL_BATCH_ROWS = 0.9, 8
"""Speed-up from which a batch costs the model nothing, so that it saves the work around the run; and its rows."""

MAX_SHORT_RUNS = 4096
"""Pairs of rows and elements that are remembered as short or not."""

RUNS_PER_UPDATE = 32
"""Runs of one size between two updates of its figures."""

LOOP_BAN_SECONDS = 600.0
"""How long a model whose run held the event loop has all runs in threads: a busy machine may have been the reason."""

REMOTE_RUNNERS = 32
"""Runs at a time of a pair with a remote model: they only wait."""


class RunProfile:
    """The profile of one pair: ``runners`` is the number of runs at a time, ``max_rows`` the rows of a batch, and
    batches ``pays`` when a row costs less among others. ``measured`` maps rows, of ``width`` elements each, to the
    least seconds that runs of them took. Runs expected to take up to ``brief_seconds`` may occupy the event loop when
    there is no contention. ``batchability`` knows which requests may share a run. ``short_runs`` has what `is_short`
    found for rows and elements, until that may be another. ``cpu_ratio`` compares both models' processor time.
    """

    def __init__(
        self,
        runners: int = 1,
        max_rows: int = MAX_BATCH_ROWS,
        measured: Mapping[int, float] | None = None,
        *,
        pays: bool = True,
        brief_seconds: float = BRIEF_SECONDS,
        width: int = 1,
    ) -> None:
        self.runners = runners
        self.max_rows = max_rows
        self.pays = pays and max_rows > 1
        self.batchability = Batchability({}, "")
        self._brief_seconds = brief_seconds
        self._width = width
        self._minima = {run_size(rows, rows * width): seconds for rows, seconds in (measured or {}).items()}
        self._means = dict(self._minima)
        self._latest: dict[int, list[float]] = {}
        self.short_runs: dict[tuple[int, int], bool] = {}
        self._off_loop_until = -inf
        self.cpu_ratio = CpuRatio()

    def expected_seconds(self, rows: int, elements: int | None = None) -> float:
        """Seconds that a run of these rows, with these elements in all, is expected to take: without elements, of the
        measured width; 0 before any run was measured.
        """
        size = run_size(rows, rows * self._width if elements is None else elements)
        return estimate_seconds(self._means, size, LINEAR, LINEAR)

    def is_short(self, rows: int, elements: int | None = None) -> bool:
        """Whether a run of these rows, with these elements in all, may occupy the event loop at any time."""
        elements = rows * self._width if elements is None else elements
        is_short = self._upper_seconds(self._minima, run_size(rows, elements)) <= SHORT_SECONDS
        if len(self.short_runs) < MAX_SHORT_RUNS:
            self.short_runs[rows, elements] = is_short
        return is_short

    def is_brief(self, rows: int, elements: int | None = None) -> bool:
        """Whether a run of these rows, with these elements in all, may occupy the event loop when there is no
        contention.
        """
        size = run_size(rows, rows * self._width if elements is None else elements)
        return self._upper_seconds(self._means, size) <= self._brief_seconds

    def leave_loop(self, seconds: float = inf) -> None:
        """Make all runs in threads, for ``seconds`` and until a size is observed anew."""
        self._off_loop_until, self.short_runs = time.perf_counter() + seconds, {}

    def _upper_seconds(self, seconds_by_size: Mapping[int, float], size: int) -> float:
        """The most seconds that a run of this size is expected to take; infinite if all are made in threads."""
        if time.perf_counter() < self._off_loop_until:
            return inf
        return estimate_seconds(seconds_by_size, size, CUBIC if self.batchability.is_closed else LINEAR, CUBIC)

    def observe(self, rows: int, *seconds: float, elements: int | None = None) -> None:
        """Update the figures with the seconds of runs of these rows and elements. Any thread may call this."""
        size = run_size(rows, rows * self._width if elements is None else elements)
        latest = [*self._latest.get(size, ()), *seconds]
        is_full = len(latest) >= RUNS_PER_UPDATE
        # Containers that other threads may read are replaced, never changed: a scrape of the metrics observes too.
        self._latest[size] = [] if is_full else latest
        if is_full or size not in self._means:
            self._means = {**self._means, size: sum(latest) / len(latest)}
        if is_full:
            self._minima = {**self._minima, size: min(latest)}
            self.short_runs = {}


def measure_profile(pair: ModelPair, processes: int = 1) -> RunProfile:
    """Warm a pair up and measure it on rows of zeros; ``processes`` share the machine's cores."""
    _warm_up(pair)
    cores = max(1, cpu.usable_cores() // processes)
    if pair.is_remote:
        return _threads_only(REMOTE_RUNNERS)
    models = list(pair.models.values())
    row_seconds = max(_run_seconds(model, pair, 1) for model in models)
    if row_seconds == inf:  # the model refuses zeros, so its speed is unknown
        return _threads_only(cores)
    width = count_elements(zeros(pair.inputs))
    profile = _batch_profile(pair, row_seconds, _batch_seconds(pair, row_seconds), width)
    profile.batchability, profile.cpu_ratio = pair.batchability, measure_cpu_ratio(pair, profile.max_rows)
    if reason := next(filter(None, (getattr(model, "value_work", "") for model in models)), ""):
        log.info("models.%s: all runs are made in threads: %s", pair.name, reason)
        profile.leave_loop()
    is_short = profile.is_short(TRIAL_ROWS if profile.pays else 1)
    if not is_short and cores > 1 and _threads_pay(models[0], pair, in_batches=profile.pays):
        profile.runners = cores
    return profile


def _batch_profile(pair: ModelPair, row_seconds: float, batch_seconds: float, width: int) -> RunProfile:
    """The profile with the rows of a batch: from the settings, or by what one row and a batch take."""
    configured = 1 if pair.batchability.is_closed else pair.batch_rows
    speed_up = row_seconds * TRIAL_ROWS / batch_seconds
    pays = bool(configured) or speed_up >= MIN_SPEED_UP
    rows = configured or 1
    if not configured and pays:
        rows = MAX_BATCH_ROWS
    elif not configured and speed_up >= MIN_NEUTRAL_SPEED_UP and row_seconds > SHORT_SECONDS:
        rows = NEUTRAL_BATCH_ROWS
    measured = {1: row_seconds} | ({TRIAL_ROWS: batch_seconds} if batch_seconds < inf else {})
    return RunProfile(1, rows, measured, pays=pays, width=width)


def _warm_up(pair: ModelPair) -> None:
    """Run batches of 1, 2, 4 … rows, up to the configured number: the first run of a size is the slowest."""
    for role, max_rows in pair.warm_up:
        doublings = max_rows.bit_length() + 1 if pair.has_free_rows else 0
        sizes = {1, *(min(2**n, max_rows) for n in range(doublings))}
        try:
            for rows in sorted(sizes):
                pair.models[role].run(_rows_of_zeros(pair, rows), [pair.output])
        except RunFailedError as error:
            log.warning("models.%s.%s: cannot be warmed up, it refuses rows of zeros: %s", pair.name, role, error)


def _batch_seconds(pair: ModelPair, row_seconds: float) -> float:
    """Seconds of `TRIAL_ROWS` rows in one run; infinite where rows may not share one, or it would delay the start."""
    models, configured = list(pair.models.values()), pair.batch_rows
    if pair.batchability.is_closed:
        return inf
    if configured is None and row_seconds * TRIAL_ROWS > MAX_TRIAL_SECONDS:
        return inf
    return max(_run_seconds(model, pair, TRIAL_ROWS) for model in models)


def _threads_only(runners: int) -> RunProfile:
    """A profile of one row a run, never on the event loop."""
    return RunProfile(runners, 1, {1: 2 * SHORT_SECONDS}, brief_seconds=0.0)


def _run_seconds(model: Model, pair: ModelPair, rows: int) -> float:
    """The minimum of a few trials; infinite for a model that refuses zeros."""
    best, inputs = inf, _rows_of_zeros(pair, rows)
    deadline = time.perf_counter() + TRIALS_SECONDS
    for _ in range(TRIALS):
        began = time.perf_counter()
        try:
            model.run(inputs, [pair.output])
        except RunDeadlineError as error:
            log.warning("models.%s: rows of zeros get %s: raise run_seconds if it is only slow", pair.name, error)
            return inf
        except RunFailedError:
            return inf
        best = min(best, time.perf_counter() - began)
        if time.perf_counter() > deadline:
            break
    return best


def _rows_of_zeros(pair: ModelPair, rows: int) -> Tensors:
    """This many rows of zeros."""
    single = zeros(pair.inputs)
    return {name: np.repeat(row, rows, axis=0) for name, row in single.items()} if rows > 1 else single


def _threads_pay(model: Model, pair: ModelPair, *, in_batches: bool) -> bool:
    """Whether two threads finish sooner than one: with half a batch each, or a row each where batches do not pay.

    Judged by the wall clock, or by processor time where a run is its own thread's work alone: on a busy machine the
    wall clock measures the other processes too.
    """
    half = _rows_of_zeros(pair, TRIAL_ROWS // 2 if in_batches else 1)
    whole = [_rows_of_zeros(pair, TRIAL_ROWS)] if in_batches else [half, half]

    def run(rows: Tensors) -> float:
        began = time.thread_time()
        model.run(rows, [pair.output])
        return time.thread_time() - began

    one_thread, one_processor, two_threads, two_processors = inf, inf, inf, inf
    trials, seconds, speed_up = TRIALS, TRIALS_SECONDS, MIN_SPEED_UP
    if in_batches:
        trials, seconds, speed_up = HALVES_TRIALS, HALVES_SECONDS, MIN_HALVES_SPEED_UP
    deadline = time.perf_counter() + seconds
    with ThreadPoolExecutor(2) as pool:
        for trial in range(1, trials + 1):
            began, process_began = time.perf_counter(), time.process_time()
            own = sum(map(run, whole))
            one_thread, process = min(one_thread, time.perf_counter() - began), time.process_time() - process_began
            if process <= MAX_OTHER_WORK * own:
                one_processor = min(one_processor, own)
            began = time.perf_counter()
            two_processors = min(two_processors, max(pool.map(run, [half, half])))
            two_threads = min(two_threads, time.perf_counter() - began)
            is_late = time.perf_counter() > deadline
            by_processor = one_thread < 2 * one_processor < inf and one_processor > speed_up * two_processors
            pay = one_thread > speed_up * two_threads or by_processor
            if is_late or (pay and trial >= MIN_TRIALS):
                return pay
    return False
