"""Tightrope's detector, vectorised over a whole stream, with the product's own e-values and mixtures.

Between two alarms ``log M_t = S_t + log sum_s<=t exp(log seed_s - S_(s-1))`` with S the running sum of log e-values, so
a stream needs no loop over its samples. A test compares this with `monitors.detector.advance`, sample by sample.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.power.method import CellSpec, Cost, Rows
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.detector import LOG_ZERO, Bernoulli, Signed
from tightrope.monitors.records import Floats, Ints

SAMPLES_PER_FALSE_ALARM = 2e6
"""The budget A: on average at most one false alarm in 20 streams of 100,000 samples."""

SPAN_SAMPLES = 8192
"""Samples whose e-values are computed at once: a multiple of every tick."""

BLOCK_STEPS = 512
"""Steps computed at once: after an alarm, the rest of its block is computed again."""

EXP_RANGE = 600.0
"""Range of logarithms within which no exponential relative to the largest underflows: exp(-700) is still normal."""


@dataclass(frozen=True, slots=True)
class Tightrope:
    """The e-detector, evaluated after every ``tick`` samples. With ``own_clock`` only the cell's own rows seed it."""

    name: str = "Tightrope, every sample"
    tick: int = 1
    own_clock: bool = False
    cost: Cost = Cost.ARRAYS

    def alarms(self, spec: CellSpec, rows: Rows, stop: int) -> Ints:
        """Indices at which log M reaches log A."""
        test = Bernoulli.above(spec.limit) if spec.kind is Hypothesis.RATE else Signed.outside(spec.limit)
        log_mass, alarmed = None, list[int]()
        for begin in range(0, rows.total, SPAN_SAMPLES):
            clock, gaps, log_e = self._steps(test, rows, begin)
            log_mass = np.full(len(log_e), LOG_ZERO) if log_mass is None else log_mass
            first = 0
            while first < len(clock):
                block = slice(first, first + BLOCK_STEPS)
                path = masses(log_mass, gaps[block] * spec.share, log_e[:, block])
                over = first_alarm(test, path)
                first, log_mass = (
                    (first + BLOCK_STEPS, path[:, -1]) if over is None else (first + over + 1, LOG_ZERO + log_mass)
                )
                if over is not None:
                    alarmed.append(int(clock[first - 1]))
                    if alarmed[-1] >= stop:
                        return np.array(alarmed, dtype=np.int64)
        return np.array(alarmed, dtype=np.int64)

    def _steps(self, test: Bernoulli | Signed, rows: Rows, begin: int) -> tuple[Ints, Floats, Floats]:
        """The steps of a span: end indices, the samples that seed each, and its log e-values (K, steps)."""
        end = min(begin + SPAN_SAMPLES, rows.total)
        first, last = np.searchsorted(rows.indices, (begin, end)).tolist()
        y, indices = rows.y[first:last], rows.indices[first:last]
        if isinstance(test, Bernoulli):
            zero_and_one = test.log_e(np.ones(2, dtype=np.int64), np.arange(2))
            log_e = zero_and_one.T[:, y.astype(np.int64)]
        else:
            log_e = np.ascontiguousarray(test.log_e(y).T)
        if self.tick == 1:
            before = rows.indices[first - 1] if first else -1
            gaps = np.ones(len(y)) if self.own_clock else np.diff(indices, prepend=before).astype(np.float64)
            return indices, gaps, log_e
        ticks = (end - begin) // self.tick
        summed = [np.bincount((indices - begin) // self.tick, column, ticks + 1)[:ticks] for column in log_e]
        ends = begin + np.arange(1, ticks + 1, dtype=np.int64) * self.tick - 1
        return ends, np.full(ticks, float(self.tick)), np.array(summed, dtype=np.float64)


def masses(before: Floats, seeds: Floats, log_e: Floats) -> Floats:
    """log M (K, steps) after every step, from log M before them (K,), seeds (steps,), and log e-values (K, steps)."""
    total = np.cumsum(log_e, axis=1)
    terms = np.log(seeds) - (total - log_e)
    terms[:, 0] = np.logaddexp(terms[:, 0], before)
    top = terms.max(axis=1, keepdims=True)
    if (top - terms.min(axis=1, keepdims=True)).max() > EXP_RANGE:
        return np.asarray(total + np.logaddexp.accumulate(terms, axis=1))
    return np.asarray(total + top + np.log(np.cumsum(np.exp(terms - top), axis=1)))


def first_alarm(test: Bernoulli | Signed, path: Floats) -> int | None:
    """The first step whose mixture reaches log A. A mixture is at most its largest component, so few are computed."""
    threshold = np.log(SAMPLES_PER_FALSE_ALARM)
    near = np.flatnonzero(path.max(axis=0) >= threshold)
    over = near[test.evidence(path[:, near].T) >= threshold] if len(near) else near
    return int(over[0]) if len(over) else None


@dataclass(frozen=True, slots=True)
class Interleaved:
    """Ten detectors that take turns, as with `lanes: 10`, so that dependent neighbours go to different detectors."""

    name: str = "Tightrope, `lanes: 10`"
    ways: int = 10
    cost: Cost = Cost.ARRAYS

    def alarms(self, spec: CellSpec, rows: Rows, stop: int) -> Ints:
        """The alarms of all detectors. Only its own samples seed each, so the budget holds for all together."""
        one = Tightrope(own_clock=True)
        each = [one.alarms(spec, rows.only(slice(way, None, self.ways)), stop) for way in range(self.ways)]
        return np.sort(np.concatenate(each))


@dataclass(frozen=True, slots=True)
class Sampled:
    """The detector on a random tenth of the rows, as with `sampling.rate: 0.1`."""

    name: str = "Tightrope, `sampling.rate: 0.1`"
    rate: float = 0.1
    cost: Cost = Cost.ARRAYS

    def alarms(self, spec: CellSpec, rows: Rows, stop: int) -> Ints:
        """Alarms by index in the whole stream. All streams of one length have the same draw."""
        drawn = np.flatnonzero(np.random.default_rng(len(rows.y)).random(len(rows.y)) < self.rate)
        return Tightrope(own_clock=True).alarms(spec, rows.only(drawn), stop)
