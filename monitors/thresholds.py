"""Choosing thresholds and limits from a sample: exact bounds on rates and means, selective risk, and the time to an
alarm.

Rates are bounded by inverting the binomial tail: ``B(k, m, delta)`` is the rate at which k or fewer of m would happen
with probability delta, the upper Clopper-Pearson bound (Clopper, Pearson, Biometrika 1934). Thresholds are chosen by
SGR, "selection with guaranteed risk" (Geifman, El-Yaniv, "Selective classification for deep neural networks", NeurIPS
2017). All of it holds for rows that are exchangeable with the traffic to come, and for nothing else.

A certainty is a score of which higher means more certain; a row is accepted where its certainty is at least the
threshold.
"""

from dataclasses import dataclass
from math import ceil, floor, inf, lgamma, log, log1p, log2, log10
from typing import Self

import numpy as np

from tightrope.monitors.detector import BETS, LARGEST_BET, Signed, logsumexp
from tightrope.monitors.records import Bools, Floats, Ints

HALVINGS = 60
"""Of the interval [0, 1]: to 2^-60, so that bounds on rare events keep their digits."""

FEWER_HALVINGS = 40
"""For means, of [-1, 1]: to 2e-12, and never so far that the middle becomes 1."""

WAY_BACK = 0.8
"""A rate above this share of the one that a return must disprove comes back late or never (simulated)."""

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
"""Shares of the rows at which a curve is shown."""


def log_tail(k: int, m: int, rate: Floats | float) -> Floats:
    """log P(X <= k) for X binomial of m trials, 0 <= k < m, at every rate in (0, 1), any shape: a sum of logarithms,
    so that it neither underflows nor cancels.
    """
    p = np.asarray(rate, dtype=np.float64)[..., None]
    i = np.arange(k, 0, -1)
    # Terms k, k-1, …, 0 relative to term k: C(m, i-1) / C(m, i) = i / (m - i + 1).
    relative = np.concatenate([[0.0], np.cumsum(np.log(i) - np.log(m - i + 1))])
    odds = np.log1p(-p) - np.log(p)
    first = lgamma(m + 1) - lgamma(k + 1) - lgamma(m - k + 1) + k * np.log(p) + (m - k) * np.log1p(-p)
    return np.asarray(first[..., 0] + logsumexp(relative + np.arange(k + 1) * odds))


def upper_bound(k: int, m: int, delta: float) -> float:
    """B(k, m, delta): with probability 1 - delta the true rate lies at or below it. 1 where k = m, so without rows too.

    Raises:
        ValueError: unless 0 <= k <= m and 0 < delta < 1.
    """
    if not (0 <= k <= m and 0 < delta < 1):
        raise ValueError(f"needs 0 <= k <= m and 0 < delta < 1; got k = {k}, m = {m}, delta = {delta}")
    if k == m:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if middle >= 1:  # no float is left between them
            break
        low, high = (low, middle) if is_bounded(k, m, middle, delta) else (middle, high)
    return high


def rate_bounds(k: int, m: int, delta: float) -> tuple[float, float]:
    """The true rate lies above the first, and below the second, each with probability 1 - delta by itself."""
    return 1 - upper_bound(m - k, m, delta), upper_bound(k, m, delta)


def is_bounded(k: int, m: int, rate: float, delta: float) -> bool:
    """Whether B(k, m, delta) <= rate, for a rate in (0, 1): one look at the tail, where the bound itself takes many."""
    return k < m and bool(log_tail(k, m, rate) <= log(delta))


def rows_without_error(risk: float, delta: float) -> int:
    """The fewest rows, none of them wrong, that bound the risk by ``risk``: ln delta / ln(1 - risk), rounded up."""
    return ceil(log(delta) / log1p(-risk))


def most_wrong(m: int, limit: float, delta: float) -> int:
    """The largest k with B(k, m, delta) <= limit, or -1 where even k = 0 is not enough."""
    low, high = -1, m  # B grows with k, and B(m, m, delta) = 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_bounded(middle, m, limit, delta) else (low, middle)
    return low


@dataclass(frozen=True, slots=True)
class Point:
    """One threshold: how many rows it accepts, how many of those are wrong, and the bound on their true share."""

    threshold: float
    accepted: int
    wrong: int
    bound: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """n rows by certainty: for each distinct one, the highest first, how many rows have at least it, and how many of
    those are wrong; shapes (d,).
    """

    certainty: Floats
    accepted: Ints
    wrong: Ints

    @classmethod
    def of(cls, certainty: Floats, wrong: Bools) -> Self:
        """From certainties (n,), finite, and which rows are wrong (n,), n > 0. Equal ones stay together."""
        order = np.argsort(-certainty, kind="stable")
        ranked = certainty[order]
        last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        return cls(ranked[last], last + 1, np.cumsum(wrong[order])[last])

    @property
    def rows(self) -> int:
        """n."""
        return int(self.accepted[-1])

    @property
    def steps(self) -> int:
        """How many bounds a search over these rows looks at: ceil(log2 n). Each gets an equal part of delta."""
        return max(1, ceil(log2(self.rows)))

    def is_safe(self, place: int, risk: float, delta: float) -> bool:
        """Whether the bound at a place, at its part of delta, is at most ``risk``."""
        return is_bounded(int(self.wrong[place]), int(self.accepted[place]), risk, delta / self.steps)

    def point(self, place: int, delta: float) -> Point:
        """What accepting down to a place amounts to. The threshold lies between that certainty and the next lower one,
        with as few decimals as tell them apart: rounding of the model's arithmetic must not move a row across it.
        """
        below = float(self.certainty[place + 1]) if place + 1 < len(self.certainty) else -inf
        threshold = between(below, float(self.certainty[place]))
        k, m = int(self.wrong[place]), int(self.accepted[place])
        return Point(threshold, m, k, upper_bound(k, m, delta / self.steps))


def between(low: float, high: float) -> float:
    """A number in (low, high] with the fewest decimals, three at least."""
    for digits in range(3, 16):
        cut = floor(high * 10.0**digits) / 10.0**digits
        if low < cut <= high:
            return cut
    return high


def select(ranking: Ranking, risk: float, delta: float) -> int | None:
    """SGR: the place of the lowest threshold found whose bound is at most ``risk``; None where there is none.

    With probability 1 - delta the rows accepted there are wrong at most that often. A binary search, because each of
    its bounds costs a part of delta: exact where the risk does not fall as more is accepted, since the search then
    errs only on the one path that the true risks prescribe. Places with so few rows that even none wrong would prove
    nothing are left out, or the search would take their lack of rows for risk and turn towards still fewer.
    """
    fewest = rows_without_error(risk, delta / ranking.steps)
    proved, failed = int(np.searchsorted(ranking.accepted, fewest)) - 1, len(ranking.certainty)
    hopeless = proved
    for _ in range(ranking.steps):
        if failed - proved <= 1:
            break
        middle = (proved + failed) // 2
        proved, failed = (middle, failed) if ranking.is_safe(middle, risk, delta) else (proved, middle)
    return proved if proved > hopeless else None


def persistent(ranking: Ranking, refused: Floats, limit: float, delta: float) -> int | None:
    """The place of the lowest threshold at which the compressed model still refuses what its baseline refuses; None
    where there is none.

    ``refused`` (r,) are the compressed model's certainties of the rows that the baseline refuses. From high to low,
    thresholds are taken while the bound on the share that the compressed model accepts is at most ``limit``, in (0, 1),
    and the walk ends at the first that fails: a fixed sequence, so delta is not divided.
    """
    lost = most_wrong(len(refused), limit, delta)
    if lost < 0:
        return None
    first_failing = np.sort(refused)[::-1][lost]
    place = int(np.count_nonzero(ranking.certainty > first_failing)) - 1
    return place if place >= 0 else None


def places(ranking: Ranking) -> list[int]:
    """The places at about `COVERAGES` of the rows, the most rows first: a curve of coverage against risk. Bounds there
    are for people to look at: each has the part of delta of one step, and they do not hold all together.
    """
    found = np.searchsorted(ranking.accepted, [ceil(share * ranking.rows) for share in COVERAGES])
    return list(dict.fromkeys(found.tolist()))


def mean_bounds(y: Floats, delta: float) -> tuple[float, float]:
    """abs(E y) lies above the first, and below the second, each with probability 1 - delta by itself; ``y`` (n,) in
    [-1, 1], and (0, 1) without rows.

    Inverts a betting test of fixed size (Waudby-Smith, Ramdas, "Estimating means of bounded random variables by
    betting", JRSS-B 2024), with the bets of the detectors: a mean is ruled out once the average wealth of betting
    against it is 1 / delta. Much tighter than an empirical Bernstein bound on few or quiet rows.
    """
    most, least = _one_sided(y, delta / 2), -_one_sided(-y, delta / 2)
    return max(0.0, least, -most), max(most, -least)


def _one_sided(y: Floats, delta: float) -> float:
    """The bound on E y from above. Wealth against "E y is at least ``mean``" grows with ``mean``."""
    bets = LARGEST_BET * np.asarray(BETS)
    low, high = -1.0, 1.0
    for _ in range(FEWER_HALVINGS):
        mean = (low + high) / 2
        wealth = np.log1p(bets * ((mean - y) / (1 - mean))[:, None]).sum(axis=0)
        ruled_out = logsumexp(wealth) - log(len(bets)) >= -log(delta)
        low, high = (low, mean) if ruled_out else (mean, high)
    return high


def limit_above(noise: float, rate: float, bound: float, recovery_ratio: float) -> float:
    """A limit to propose, two digits: above what the baseline's own noise and the pair's rate may be (``noise``,
    ``bound``), and so far above the rate seen that a scope in safe mode could prove itself and return.
    """
    least = max(noise, bound, rate / (WAY_BACK * recovery_ratio)) * (1 + 1e-9)  # so that rounding never meets it
    digits = 1 - floor(log10(least))
    return round(ceil(least * 10.0**digits) / 10.0**digits, digits)


def growth_of_mean(y: Floats, tolerance: float, harmed: float) -> float:
    """How fast evidence grows per row, in nats, once a mean has moved to ``harmed``, in (tolerance, 1): what the
    Kullback-Leibler divergence is for a rate. ``y`` (n,) in [-1, 1], n > 0, is today's noise; it counts for both signs.

    The harm is taken in a shape that is slow to see: few rows thrown to the far end. A shift of all is seen sooner.
    """
    signed = Signed.outside(tolerance)
    noise = signed.log_e(y).mean(axis=0).reshape(2, -1).mean(axis=0)
    return float(((1 - harmed) * noise + harmed * np.log1p(signed.bets * (1 - tolerance))).max())


def rows_to_alarm(growth: float, log_budget: float) -> float:
    """Own rows until the alarm, the planning rule ln(A growth) / growth; at least 1.

    ``log_budget`` is ln A less the log of the seed that a cell gets per own row: its share of the alarm budget over its
    share of the samples, because cells are seeded by everybody's samples. Within about 15 % of simulated medians,
    and never without growth.
    """
    return max(1.0, (log_budget + log(growth)) / growth) if growth > 0 else inf
