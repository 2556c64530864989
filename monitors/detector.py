"""The mixture Shiryaev-Roberts e-detector: the one primitive behind every monitor.

How it works. For an observation y in [lo, hi] and a tolerated mean m0 (null: E[y | past] <= m0 at every step), the
one-step e-value is ``1 + lambda (y - m0)`` with lambda in [0, 1 / (m0 - lo)); its expectation is at most 1 under the
null. For a grid of alternatives j, a cell is seeded with ``c N`` for a batch of N samples before the outcomes are seen:

    M_j <- (M_j + c N) E_j        L = logsumexp_j(log w_j + log M_j)        alarm when L >= log A, then M_j <- 0

Under the null ``M + A * alarms - c N`` is a supermartingale, so the expected number of false alarms in N samples is
at most c N / A at any stopping time. Over many detectors whose c sum to at most one it is N / A under any dependence.
Masses are kept as logarithms: log 0 is -inf, never a floor. The last axis of an array is the grid, leading axes are
cells. A batch without rows of a cell has E = 1, so its seed may wait until the cell's next rows: the mass is the same.

Source: Shin, Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", NEJSDS 2024
(arXiv 2203.03532).
"""

from dataclasses import dataclass

import numpy as np

from tightrope.monitors.records import Bools, Floats, Ints

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Alternatives q / p0 of the Bernoulli detector: from a slight excess to a collapse."""

RECOVERY_RATIOS = (0.1, 0.25, 0.5, 0.75)
"""Alternatives q / p_rec of the recovery detector."""

BETS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Shares of the largest admissible bet, for the signed detector."""

LARGEST_BET = 0.98
"""The largest bet: it keeps every e-value above zero, where a bet of 1 is ruined by one extreme observation."""

HIGHEST_RATE = 0.9
"""Alternatives at or above this rate are dropped from the Bernoulli grid."""

COLLAPSE_RATE = 0.85
"""The alternative that replaces the first dropped one, where it is the largest: a class that is never said again."""

LN10 = float(np.log(10.0))

LOG_ZERO = -np.inf
"""The log mass of a detector without seed."""


class BadObservationError(ValueError):
    """An observation is not finite or outside its declared range; callers count it instead of passing it on."""


def logsumexp(values: Floats) -> Floats:
    """log(sum(exp(values))) over the last axis; -inf where every term is -inf."""
    top = np.max(values, axis=-1, keepdims=True)
    safe = np.where(np.isneginf(top), 0.0, top)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.sum(np.exp(values - safe), axis=-1)) + safe[..., 0])


def add_seed(log_mass: Floats, seed: Floats | float) -> Floats:
    """Add the mass ``seed`` (c N of this tick, linear) to every grid point; a cell without rows is seeded too."""
    with np.errstate(divide="ignore"):
        return np.logaddexp(log_mass, np.log(np.asarray(seed, dtype=np.float64)))


def advance(log_mass: Floats, seed: Floats | float, log_e: Floats) -> Floats:
    """Advance by one tick: seed, then multiply by the batch's e-values. Seeds must not depend on the outcomes."""
    return np.asarray(add_seed(log_mass, seed) + log_e)


def _is_replaced(q: Floats) -> Bools:
    """Mask the alternative that `COLLAPSE_RATE` replaces: the first of those dropped, if all kept ones lie below it."""
    dropped = q >= HIGHEST_RATE
    largest = np.where(dropped, 0.0, q).max(axis=-1, keepdims=True)
    return np.asarray(dropped & (np.cumsum(dropped, axis=-1) == 1) & (largest < COLLAPSE_RATE))


@dataclass(frozen=True, slots=True)
class Bernoulli:
    """Detects a rate above ``limit`` (or, for recovery, below it) from counts.

    ``limit`` has any shape S; ``up``, ``down`` and ``log_weight`` have shape S + (K,): the log e-value of a one and of
    a zero, and the log weight of each alternative (-inf where an alternative is dropped).

    >>> detector = Bernoulli.above(0.02)
    >>> log_mass = advance(np.full(6, LOG_ZERO), 64.0, detector.log_e(np.int64(64), np.int64(9)))
    >>> round(float(detector.evidence(log_mass)), 2)
    12.81
    """

    up: Floats
    down: Floats
    log_weight: Floats

    @classmethod
    def above(cls, limit: Floats | float, ratios: tuple[float, ...] = RATIOS) -> "Bernoulli":
        """Build the alarm detector. Null: the rate is at most ``limit``, in (0, 0.72).

        Raises:
            ValueError: when a limit is out of range.
        """
        return cls._of(np.asarray(limit, dtype=np.float64), ratios)

    @classmethod
    def below(cls, limit: Floats | float, ratios: tuple[float, ...] = RECOVERY_RATIOS) -> "Bernoulli":
        """Build the recovery detector. Null: the rate is at least ``limit``, in (0, 1).

        Raises:
            ValueError: when a limit is out of range.
        """
        return cls._of(np.asarray(limit, dtype=np.float64), ratios)

    @classmethod
    def _of(cls, limit: Floats, ratios: tuple[float, ...]) -> "Bernoulli":
        p = limit[..., None]
        q = p * np.asarray(ratios)
        q = np.where(_is_replaced(q), COLLAPSE_RATE, q)
        kept = q < HIGHEST_RATE
        highest = min(HIGHEST_RATE / min(ratios), 1.0)
        if not np.all((limit > 0) & (limit < highest)):  # NaN fails the comparison too
            raise ValueError(f"a rate's limit must lie above 0 and below {highest:.2f}; got {limit}")
        q = np.where(kept, q, p)
        with np.errstate(divide="ignore"):
            weight = np.log(kept / kept.sum(axis=-1, keepdims=True))
        return cls(np.log(q / p), np.log1p(-q) - np.log1p(-p), weight)

    def log_e(self, n: Ints | Floats, k: Ints | Floats) -> Floats:
        """Log e-values of k ones among n observations, S + (K,); counts of several batches may be summed first."""
        ones, total = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
        width = self.up.shape[-1]
        log_e, zeros = (np.repeat(each[..., None], width, axis=-1) for each in (ones, total - ones))
        return np.asarray(log_e * self.up + zeros * self.down)

    def log_e_of_loss(self, y: Floats) -> Floats:
        """Log e-values of single losses in [0, 1], y's shape + (K,), of a detector with one limit: those of a mixture
        of a one and a zero. Their expectation is at most 1 whenever the mean of y is at most the limit.
        """
        share = np.asarray(y, dtype=np.float64)[..., None]
        return np.asarray(np.log(share * np.exp(self.up) + (1 - share) * np.exp(self.down)))

    @property
    def alternative(self) -> Floats:
        """The rates q, S + (K,): where one is dropped, the limit."""
        return np.asarray(self.limit[..., None] * np.exp(self.up))

    @property
    def limit(self) -> Floats:
        """The limits p, S, from p e^up + (1 - p) e^down = 1 of the alternative that is furthest from them."""
        furthest = np.abs(self.up).argmax(axis=-1)[..., None]
        up, down = (np.take_along_axis(each, furthest, axis=-1)[..., 0] for each in (self.up, self.down))
        return np.asarray(-np.expm1(down) / (np.exp(up) - np.exp(down)))

    def of_scope(self, index: int) -> "Bernoulli":
        """The detector of one of the limits of a vector, or of one of its columns, where variants have their own."""
        return Bernoulli(self.up[..., index, :], self.down[..., index, :], self.log_weight[..., index, :])

    def evidence(self, log_mass: Floats) -> Floats:
        """log M, the mixture over alternatives, shape S."""
        return logsumexp(self.log_weight + log_mass)


@dataclass(frozen=True, slots=True)
class Signed:
    """Detects that the mean of y in [-bound, bound] leaves [-tolerance, tolerance]; with ``sides=1``, only above.

    The grid has shape (2 K,): K bets on the upper side, then K on the lower, each side weighing one half. `inside`
    inverts the null (abs(mean) >= tolerance), and both sides must be disproved: see `recovered`.

    >>> Signed.outside(0.02).log_e(np.array([0.0, 0.5])).shape
    (2, 14)
    """

    tolerance: float
    bound: float
    sign: float
    sides: int = 2

    @classmethod
    def outside(cls, tolerance: float, bound: float = 1.0, sides: int = 2) -> "Signed":
        """Build the alarm detector. Null: abs(mean) <= tolerance; with one side, mean <= tolerance."""
        return cls(tolerance, bound, 1.0, sides)

    @classmethod
    def inside(cls, tolerance: float, bound: float = 1.0, sides: int = 2) -> "Signed":
        """Build the recovery detector. Null: abs(mean) >= tolerance (two one-sided tests), or mean >= tolerance."""
        return cls(tolerance, bound, -1.0, sides)

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < self.bound:
            raise ValueError(f"a tolerance must lie above 0 and below the bound {self.bound}; got {self.tolerance}")

    @property
    def bets(self) -> Floats:
        """The grid of lambda, shape (K,): shares of the largest bet that keeps every e-value positive."""
        return LARGEST_BET / (self.bound + self.tolerance) * np.asarray(BETS)

    def check(self, y: Floats) -> None:
        """Validate observations.

        Raises:
            BadObservationError: when an observation is not finite or lies outside [-bound, bound].
        """
        if not np.all(np.abs(y) <= self.bound):  # NaN fails the comparison too
            raise BadObservationError(f"observations must be finite and in [-{self.bound}, {self.bound}]")

    def log_e(self, y: Floats) -> Floats:
        """Log e-values of each observation, shape (n, 2 K); a batch is worth their sum.

        Raises:
            BadObservationError: as `check` does.
        """
        self.check(y)
        gain = self.sign * (np.stack([y, -y][: self.sides], axis=-1) - self.tolerance)
        return np.log1p(gain[..., None] * self.bets).reshape(len(y), self.sides * len(BETS))

    def evidence(self, log_mass: Floats) -> Floats:
        """log M averaged over both sides; ``log_mass`` has shape (…, 2 K)."""
        return np.asarray(logsumexp(log_mass) - np.log(self.sides * len(BETS)))

    def recovered(self, log_mass: Floats) -> Floats:
        """log M of the weaker side: the mean is inside the tolerance only if both sides are disproved."""
        sides = log_mass.reshape(*log_mass.shape[:-1], self.sides, len(BETS))
        return np.asarray(np.min(logsumexp(sides) - np.log(len(BETS)), axis=-1))


def divergence(rate: Floats | float, limit: Floats | float) -> Floats:
    """Kullback-Leibler divergence KL(rate || limit) of two Bernoulli variables, in nats."""
    q, p = np.asarray(rate, dtype=np.float64), np.asarray(limit, dtype=np.float64)
    return np.asarray(q * np.log(q / p) + (1 - q) * (np.log1p(-q) - np.log1p(-p)))
