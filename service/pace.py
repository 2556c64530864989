"""How a pair likes to be asked: whether batches pay, whether threads pay, and what is short enough for the event loop.

Tried when the model is loaded, and corrected by what every run then takes.
"""

import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from math import inf

import numpy as np

from monitors.records import Tensors
from service.adapters import host
from service.adapters.ports import Model, RunFailedError
from service.pair import Pair
from service.tensors import Tensor, zeros

log = logging.getLogger(__name__)

SHORT = 0.001
"""Seconds that a run may hold up everybody else on the event loop; a thread hop costs a tenth of it."""

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

RUNS = 32
"""Runs that are learned from at a time: their mean is what to expect, the least tells whether a size is short."""

SIZES = 32
"""Powers of two that are told apart, in rows of a run."""

WAITERS = 32
"""Runs at a time of a pair with a model elsewhere: they only wait."""


class Pace:
    """Of one pair. ``runners`` is how many runs there may be at a time, ``most_rows`` the rows of one batch, 1 where
    batches do not pay; ``tried`` has the seconds that runs took at least when they were tried, by their rows.
    """

    def __init__(self, runners: int = 1, most_rows: int = MOST_ROWS, tried: Mapping[int, float] | None = None) -> None:
        self.runners = runners
        self.most_rows = most_rows
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

    def took(self, rows: int, *seconds: float) -> None:
        """Learn from runs of so many rows. Whether they are short is told by the least of several: often one waits for
        the interpreter, which others keep, and that is not the model's time.
        """
        latest = self._latest.setdefault(rows.bit_length(), [])
        latest += seconds
        if len(latest) >= RUNS or rows.bit_length() not in self._seconds:
            self._learn(rows.bit_length(), latest)

    def _learn(self, size: int, latest: list[float]) -> None:
        self._seconds[size] = sum(latest) / len(latest)
        if len(latest) >= RUNS:
            self._least[size] = min(latest)
            self._short = self._all_short()
            latest.clear()

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
    cores = max(1, host.cores() // share)
    if pair.elsewhere:
        return _long(WAITERS)
    models = list(pair.models.values())
    one = max(_seconds(model, pair, 1) for model in models)
    if one == inf:  # it refuses zeros: nothing is known, and so nothing is risked
        return _long(cores)
    tried = {1: one}
    if (most := _most_rows(pair, one)) > 1:
        tried[TRIED] = max(_seconds(model, pair, TRIED) for model in models)
    pace = Pace(most_rows=most, tried=tried)
    if most > 1:
        pace.runners = 1 if pace.is_short(TRIED) else max(1, cores - 1)
    elif not pace.is_short(1) and cores > 1 and _threads_pay(models[0], pair):
        pace.runners = cores
    return pace


def _warm_up(pair: Pair) -> None:
    """Run batches of 1, 2, 4 and so on up to the rows that are asked for: the first of a size takes longest."""
    for role, most in pair.warm_up:
        sizes = {min(2**power, most) for power in range(most.bit_length() + 1)} if pair.free else {1}
        try:
            for rows in sorted(sizes):
                pair.models[role].run(_rows(pair, rows, 0), [pair.output])
        except RunFailedError as error:
            log.warning("models.%s.%s: cannot be warmed up, it refuses rows of zeros: %s", pair.name, role, error)


def _most_rows(pair: Pair, one: float) -> int:
    """Of a batch: as the settings say, or else `MOST_ROWS` where batches pay and are safe."""
    if pair.batch_rows is not None:
        return pair.batch_rows if pair.free else 1
    models = list(pair.models.values())
    if not pair.free or one * TRIED > MOST_TRIAL or not all(_rows_are_apart(model, pair) for model in models):
        return 1
    many = max(_seconds(model, pair, TRIED) for model in models)
    return MOST_ROWS if one * TRIED >= PAYS * many else 1


def _long(runners: int) -> Pace:
    """One row a run, and never on the event loop."""
    return Pace(runners, 1, {1: 2 * SHORT})


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


def _threads_pay(model: Model, pair: Pair) -> bool:
    """Whether two threads that run one row each are done in less than twice the time; once is enough, because whatever
    else the machine does can only hide it.
    """
    row = _rows(pair, 1, 0)

    def run(_: int) -> None:
        model.run(row, [pair.output])

    with ThreadPoolExecutor(2) as pool:
        for _ in range(TRIALS):
            began = time.perf_counter()
            list(pool.map(run, range(1)))
            middle = time.perf_counter()
            list(pool.map(run, range(2)))
            if 2 * (middle - began) > PAYS * (time.perf_counter() - middle):
                return True
    return False
