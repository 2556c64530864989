"""From rows to e-values, many ticks at once: what the cells of one monitor count, and what it is worth."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tightrope.monitors import detector
from tightrope.monitors.detector import BadObservationError, Bernoulli, Signed
from tightrope.monitors.records import Bools, Floats, Ints

UNWATCHED = -1
"""In the place of a scope's detector: the question does not reach it, and its rows are worth nothing."""


@dataclass(frozen=True, slots=True)
class Tally:
    """T ticks of n rows as one monitor with V variants sees them.

    ``member`` (T, n, S) holds 1 where a scope counts a row, else 0; ``valid`` (T, n, V) and ``y`` (T, n, V) what the
    rows say, 0 where they do not speak; ``count`` and ``total`` (T, V, S) their number and sum; ``seeds`` (T, V) the
    rows of the global clock.
    """

    member: Floats
    valid: Bools
    y: Floats
    count: Floats
    total: Floats
    seeds: Floats

    @classmethod
    def of(cls, member: Floats, valid: Bools, y: Floats, seeds: Floats) -> "Tally":
        """Count; sums of whole numbers are exact, whatever their order."""
        y = np.where(valid, y, 0.0)
        return cls(member, valid, y, _summed(valid, member), _summed(y, member), seeds)


def _summed(values: Floats | Bools, member: Floats) -> Floats:
    """(T, n, V) over the rows of each scope (T, n, S): (T, V, S)."""
    return np.asarray(np.matmul(values.astype(np.float64).transpose(0, 2, 1), member))


class Test(Protocol):
    """What a kind of question does with counted rows: T ticks, V variants, S scopes, K alternatives."""

    def check(self, y: Floats) -> None:
        """Raise `BadObservationError` for numbers that cannot be counted."""

    def log_e(self, tally: Tally) -> Floats:
        """Log e-values of every tick, (T, V, S, K)."""

    def evidence(self, log_mass: Floats) -> Floats:
        """log M of every cell: (..., V, S, K) to (..., V, S)."""

    @property
    def width(self) -> int:
        """K."""


@dataclass(frozen=True, slots=True)
class RateTest:
    """A Bernoulli detector for every scope."""

    bernoulli: Bernoulli

    def check(self, y: Floats) -> None:
        """Zeros and ones."""
        if not np.all((y == 0) | (y == 1)):
            raise BadObservationError("observations of a rate must be zeros and ones")

    def log_e(self, tally: Tally) -> Floats:
        """From integer counts, so the sum does not depend on the order of rows."""
        return self.bernoulli.log_e(tally.count, tally.total)

    def evidence(self, log_mass: Floats) -> Floats:
        """The mixture over alternatives."""
        return self.bernoulli.evidence(log_mass)

    @property
    def width(self) -> int:
        """Alternatives."""
        return int(self.bernoulli.up.shape[-1])


@dataclass(frozen=True, slots=True)
class MeanTest:
    """Signed detectors; scopes with the same tolerance share one. ``of`` gives each scope's place in ``signed``.

    ``ternary`` observations (-1, 0, 1) are counted; others are looked at one by one. ``weaker`` asks for the side
    with less evidence, for a return.
    """

    signed: tuple[Signed, ...]
    of: Ints
    ternary: bool
    weaker: bool

    def check(self, y: Floats) -> None:
        """Numbers within the bound, which all tolerances share."""
        self.signed[0].check(y)

    def log_e(self, tally: Tally) -> Floats:
        """Every scope's rows at its own tolerance."""
        sums = np.zeros((*tally.count.shape, self.width))
        for place, signed in enumerate(self.signed):
            scopes = np.flatnonzero(self.of == place)
            count = _counted if self.ternary else _looked_at
            if len(scopes):
                sums[:, :, scopes] = count(signed, tally, scopes)
        return sums

    def evidence(self, log_mass: Floats) -> Floats:
        """All bets averaged; or, for a return, the weaker side."""
        one = self.signed[0]
        return one.recovered(log_mass) if self.weaker else one.evidence(log_mass)

    @property
    def width(self) -> int:
        """Bets upward, then, on two sides, bets downward."""
        return self.signed[0].sides * len(detector.BETS)


def _counted(signed: Signed, tally: Tally, scopes: Ints) -> Floats:
    """From the numbers of -1, 0 and 1."""
    member = tally.member[:, :, scopes]
    count, total = tally.count[:, :, scopes], tally.total[:, :, scopes]
    moved = _summed(tally.y != 0, member)
    up, down = (moved + total) / 2, (moved - total) / 2
    low, none, high = signed.log_e(np.array([-1.0, 0.0, 1.0]))
    return np.asarray(down[..., None] * low + (count - moved)[..., None] * none + up[..., None] * high)


def _looked_at(signed: Signed, tally: Tally, scopes: Ints) -> Floats:
    """One product of matrices a tick."""
    ticks, rows, variants = tally.y.shape
    logs = signed.log_e(tally.y.reshape(-1)).reshape(ticks, rows, variants, -1)
    each = np.where(tally.valid[..., None], logs, 0.0).reshape(ticks, rows, -1)
    sums = np.matmul(each.transpose(0, 2, 1), np.ascontiguousarray(tally.member[:, :, scopes]))
    return np.moveaxis(sums.reshape(ticks, variants, -1, len(scopes)), 2, 3)
