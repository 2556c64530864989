"""Choose thresholds and limits from a sample: exact bounds on rates and means, selective risk, time to an alarm.

How it works. Rates are bounded by inverting the binomial tail: ``B(k, m, delta)`` is the rate at which k or fewer of m
happen with probability delta, the upper Clopper-Pearson bound (Clopper, Pearson, Biometrika 1934). Thresholds are
chosen by SGR, "selection with guaranteed risk" (Geifman, El-Yaniv, "Selective classification for deep neural
networks", NeurIPS 2017). The guarantees hold for rows that are exchangeable with future traffic, and for no others.

A certainty is a score where higher means more certain; a row is accepted where its certainty is at least the
threshold. A `Ranking` orders the distinct certainties; an ``index`` below points into it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, exp, floor, inf, lgamma, log, log1p, log2, log10
from typing import Self

import numpy as np

from tightrope.monitors.detector import BETS, LARGEST_BET, Signed, logsumexp
from tightrope.monitors.records import Bools, Floats, Ints

MOST_STEPS = 200
"""The most steps of a root search. Newton's take about ten; bisections beside them halve what is left."""

TOLERANCE = 1e-13
"""The width, relative to the root, to which a search closes its bracket: bounds on rare events keep their digits."""

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
    first = _log_coefficient(k, m) + k * np.log(p) + (m - k) * np.log1p(-p)
    return np.asarray(first[..., 0] + logsumexp(relative + np.arange(k + 1) * odds))


def _log_coefficient(k: int, m: int) -> float:
    """The logarithm of the binomial coefficient C(m, k)."""
    return lgamma(m + 1) - lgamma(k + 1) - lgamma(m - k + 1)


def upper_bound(k: int, m: int, delta: float) -> float:
    """B(k, m, delta): the true rate is at most this bound with probability 1 - delta; 1 where k = m, even without rows.

    Raises:
        ValueError: unless 0 <= k <= m and 0 < delta < 1.
    """
    if not (0 <= k <= m and 0 < delta < 1):
        raise ValueError(f"needs 0 <= k <= m and 0 < delta < 1; got k = {k}, m = {m}, delta = {delta}")
    if k == m:
        return 1.0
    log_coefficient = _log_coefficient(k, m) + log(m - k)

    def excess(rate: float) -> tuple[float, float]:
        tail = float(log_tail(k, m, rate))
        # d/dp P(X <= k) = -(m - k) C(m, k) p^k (1 - p)^(m - k - 1); negated, because the tail falls.
        slope = exp(log_coefficient + k * log(rate) + (m - k - 1) * log1p(-rate) - tail)
        return log(delta) - tail, slope

    return _root(excess, 0.0, 1.0)


def _root(function: Callable[[float], tuple[float, float]], low: float, high: float) -> float:
    """Return where a rising function of (low, high) is 0, from its value and slope: Newton's steps, bisections where
    one would leave the bracket. The result is the upper end of the bracket: the function is not negative there.
    """
    at = (low + high) / 2
    for _ in range(MOST_STEPS):
        value, slope = function(at)
        low, high = (low, at) if value >= 0 else (at, high)
        middle = (low + high) / 2
        if not low < middle < high or high - low <= TOLERANCE * abs(high):
            break
        newton = at - value / slope if slope > 0 else middle
        close = abs(newton - at) <= TOLERANCE * abs(at)
        at = newton if low < newton < high else middle
        if close:  # step over the root, so that the bracket closes around it
            beyond = newton + (-1 if value >= 0 else 1) * TOLERANCE * abs(newton)
            at = beyond if low < beyond < high else middle
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


def rows_of_zeros(mean: float, delta: float) -> int:
    """The fewest rows, all of them zero, for which `mean_bounds` is at most ``mean``, in (0, 1)."""
    growth = np.log1p(LARGEST_BET * np.asarray(BETS) * mean / (1 - mean))
    needed = log(len(BETS)) - log(delta / 2)
    low, high = 0, ceil(needed / float(growth.max()))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if logsumexp(float(middle) * growth) >= needed else (middle, high)
    return high


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
    most, least = one_sided_bound(y, delta / 2), -one_sided_bound(-y, delta / 2)
    return max(0.0, least, -most), max(most, -least)


def one_sided_bound(y: Floats, delta: float) -> float:
    """The upper bound of E y. The wealth of betting against "E y is at least ``mean``" grows with ``mean``."""
    bets = LARGEST_BET * np.asarray(BETS)
    values, repeats = np.unique(1 - np.asarray(y, dtype=np.float64), return_counts=True)
    reach, counts = bets[:, None] * values, repeats.astype(np.float64)
    target = log(len(bets)) - log(delta)

    def excess(mean: float) -> tuple[float, float]:
        # 1 + b (mean - y) / (1 - mean) = 1 - b + b (1 - y) / (1 - mean), whose slope is b (1 - y) / (1 - mean)^2.
        each = 1 - bets[:, None] + reach / (1 - mean)
        wealth = np.log(each) @ counts
        total = logsumexp(wealth)
        slope = (reach / each @ counts) @ np.exp(wealth - total) / (1 - mean) ** 2
        return float(total) - target, float(slope)

    return _root(excess, -1.0, 1.0) if len(counts) else 1.0


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
