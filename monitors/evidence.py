"""Turn rows into e-values, many ticks at once: the rows that the cells of one monitor count, and their evidence."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tightrope.monitors import detector
from tightrope.monitors.detector import BadObservationError, Bernoulli, Signed
from tightrope.monitors.records import Bools, Floats, Ints

UNWATCHED = -1
"""The detector index of a scope that the monitor does not reach: its rows carry no evidence."""


@dataclass(frozen=True, slots=True)
class Tally:
    """T ticks of n rows, as one monitor with V variants counts them in S scopes.

    ``member`` (T, n, S) holds 1 where a scope counts a row, else 0; ``valid`` and ``y`` (T, n, V) the observations, 0
    where a row does not count; ``count`` and ``total`` (T, V, S) their number and sum; ``seeds`` (T, V) the rows of the
    global clock.

    >>> one_tick = np.ones((1, 2, 1)), np.ones((1, 2, 1), dtype=bool), np.array([[[1.0], [0.0]]]), np.array([[2.0]])
    >>> tally = Tally.from_rows(*one_tick)
    >>> tally.count.ravel().tolist(), tally.total.ravel().tolist()
    ([2.0], [1.0])
    """

    member: Floats
    valid: Bools
    y: Floats
    count: Floats
    total: Floats
    seeds: Floats

    @classmethod
    def from_rows(cls, member: Floats, valid: Bools, y: Floats, seeds: Floats) -> "Tally":
        """Count the observations; sums of whole numbers are exact in any order."""
        y = np.where(valid, y, 0.0)
        return cls(member, valid, y, _summed(valid, member), _summed(y, member), seeds)


def _summed(values: Floats | Bools, member: Floats) -> Floats:
    """Sum values (T, n, V) over the rows of each scope (T, n, S): (T, V, S)."""
    return np.asarray(np.matmul(values.astype(np.float64).transpose(0, 2, 1), member))


class HypothesisTest(Protocol):
    """The test of one hypothesis on counted rows: T ticks, V variants, S scopes, K alternatives."""

    def check(self, y: Floats) -> None:
        """Raise `BadObservationError` for values that cannot be counted."""

    def log_e(self, tally: Tally) -> Floats:
        """Log e-values of every tick, (T, V, S, K)."""

    def evidence(self, log_mass: Floats) -> Floats:
        """log M of every cell: (..., V, S, K) to (..., V, S)."""

    @property
    def width(self) -> int:
        """The number of alternatives, K."""


@dataclass(frozen=True, slots=True)
class RateTest:
    """A Bernoulli detector for every scope.

    >>> RateTest(Bernoulli.above(np.array([0.02, 0.04]))).width
    6
    """

    bernoulli: Bernoulli

    def check(self, y: Floats) -> None:
        """Accept zeros and ones only."""
        if not np.all((y == 0) | (y == 1)):
            raise BadObservationError("observations of a rate must be zeros and ones")

    def log_e(self, tally: Tally) -> Floats:
        """Log e-values from integer counts, so that the sum does not depend on the order of rows."""
        return self.bernoulli.log_e(tally.count, tally.total)

    def evidence(self, log_mass: Floats) -> Floats:
        """log M, the mixture over alternatives."""
        return self.bernoulli.evidence(log_mass)

    @property
    def width(self) -> int:
        """The number of alternatives."""
        return int(self.bernoulli.up.shape[-1])


@dataclass(frozen=True, slots=True)
class MeanTest:
    """Signed detectors, shared by scopes of equal tolerance: ``detector_index`` (S,) points into ``signed``.

    ``ternary`` observations (-1, 0, 1) are counted; others are evaluated one by one. ``weaker_side`` takes the side
    with less evidence, for a return.

    >>> MeanTest((Signed.outside(0.02),), np.array([0, UNWATCHED]), ternary=True, weaker_side=False).width
    14
    """

    signed: tuple[Signed, ...]
    detector_index: Ints
    ternary: bool
    weaker_side: bool

    def check(self, y: Floats) -> None:
        """Accept finite values within the bound, which all tolerances share."""
        self.signed[0].check(y)

    def log_e(self, tally: Tally) -> Floats:
        """Log e-values of every scope's rows at its own tolerance."""
        sums = np.zeros((*tally.count.shape, self.width))
        for index, signed in enumerate(self.signed):
            scopes = np.flatnonzero(self.detector_index == index)
            log_e = _log_e_of_counts if self.ternary else _log_e_of_rows
            if len(scopes):
                sums[:, :, scopes] = log_e(signed, tally, scopes)
        return sums

    def evidence(self, log_mass: Floats) -> Floats:
        """log M averaged over all bets or, for a return, of the weaker side."""
        signed = self.signed[0]
        return signed.recovered(log_mass) if self.weaker_side else signed.evidence(log_mass)

    @property
    def width(self) -> int:
        """The number of bets: upward and, with two sides, downward."""
        return self.signed[0].sides * len(detector.BETS)


def _log_e_of_counts(signed: Signed, tally: Tally, scopes: Ints) -> Floats:
    """Sum log e-values over ternary rows by the numbers of -1, 0 and 1: (T, V, scopes, K)."""
    member = tally.member[:, :, scopes]
    count, total = tally.count[:, :, scopes], tally.total[:, :, scopes]
    moved = _summed(tally.y != 0, member)
    up, down = (moved + total) / 2, (moved - total) / 2
    low, none, high = signed.log_e(np.array([-1.0, 0.0, 1.0]))
    return np.asarray(down[..., None] * low + (count - moved)[..., None] * none + up[..., None] * high)


def _log_e_of_rows(signed: Signed, tally: Tally, scopes: Ints) -> Floats:
    """Sum log e-values over rows, one matrix product per tick: (T, V, scopes, K)."""
    ticks, rows, variants = tally.y.shape
    logs = signed.log_e(tally.y.reshape(-1)).reshape(ticks, rows, variants, -1)
    each = np.where(tally.valid[..., None], logs, 0.0).reshape(ticks, rows, -1)
    sums = np.matmul(each.transpose(0, 2, 1), np.ascontiguousarray(tally.member[:, :, scopes]))
    return np.moveaxis(sums.reshape(ticks, variants, -1, len(scopes)), 2, 3)
