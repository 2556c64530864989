"""Tightrope's own detector over a whole stream at once, from the program's own e-values and mixtures.

Between two alarms ``log M_t = S_t + log sum_s<=t exp(log seed_s - S_(s-1))`` with S the running sum of log e-values, so
a stream needs no loop over its samples. A test holds this against `monitors.detector.advance`, sample by sample.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.power.method import Cost, Rows, Watch
from tightrope.monitors.catalogue import Kind
from tightrope.monitors.detector import NOTHING, Bernoulli, Signed
from tightrope.monitors.records import Floats, Ints

SAMPLES_PER_FALSE_ALARM = 2e6
"""A: one false alarm in 20 streams of 100,000 samples, at most."""

SPAN = 8192
"""Samples whose e-values are worked out at once: a multiple of every tick."""

BLOCK = 512
"""Steps taken at once: an alarm makes the rest of its block to be done again."""

RANGE = 600.0
"""Of logarithms whose exponentials are all normal floats beside the largest one: exp(-700) still is."""


@dataclass(frozen=True, slots=True)
class Tightrope:
    """The e-detector, looked at after every ``tick`` samples. With ``own_clock`` only the cell's own rows seed it."""

    name: str = "Tightrope, every sample"
    tick: int = 1
    own_clock: bool = False
    cost: Cost = Cost.ARRAYS

    def alarms(self, watch: Watch, rows: Rows, stop: int) -> Ints:
        """Where log M reached log A."""
        test = Bernoulli.above(watch.limit) if watch.kind is Kind.RATE else Signed.outside(watch.limit)
        log_mass, found = None, list[int]()
        for begin in range(0, rows.total, SPAN):
            clock, gaps, log_e = self._steps(test, rows, begin)
            log_mass = np.full(len(log_e), NOTHING) if log_mass is None else log_mass
            place = 0
            while place < len(clock):
                block = slice(place, place + BLOCK)
                path = masses(log_mass, gaps[block] * watch.share, log_e[:, block])
                over = first_over(test, path)
                place, log_mass = (
                    (place + BLOCK, path[:, -1]) if over is None else (place + over + 1, NOTHING + log_mass)
                )
                if over is not None:
                    found.append(int(clock[place - 1]))
                    if found[-1] >= stop:
                        return np.array(found, dtype=np.int64)
        return np.array(found, dtype=np.int64)

    def _steps(self, test: Bernoulli | Signed, rows: Rows, begin: int) -> tuple[Ints, Floats, Floats]:
        """For every step of a span: where it ends, the samples that seed it, and its log e-values (K, steps)."""
        end = min(begin + SPAN, rows.total)
        first, last = np.searchsorted(rows.places, (begin, end)).tolist()
        y, places = rows.y[first:last], rows.places[first:last]
        if isinstance(test, Bernoulli):
            zero_and_one = test.log_e(np.ones(2, dtype=np.int64), np.arange(2))
            log_e = zero_and_one.T[:, y.astype(np.int64)]
        else:
            log_e = np.ascontiguousarray(test.log_e(y).T)
        if self.tick == 1:
            before = rows.places[first - 1] if first else -1
            gaps = np.ones(len(y)) if self.own_clock else np.diff(places, prepend=before).astype(np.float64)
            return places, gaps, log_e
        ticks = (end - begin) // self.tick
        summed = [np.bincount((places - begin) // self.tick, column, ticks + 1)[:ticks] for column in log_e]
        ends = begin + np.arange(1, ticks + 1, dtype=np.int64) * self.tick - 1
        return ends, np.full(ticks, float(self.tick)), np.array(summed, dtype=np.float64)


def masses(before: Floats, seeds: Floats, log_e: Floats) -> Floats:
    """log M (K, steps) after every step: from that before them (K,), seeds (steps,), and log e-values (K, steps)."""
    total = np.cumsum(log_e, axis=1)
    terms = np.log(seeds) - (total - log_e)
    terms[:, 0] = np.logaddexp(terms[:, 0], before)
    top = terms.max(axis=1, keepdims=True)
    if (top - terms.min(axis=1, keepdims=True)).max() > RANGE:
        return np.asarray(total + np.logaddexp.accumulate(terms, axis=1))
    return np.asarray(total + top + np.log(np.cumsum(np.exp(terms - top), axis=1)))


def first_over(test: Bernoulli | Signed, path: Floats) -> int | None:
    """The first step whose mixture reaches log A. A mixture is never above its largest part, so few are worked out."""
    threshold = np.log(SAMPLES_PER_FALSE_ALARM)
    near = np.flatnonzero(path.max(axis=0) >= threshold)
    over = near[test.evidence(path[:, near].T) >= threshold] if len(near) else near
    return int(over[0]) if len(over) else None


@dataclass(frozen=True, slots=True)
class Interleaved:
    """k detectors that take turns, as `lanes` has them: rows that depend on their neighbours do not meet in one."""

    name: str = "Tightrope, `lanes: 10`"
    ways: int = 10
    cost: Cost = Cost.ARRAYS

    def alarms(self, watch: Watch, rows: Rows, stop: int) -> Ints:
        """The alarms of any of them. Their seeds are their own samples, so the budget holds for all together."""
        one = Tightrope(own_clock=True)
        each = [one.alarms(watch, rows.only(slice(way, None, self.ways)), stop) for way in range(self.ways)]
        return np.sort(np.concatenate(each))


@dataclass(frozen=True, slots=True)
class Sampled:
    """The detector on a tenth of the rows, drawn by chance: what that setting does."""

    name: str = "Tightrope, `sampling.rate: 0.1`"
    rate: float = 0.1
    cost: Cost = Cost.ARRAYS

    def alarms(self, watch: Watch, rows: Rows, stop: int) -> Ints:
        """Alarms in places of the whole stream. The draw is the same for every stream of one length."""
        drawn = np.flatnonzero(np.random.default_rng(len(rows.y)).random(len(rows.y)) < self.rate)
        return Tightrope(own_clock=True).alarms(watch, rows.only(drawn), stop)
