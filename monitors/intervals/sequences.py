"""Confidence sequences of a rate and of a mean, from sums alone: intervals that hold at all row counts at once.

How it works. A step is one observation, or the mean of one unit of several. For a rate, n steps in [0, 1] with the sum
S give, for every bet theta, a supermartingale that starts at 1 under "the rate is at least p":

    exp(-theta S) / (1 + p (exp(-theta) - 1))^n

``ln(1 + p a)`` is concave in p, so it bounds the running mean of the conditional means, **though the rate moves**. By
Ville's inequality the mixture over bets exceeds 2 / alpha with probability alpha / 2 at most, at any time. The interval
is the set of all p that neither side has disproved.

For a mean of y in [low, high], z is (y - low) / (high - low), and V is the sum of ``(z - zhat)^2`` with zhat the mean
before the tick: ``exp(lambda (S - n mean) - psi(lambda) V)`` is the supermartingale, with ``psi(l) = -ln(1 - l) - l``.

Source: Fan, Grama, Liu, "Exponential inequalities for martingales with applications", EJP 2015; Howard, Ramdas,
McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 2021.
"""

from collections.abc import Callable

import numpy as np

from tightrope.monitors.detector import logsumexp
from tightrope.monitors.records import Floats

RATE_BETS: Floats = 0.01 * 2.0 ** np.arange(10, dtype=np.float64)
"""The bets theta on a rate: from large samples to a few rows."""

MEAN_BETS: Floats = 0.0075 * 2.0 ** np.arange(8, dtype=np.float64)
"""The bets lambda on a mean."""

_PSI = -np.log1p(-MEAN_BETS) - MEAN_BETS
_NEWTON_STEPS = 6
"""Newton's steps from the formula of one bet, which is a few percent off: each doubles the digits."""


def proof_needed(alpha: float) -> float:
    """The evidence (nats) that one end of an interval of confidence 1 - alpha takes: ln(2 / alpha)."""
    return float(np.log(2 / alpha))


def evidence_below(steps: Floats, total: Floats, rate: Floats) -> Floats:
    """Evidence (nats) that the rate is below ``rate``, from n steps and their sum, all of one shape.

    >>> evidence_below(np.array([263.0]), np.array([0.0]), np.array([0.02])).round(3).tolist()
    [3.689]
    """
    gain = -np.log1p(np.multiply.outer(rate, np.expm1(-RATE_BETS)))
    return _mixture(steps[..., None] * gain - np.multiply.outer(total, RATE_BETS))


def evidence_above(steps: Floats, total: Floats, rate: Floats) -> Floats:
    """Evidence (nats) that the rate is above ``rate``; shapes as `evidence_below`."""
    gain = np.log1p(np.multiply.outer(rate, np.expm1(RATE_BETS)))
    return _mixture(np.multiply.outer(total, RATE_BETS) - steps[..., None] * gain)


def evidence_apart(distance: Floats, spread: Floats) -> Floats:
    """Evidence (nats) that a mean differs from a value by ``distance`` (D, the sum of z - value) in its direction.

    ``spread`` is V; both of one shape.
    """
    return _mixture(np.multiply.outer(distance, MEAN_BETS) - np.multiply.outer(spread, _PSI))


def rate_interval(steps: Floats, total: Floats, proof: float) -> tuple[Floats, Floats]:
    """Lower and upper end of a rate, any shape; ``proof`` is the evidence that each end takes. (0, 1) without steps.

    >>> low, high = rate_interval(np.array([200.0]), np.array([48.0]), proof_needed(0.05))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.149], [0.35])
    """
    return _rate_end(steps, total, RATE_BETS, proof), upper_rate(steps, total, proof)


def upper_rate(steps: Floats, total: Floats, proof: float) -> Floats:
    """Upper end of a rate, as `rate_interval` has it.

    >>> upper_rate(np.array([200.0]), np.array([48.0]), proof_needed(0.05)).round(3).tolist()
    [0.35]
    """
    return _rate_end(steps, total, -RATE_BETS, proof)


def _rate_end(steps: Floats, total: Floats, bets: Floats, proof: float) -> Floats:
    """The lower end for bets above 0, the upper one for bets below: where the evidence against a rate is the proof."""
    n, alone = np.maximum(steps, 1.0)[..., None], proof + np.log(len(bets))
    factor, won = np.expm1(bets), np.multiply.outer(total, bets)
    each = np.expm1((won - alone) / n) / factor  # the rate at which one bet alone proves enough
    start = each.max(axis=-1) if bets[0] > 0 else each.min(axis=-1)

    def lines(rate: Floats) -> tuple[Floats, Floats]:
        wealth = np.multiply.outer(rate, factor)
        return won - n * np.log1p(wealth), -n * factor / (1 + wealth)

    end = np.clip(_crossing(lines, start, proof), 0, 1)
    return np.where(steps > 0, end, 0.0 if bets[0] > 0 else 1.0)


def mean_interval(steps: Floats, total: Floats, spread: Floats, proof: float) -> tuple[Floats, Floats]:
    """Lower and upper end of a mean of z in [0, 1], any shape: n, S and V of z. (0, 1) without steps."""
    cost = np.multiply.outer(spread, _PSI)
    distance = _line_crossing(np.broadcast_to(MEAN_BETS, cost.shape), -cost, proof)
    known = np.maximum(steps, 1.0)
    ends = np.clip((total - distance) / known, 0, 1), np.clip((total + distance) / known, 0, 1)
    return np.where(steps > 0, ends[0], 0.0), np.where(steps > 0, ends[1], 1.0)


def steps_to_prove_rate(limit: Floats, rate: Floats, proof: float) -> Floats:
    """Steps after which a constant ``rate`` proves to be below ``limit``; infinite where it never does.

    >>> steps_to_prove_rate(np.array([0.02]), np.array([0.0]), proof_needed(0.05)).round().tolist()
    [263.0]
    """
    gain = -np.log1p(np.multiply.outer(limit, np.expm1(-RATE_BETS))) - np.multiply.outer(rate, RATE_BETS)
    return _steps_to_prove(gain, proof)


def steps_to_prove_mean(distance: Floats, spread: Floats, proof: float) -> Floats:
    """Steps after which a mean proves to differ from a value by ``distance`` a step, with V growing by ``spread``."""
    gain = np.multiply.outer(distance, MEAN_BETS) - np.multiply.outer(spread, _PSI)
    return _steps_to_prove(gain, proof)


def _steps_to_prove(gain: Floats, proof: float) -> Floats:
    """Steps at which the mixture of bets with these gains a step (…, K) reaches the proof."""
    reachable = gain.max(axis=-1) > 0
    gain = np.where(reachable[..., None], gain, 1.0)
    return np.where(reachable, _line_crossing(gain, np.zeros_like(gain), proof), np.inf)


def _line_crossing(slopes: Floats, starts: Floats, proof: float) -> Floats:
    """Where the mixture of lines ``starts + x slopes`` (…, K), at least one of them rising, reaches the proof."""
    rising = np.where(slopes > 0, slopes, 1.0)
    alone = np.where(slopes > 0, (proof + np.log(slopes.shape[-1]) - starts) / rising, np.inf).min(axis=-1)
    return _crossing(lambda x: (starts + x[..., None] * slopes, slopes), alone, proof)


def _mixture(logs: Floats) -> Floats:
    return np.asarray(logsumexp(logs) - np.log(logs.shape[-1]))


def _crossing(lines: Callable[[Floats], tuple[Floats, Floats]], start: Floats, proof: float) -> Floats:
    """Where a mixture of K convex curves equals the proof, by Newton's steps.

    ``lines`` gives values and slopes (…, K). The mixture is convex and exceeds the proof at ``start``, where one curve
    alone does: each step stays on that side and comes closer.
    """
    at = start
    for _ in range(_NEWTON_STEPS):
        logs, slopes = lines(at)
        top = logs.max(axis=-1, keepdims=True)
        weights = np.exp(logs - top)
        total = weights.sum(axis=-1)
        value = np.log(total / logs.shape[-1]) + top[..., 0]
        at = at - (value - proof) * total / (weights * slopes).sum(axis=-1)
    return np.asarray(at)
