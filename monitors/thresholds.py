"""Choose thresholds and limits from a sample: exact bounds on rates and means, selective risk, time to an alarm.

How it works. Rates are bounded by inverting the binomial tail: ``B(k, m, delta)`` is the rate at which k or fewer of m
happen with probability delta, the upper Clopper-Pearson bound (Clopper, Pearson, Biometrika 1934). Thresholds are
chosen by SGR, "selection with guaranteed risk" (Geifman, El-Yaniv, "Selective classification for deep neural
networks", NeurIPS 2017). The guarantees hold for rows that are exchangeable with future traffic, and for no others.

A certainty is a score where higher means more certain; a row is accepted where its certainty is at least the
threshold. A `Ranking` orders the distinct certainties; an ``index`` below points into it.
"""

from dataclasses import dataclass
from math import ceil, floor, inf, lgamma, log, log1p, log2, log10
from typing import Self

import numpy as np

from tightrope.monitors.detector import BETS, LARGEST_BET, Signed, logsumexp
from tightrope.monitors.records import Bools, Floats, Ints

BISECTIONS = 60
"""Bisections of [0, 1] for a rate: to 2^-60, so that bounds on rare events keep their digits."""

MEAN_BISECTIONS = 40
"""Bisections of [-1, 1] for a mean: to 2e-12, so that the middle never rounds to 1."""

RETURN_HEADROOM = 0.8
"""A scope with a rate above this share of the rate that a return must disprove returns late or never (simulated)."""

CURVE_COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
"""The shares of accepted rows at which a curve of coverage against risk has points."""


def log_tail(k: int, m: int, rate: Floats | float) -> Floats:
    """log P(X <= k) for X binomial of m trials, 0 <= k < m, at every rate in (0, 1), any shape.

    A sum of logarithms, so that it neither underflows nor cancels.
    """
    p = np.asarray(rate, dtype=np.float64)[..., None]
    i = np.arange(k, 0, -1)
    # Terms k, k-1, …, 0 relative to term k: C(m, i-1) / C(m, i) = i / (m - i + 1).
    relative = np.concatenate([[0.0], np.cumsum(np.log(i) - np.log(m - i + 1))])
    odds = np.log1p(-p) - np.log(p)
    first = lgamma(m + 1) - lgamma(k + 1) - lgamma(m - k + 1) + k * np.log(p) + (m - k) * np.log1p(-p)
    return np.asarray(first[..., 0] + logsumexp(relative + np.arange(k + 1) * odds))


def upper_bound(k: int, m: int, delta: float) -> float:
    """B(k, m, delta): the true rate is at most this bound with probability 1 - delta; 1 where k = m, even without rows.

    Raises:
        ValueError: unless 0 <= k <= m and 0 < delta < 1.
    """
    if not (0 <= k <= m and 0 < delta < 1):
        raise ValueError(f"needs 0 <= k <= m and 0 < delta < 1; got k = {k}, m = {m}, delta = {delta}")
    if k == m:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if middle >= 1:  # no float is left between them
            break
        low, high = (low, middle) if is_bounded(k, m, middle, delta) else (middle, high)
    return high


def rate_bounds(k: int, m: int, delta: float) -> tuple[float, float]:
    """Lower and upper bound of the true rate, each with probability 1 - delta."""
    return 1 - upper_bound(m - k, m, delta), upper_bound(k, m, delta)


def is_bounded(k: int, m: int, rate: float, delta: float) -> bool:
    """Tell whether B(k, m, delta) <= rate, for a rate in (0, 1): one tail instead of a bisection."""
    return k < m and bool(log_tail(k, m, rate) <= log(delta))


def rows_without_error(risk: float, delta: float) -> int:
    """The fewest error-free rows that bound the risk by ``risk``: ln delta / ln(1 - risk), rounded up."""
    return ceil(log(delta) / log1p(-risk))


def max_errors(m: int, limit: float, delta: float) -> int:
    """The largest k with B(k, m, delta) <= limit, or -1 where even k = 0 is too many."""
    low, high = -1, m  # B grows with k, and B(m, m, delta) = 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_bounded(middle, m, limit, delta) else (low, middle)
    return low


@dataclass(frozen=True, slots=True)
class ThresholdPoint:
    """One threshold: the rows it accepts, the wrong ones among them, and the bound on their true share.

    >>> Ranking.from_rows(np.array([0.9, 0.8]), np.array([False, True])).point(0, 0.05).accepted
    1
    """

    threshold: float
    accepted: int
    wrong: int
    bound: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """n rows by certainty: per distinct certainty, highest first, the rows accepted and the wrong ones, shapes (d,).

    >>> Ranking.from_rows(np.array([0.6, 0.9, 0.9]), np.array([True, False, True])).wrong.tolist()
    [1, 2]
    """

    certainty: Floats
    accepted: Ints
    wrong: Ints

    @classmethod
    def from_rows(cls, certainty: Floats, wrong: Bools) -> Self:
        """Rank finite certainties (n,), n > 0, with a mask of wrong rows (n,). Equal certainties form one step."""
        order = np.argsort(-certainty, kind="stable")
        ranked = certainty[order]
        last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        return cls(ranked[last], last + 1, np.cumsum(wrong[order])[last])

    @property
    def rows(self) -> int:
        """The number of rows, n."""
        return int(self.accepted[-1])

    @property
    def steps(self) -> int:
        """The number of bounds that a search evaluates: ceil(log2 n). Each gets an equal part of delta."""
        return max(1, ceil(log2(self.rows)))

    def is_safe(self, index: int, risk: float, delta: float) -> bool:
        """Tell whether the bound at an index, at its part of delta, is at most ``risk``."""
        return is_bounded(int(self.wrong[index]), int(self.accepted[index]), risk, delta / self.steps)

    def point(self, index: int, delta: float) -> ThresholdPoint:
        """Describe the threshold that accepts the rows down to an index.

        The threshold lies between that certainty and the next lower one, with the fewest decimals that separate them:
        rounding in the model's arithmetic must not move a row across it.
        """
        below = float(self.certainty[index + 1]) if index + 1 < len(self.certainty) else -inf
        threshold = shortest_between(below, float(self.certainty[index]))
        k, m = int(self.wrong[index]), int(self.accepted[index])
        return ThresholdPoint(threshold, m, k, upper_bound(k, m, delta / self.steps))


def shortest_between(low: float, high: float) -> float:
    """Return a number in (low, high] with the fewest decimals, but at least three."""
    for digits in range(3, 16):
        cut = floor(high * 10.0**digits) / 10.0**digits
        if low < cut <= high:
            return cut
    return high


def select_threshold(ranking: Ranking, risk: float, delta: float) -> int | None:
    """SGR: return the index of the lowest threshold found whose bound is at most ``risk``, or None.

    With probability 1 - delta the accepted rows are wrong at most that often. The search is binary because each bound
    costs a part of delta; it is exact where the risk does not fall as more is accepted, since the search then errs only
    on the one path that the true risks prescribe. Indices with so few rows that even zero errors prove nothing are left
    out: otherwise the search would mistake the lack of rows for risk and turn towards even fewer rows.
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


def persistent_threshold(ranking: Ranking, refused: Floats, limit: float, delta: float) -> int | None:
    """Return the index of the lowest threshold at which the compressed model keeps its baseline's refusals, or None.

    ``refused`` (r,) are the compressed model's certainties of the rows that the baseline refuses. From high to low,
    thresholds pass while the bound on the share that the compressed model accepts is at most ``limit``, in (0, 1); the
    walk ends at the first failure. This is a fixed sequence of tests, so delta is not divided.
    """
    lost = max_errors(len(refused), limit, delta)
    if lost < 0:
        return None
    first_failing = np.sort(refused)[::-1][lost]
    index = int(np.count_nonzero(ranking.certainty > first_failing)) - 1
    return index if index >= 0 else None


def curve_indices(ranking: Ranking) -> list[int]:
    """Return the indices at about `CURVE_COVERAGES` of the rows, most rows first: a curve of coverage against risk.

    Bounds there inform people: each has the part of delta of one step, and they do not hold simultaneously.
    """
    indices = np.searchsorted(ranking.accepted, [ceil(share * ranking.rows) for share in CURVE_COVERAGES])
    return list(dict.fromkeys(indices.tolist()))


def mean_bounds(y: Floats, delta: float) -> tuple[float, float]:
    """Lower and upper bound of abs(E y), each with probability 1 - delta; ``y`` (n,) in [-1, 1], (0, 1) without rows.

    Inverts a betting test of fixed size (Waudby-Smith, Ramdas, "Estimating means of bounded random variables by
    betting", JRSS-B 2024), with the bets of the detectors: a mean is ruled out once the average wealth of betting
    against it is 1 / delta. Much tighter than an empirical Bernstein bound on few or quiet rows.
    """
    most, least = _one_sided(y, delta / 2), -_one_sided(-y, delta / 2)
    return max(0.0, least, -most), max(most, -least)


def _one_sided(y: Floats, delta: float) -> float:
    """The upper bound of E y. The wealth of betting against "E y is at least ``mean``" grows with ``mean``."""
    bets = LARGEST_BET * np.asarray(BETS)
    low, high = -1.0, 1.0
    for _ in range(MEAN_BISECTIONS):
        mean = (low + high) / 2
        wealth = np.log1p(bets * ((mean - y) / (1 - mean))[:, None]).sum(axis=0)
        ruled_out = logsumexp(wealth) - log(len(bets)) >= -log(delta)
        low, high = (low, mean) if ruled_out else (mean, high)
    return high


def propose_limit(noise: float, rate: float, bound: float, recovery_ratio: float) -> float:
    """Propose a limit with two digits, above the baseline's noise and the bound of the pair's rate.

    It leaves enough room above the observed rate for a scope in safe mode to prove itself and return.
    """
    least = max(noise, bound, rate / (RETURN_HEADROOM * recovery_ratio)) * (
        1 + 1e-9
    )  # keeps the rounded limit strictly above
    digits = 1 - floor(log10(least))
    return round(ceil(least * 10.0**digits) / 10.0**digits, digits)


def growth_of_mean(y: Floats, tolerance: float, harmed: float) -> float:
    """Growth of evidence per row, in nats, once a mean has moved to ``harmed``, in (tolerance, 1).

    The counterpart of the Kullback-Leibler divergence of a rate. ``y`` (n,) in [-1, 1], n > 0, is the current noise,
    with both signs. The harm is assumed in the shape that is slowest to detect: few rows at the far end. A shift of all
    rows is detected sooner.
    """
    signed = Signed.outside(tolerance)
    noise = signed.log_e(y).mean(axis=0).reshape(2, -1).mean(axis=0)
    return float(((1 - harmed) * noise + harmed * np.log1p(signed.bets * (1 - tolerance))).max())


def rows_to_alarm(growth: float, log_budget: float) -> float:
    """Own rows until the alarm, the planning rule ln(A growth) / growth; at least 1, infinite without growth.

    ``log_budget`` is ln A minus the log of the seed that a cell gets per own row: its share of the alarm budget over
    its share of the samples, because cells are seeded by all samples. The rule is within about 15 % of simulated
    medians.
    """
    return max(1.0, (log_budget + log(growth)) / growth) if growth > 0 else inf
