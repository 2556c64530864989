"""The standing of a cell by its cohorts: the rung that holds now, and whether it is proved sound or over its limit.

How it works. Each rung shows the interval of its older cohort at a third of alpha. Rungs overlap, so a change shows as
a small rung whose interval is disjoint from that of a larger one: the smallest such rung is shown, else the largest. A
pass takes an end within the limit on a rung up to the shown one, and none of these rungs over the limit. Tests against
the limit take a formula; intervals take a search, and are computed only where they are shown or where two rungs may be
disjoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tightrope.monitors.detector import divergence
from tightrope.monitors.intervals.cohorts import RUNGS, SHOWN_STEPS, SPREAD, STEPS, TOTAL, Cohorts
from tightrope.monitors.intervals.sequences import (
    evidence_above,
    evidence_apart,
    evidence_below,
    mean_interval,
    proof_needed,
    rate_interval,
    steps_to_prove_mean,
    steps_to_prove_rate,
)
from tightrope.monitors.records import Bools, Floats, Ints

ALPHA = 0.05
"""The probability with which an interval that people see is ever wrong; each rung has a third."""

PROOF = proof_needed(ALPHA / len(RUNGS))
"""The evidence (nats) that each end of a rung's interval takes."""

NO_LOWER_END = -1e6
"""A lower bound of a mean that every value in [0, 1] keeps."""

_LARGEST = len(RUNGS) - 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """The values that cells tolerate, as values of their steps in [0, 1], each (C,): a rate at most ``high``, or a mean
    between ``low`` and ``high``.

    >>> Bounds.of_mean(np.array([0.02]), 1.0, two_sided=True).low.tolist()
    [0.49]
    """

    high: Floats
    low: Floats
    means: bool = False

    @classmethod
    def of_mean(cls, tolerance: Floats, bound: float, *, two_sided: bool) -> "Bounds":
        """Bounds of a mean of values within ``bound``: on both sides, or above only."""
        half = tolerance / (2 * bound)
        return cls(0.5 + half, 0.5 - half if two_sided else np.full_like(half, NO_LOWER_END), means=True)

    @classmethod
    def join(cls, parts: Sequence["Bounds"], *, means: bool) -> "Bounds":
        """The bounds of the cells of several monitors of one kind."""
        none = np.zeros(0)
        high, low = (np.concatenate([none, *(getattr(part, name) for part in parts)]) for name in ("high", "low"))
        return cls(high, low, means)

    def take(self, cells: Bools) -> "Bounds":
        """The bounds of the masked cells (C,)."""
        return Bounds(self.high[cells], self.low[cells], self.means)


@dataclass(frozen=True, slots=True)
class Standing:
    """Each cell's standing, (C,): the rung that is shown, whether a rung up to it proves the value within its bounds,
    and whether one proves it beyond them.

    >>> cohorts = Cohorts.fresh(1)
    >>> standing(cohorts, Bounds(np.array([0.02]), np.zeros(1))).within.tolist()
    [False]
    """

    rung: Ints
    within: Bools
    beyond: Bools


def standing(cohorts: Cohorts, bounds: Bounds) -> Standing:
    """Compare the cohorts of C cells with their bounds."""
    within, beyond = proofs(cohorts.older, bounds)
    rung = shown_rungs(cohorts.older, means=bounds.means)
    upto = np.arange(len(RUNGS)) <= rung[:, None]
    over = np.asarray((beyond & upto).any(axis=1))
    return Standing(rung, np.asarray((within & upto).any(axis=1) & ~over), over)


def shown_sums(cohorts: Cohorts, rung: Ints) -> Floats:
    """The sums to show, (C, 3): those of the rung, or those before the cell's start while these are few."""
    sums = cohorts.older[np.arange(len(rung)), rung]
    young = (sums[:, STEPS] < SHOWN_STEPS) & (cohorts.before[:, STEPS] > 0)
    return np.asarray(np.where(young[:, None], cohorts.before, sums))


def mean_of(sums: Floats) -> Floats:
    """The mean of sums (…, 3); 0 without steps."""
    return np.asarray(sums[..., TOTAL] / np.maximum(sums[..., STEPS], 1.0))


def interval(sums: Floats, *, means: bool) -> tuple[Floats, Floats]:
    """Lower and upper end for sums (…, 3): of the rate, or of the mean in [0, 1]."""
    if means:
        return mean_interval(sums[..., STEPS], sums[..., TOTAL], np.maximum(sums[..., SPREAD], 0.0), PROOF)
    return rate_interval(sums[..., STEPS], sums[..., TOTAL], PROOF)


def steps_to_pass(cohorts: Cohorts, bounds: Bounds) -> Floats:
    """Further steps until each cell proves to be within its bounds if its value stays, (C,).

    Infinite where that takes more than the largest rung holds: the value is too near its limit, or over it.
    """
    sums = cohorts.older[:, _LARGEST]
    steps = sums[:, STEPS]
    known = np.maximum(steps, 1.0)
    if bounds.means:
        mean = np.where(steps > 0, sums[:, TOTAL] / known, 0.5)
        distance = np.minimum(bounds.high - mean, mean - bounds.low)
        needed = steps_to_prove_mean(distance, np.maximum(sums[:, SPREAD], 0.0) / known, PROOF)
    else:
        needed = steps_to_prove_rate(bounds.high, sums[:, TOTAL] / known, PROOF)
    return np.asarray(np.where(needed <= RUNGS[-1], np.maximum(np.ceil(needed - steps), 1.0), np.inf))


def proofs(older: Floats, bounds: Bounds) -> tuple[Bools, Bools]:
    """Masks (C, rungs) of the cohorts that prove the value within its bounds, and of those that prove it beyond."""
    steps, total, high = older[..., STEPS], older[..., TOTAL], bounds.high[:, None]
    if not bounds.means:
        return evidence_below(steps, total, high) >= PROOF, evidence_above(steps, total, high) >= PROOF
    spread, over = np.maximum(older[..., SPREAD], 0.0), total - steps * high
    above = total - steps * bounds.low[:, None]
    within, beyond = (
        [evidence_apart(sign * distance, spread) >= PROOF for distance in (over, -above)] for sign in (-1, 1)
    )
    return within[0] & within[1], beyond[0] | beyond[1]


def shown_rungs(older: Floats, *, means: bool) -> Ints:
    """The smallest rung whose interval is disjoint from that of a larger one, (C,); else the largest."""
    rung = np.full(len(older), _LARGEST)
    maybe = np.flatnonzero(_may_differ(older, means=means))
    if len(maybe):
        lower, upper = interval(older[maybe], means=means)
        for small in reversed(range(_LARGEST)):
            larger = slice(small + 1, None)
            apart = (lower[:, [small]] > upper[:, larger]) | (upper[:, [small]] < lower[:, larger])
            rung[maybe[apart.any(axis=1)]] = small
    return rung


def _may_differ(older: Floats, *, means: bool) -> Bools:
    """Mask the cells in which two rungs may be disjoint: then each excludes the other's value, even by the largest
    evidence that any bet could give.
    """
    steps = older[..., STEPS]
    value = mean_of(older)
    possible = np.zeros(len(older), dtype=bool)
    for small in range(_LARGEST):
        for large in range(small + 1, len(RUNGS)):
            pair = np.array([small, large])
            if means:
                distance = steps[:, pair] * np.abs(value[:, [small]] - value[:, [large]])
                most = distance**2 / np.maximum(2 * older[:, pair, SPREAD], 1e-12)
            else:
                rate = np.clip(value, 1e-12, 1 - 1e-12)
                most = steps[:, pair] * divergence(rate[:, pair], rate[:, pair[::-1]])
            possible |= (most >= PROOF).all(axis=1)
    return possible
