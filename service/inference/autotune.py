"""How a pair likes to be asked: whether batches pay, whether threads pay, and what is short enough for the event loop.

Tried when the model is loaded, and corrected by what every run then takes.
"""

import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from math import inf

import numpy as np

from tightrope.monitors.records import Tensors
from tightrope.service.adapters import cpu
from tightrope.service.adapters.ports import Model, RunFailedError
from tightrope.service.inference.model_pair import Pair
from tightrope.service.protocol.tensors import Tensor, zeros

log = logging.getLogger(__name__)

SHORT = 0.001
"""Seconds that a run may hold up everybody else on the event loop; a thread hop costs a tenth of it."""

BRIEF = 0.01
"""The same where there is nobody else: as long as whoever comes may have to wait, once."""

MOST_ROWS = 64
"""Of one batch: beyond it callers wait for each other and little is gained."""

TRIED = 32
"""Rows with which batches are tried."""

TRIALS = 5
TRIAL_SECONDS = 0.25
"""How often each size is tried, and after how many seconds not again."""

MOST_TRIAL = 2.0
"""Seconds of a batch that is not tried, because it would hold up the start; `batch_rows` can say that it pays."""

PAYS = 1.25
"""A batch, or a second thread, must give so many times the rows a second to be worth it."""

HALVES, HALF_TRIALS, HALF_SECONDS = 1.1, 15, 0.5
"""The same of two threads with half a batch each, and how often that is tried, for how long: while one batch is read or
written the other one runs, so there is more to gain than a trial shows, and less of it to see on a busy machine.
"""

SURE = 5
"""Trials before threads are said to pay: the least of fewer may be of a moment in which others had the machine."""

OWN = 1.1
"""Times the processor's seconds of a run's own thread that all of the process may have used meanwhile."""

EVEN, EVEN_ROWS = 0.9, 8
"""Batches that give at least so many times the rows a second cost the model nothing, and save the work around it: those
have so many rows.
"""

RUNS = 32
"""Runs that are learned from at a time: their mean is what to expect, the least tells whether a size is short."""

SIZES = 32
"""Powers of two that are told apart, in rows of a run."""

WAITERS = 32
"""Runs at a time of a pair with a model elsewhere: they only wait."""


class Pace:
    """Of one pair. ``runners`` is how many runs there may be at a time, ``most_rows`` the rows of one batch, which
    ``pays`` where a row costs less among others; ``tried`` has the seconds that runs took at least when they were
    tried, by their rows; what takes no longer than ``brief`` may hold up the event loop of a caller who is alone.
    """

    def __init__(
        self,
        runners: int = 1,
        most_rows: int = MOST_ROWS,
        tried: Mapping[int, float] | None = None,
        *,
        pays: bool = True,
        brief: float = BRIEF,
    ) -> None:
        self.runners = runners
        self.most_rows = most_rows
        self.pays = pays and most_rows > 1
        self._brief = brief
        self._least = {rows.bit_length(): seconds for rows, seconds in (tried or {}).items()}
        self._seconds = dict(self._least)
        self._latest: dict[int, list[float]] = {}
        self._short = self._all_short()

    def takes(self, rows: int) -> float:
        """Seconds that so many rows will take, by what is known of the nearest size; 0 before anything is."""
        return _nearest(self._seconds, rows.bit_length(), rows)

    def is_short(self, rows: int) -> bool:
        """Whether so many rows may run on the event loop."""
        return self._short[min(rows.bit_length(), SIZES - 1)]

    def is_brief(self, rows: int) -> bool:
        """Whether so many rows may run on the event loop of a caller who is alone."""
        return self.takes(rows) <= self._brief

    def took(self, rows: int, *seconds: float) -> None:
        """Learn from runs of so many rows. Whether they are short is told by the least of several: often one waits for
        the interpreter, which others keep, and that is not the model's time.
        """
        size = rows.bit_length()
        latest = [*self._latest.get(size, ()), *seconds]
        whole = len(latest) >= RUNS
        # What others may be reading is replaced and never changed: whoever looks at the metrics counts, too.
        self._latest[size] = [] if whole else latest
        if whole or size not in self._seconds:
            self._seconds = {**self._seconds, size: sum(latest) / len(latest)}
        if whole:
            self._least = {**self._least, size: min(latest)}
            self._short = self._all_short()

    def _all_short(self) -> list[bool]:
        """By sizes, powers of two."""
        return [_nearest(self._least, size, 2**size - 1) <= SHORT for size in range(SIZES)]


def _nearest(known: Mapping[int, float], size: int, rows: int) -> float:
    """What the nearest size takes, in proportion to the rows where these are more."""
    if not known:
        return 0.0
    near = min(known, key=lambda one: abs(one - size))
    return known[near] * (rows / 2 ** (near - 1) if size > near else 1.0)


def learn(pair: Pair, share: int = 1) -> Pace:
    """Try a pair on rows of zeros; also warms it up. The cores are shared with so many processes."""
    _warm_up(pair)
    cores = max(1, cpu.cores() // share)
    if pair.elsewhere:
        return _long(WAITERS)
    models = list(pair.models.values())
    one = max(_seconds(model, pair, 1) for model in models)
    if one == inf:  # it refuses zeros: nothing is known, and so nothing is risked
        return _long(cores)
    pace = _paced(pair, one, _batch_seconds(pair, one))
    if not pace.is_short(TRIED if pace.pays else 1) and cores > 1 and _threads_pay(models[0], pair, pays=pace.pays):
        pace.runners = cores
    return pace


def _paced(pair: Pair, one: float, many: float) -> Pace:
    """The rows of a batch: as the settings say, or else by what a row takes, and a batch."""
    told, gain = pair.batch_rows if pair.free else 1, one * TRIED / many
    most = told or (MOST_ROWS if gain >= PAYS else EVEN_ROWS if gain >= EVEN and one > SHORT else 1)
    return Pace(1, most, {1: one} | ({TRIED: many} if many < inf else {}), pays=bool(told) or gain >= PAYS)


def _warm_up(pair: Pair) -> None:
    """Run batches of 1, 2, 4 and so on up to the rows that are asked for: the first of a size takes longest."""
    for role, most in pair.warm_up:
        sizes = {min(2**power, most) for power in range(most.bit_length() + 1)} if pair.free else {1}
        try:
            for rows in sorted(sizes):
                pair.models[role].run(_rows(pair, rows, 0), [pair.output])
        except RunFailedError as error:
            log.warning("models.%s.%s: cannot be warmed up, it refuses rows of zeros: %s", pair.name, role, error)


def _batch_seconds(pair: Pair, one: float) -> float:
    """What `TRIED` rows take together; infinite where they may not be together, or would hold up the start."""
    models, told = list(pair.models.values()), pair.batch_rows
    if not pair.free or told == 1:
        return inf
    if told is None and (one * TRIED > MOST_TRIAL or not all(_rows_are_apart(model, pair) for model in models)):
        return inf
    return max(_seconds(model, pair, TRIED) for model in models)


def _long(runners: int) -> Pace:
    """One row a run, and never on the event loop."""
    return Pace(runners, 1, {1: 2 * SHORT}, brief=0.0)


def _seconds(model: Model, pair: Pair, rows: int) -> float:
    """The best of a few trials; infinite for a model that refuses zeros."""
    best, inputs = inf, _rows(pair, rows, 0)
    until = time.perf_counter() + TRIAL_SECONDS
    for _ in range(TRIALS):
        began = time.perf_counter()
        try:
            model.run(inputs, [pair.output])
        except RunFailedError:
            return inf
        best = min(best, time.perf_counter() - began)
        if time.perf_counter() > until:
            break
    return best


def _rows(pair: Pair, rows: int, like: int) -> Tensors:
    """So many equal rows: of zeros, of small numbers, or of large ones."""
    single = {name: _filled(row, like) for name, row in zeros(pair.inputs).items()}
    return {name: np.repeat(row, rows, axis=0) for name, row in single.items()} if rows > 1 else single


def _filled(row: Tensor, like: int) -> Tensor:
    if row.dtype.kind == "f":
        return (np.linspace(0.1, 0.9, row.size).reshape(row.shape) * (0, 1, 20)[like]).astype(row.dtype)
    return np.full_like(row, str(like // 2) if row.dtype == object else like // 2)


def _rows_are_apart(model: Model, pair: Pair) -> bool:
    """Whether a row's answer is the same beside another row: not where a model scales by the largest value of all its
    rows, as dynamic quantization does. Then one caller's input would change another's answer.
    """
    alone = [_rows(pair, 1, like) for like in (1, 2)]
    both = {name: np.concatenate([row[name] for row in alone]) for name in alone[0]}
    try:
        apart = np.concatenate([model.run(row, [pair.output])[pair.output] for row in alone])
        beside = model.run(both, [pair.output])[pair.output]
    except (RunFailedError, ValueError):
        return False
    if apart.shape != beside.shape or apart.dtype.kind != "f":
        return np.array_equal(apart, beside)
    return bool(np.allclose(apart, beside, rtol=1e-3, atol=1e-5, equal_nan=True))


def _threads_pay(model: Model, pair: Pair, *, pays: bool) -> bool:
    """Whether two threads are done sooner than one: with half a batch each, or a row each where batches do not pay.

    Told by the clock, or by the processor's time where a run is work, and that of its own thread alone: the clock of a
    busy machine says more of the others.
    """
    half = _rows(pair, TRIED // 2 if pays else 1, 0)
    whole = [_rows(pair, TRIED, 0)] if pays else [half, half]

    def run(rows: Tensors) -> float:
        began = time.thread_time()
        model.run(rows, [pair.output])
        return time.thread_time() - began

    one, used, both, most = inf, inf, inf, inf
    trials, seconds, least = (HALF_TRIALS, HALF_SECONDS, HALVES) if pays else (TRIALS, TRIAL_SECONDS, PAYS)
    until = time.perf_counter() + seconds
    with ThreadPoolExecutor(2) as pool:
        for trial in range(1, trials + 1):
            began, before = time.perf_counter(), time.process_time()
            own = sum(map(run, whole))
            one, after = min(one, time.perf_counter() - began), time.process_time()
            if after - before <= OWN * own:
                used = min(used, own)
            began = time.perf_counter()
            most = min(most, max(pool.map(run, [half, half])))
            both = min(both, time.perf_counter() - began)
            late = time.perf_counter() > until
            pay = one > least * both or (one < 2 * used < inf and used > least * most)
            if late or (pay and trial >= SURE):
                return pay
    return False
