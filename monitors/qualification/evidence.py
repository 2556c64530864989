"""The evidence of one cell on a fixed set of rows: bounds, and p-values for a proof and for an accusation.

How it works. A cell asks whether the mean of its observations lies within a limit L. ``p_within`` is the p-value of the
hypothesis that it lies beyond (rejected: proved within), ``p_over`` that of the hypothesis that it lies within
(rejected: proved harmful). Rates of zeros and ones are binomial tails; everything else is a betting test of fixed size
with the detectors' bets: W = mean_j prod(1 + b_j (L - y) / (1 - L)), p = min(1, 1 / W) (Waudby-Smith, Ramdas, JRSS-B
2024). A mean that may lie on either side is within if both sides are, each at alpha (TOST), and beyond if either is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import exp, log

import numpy as np

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.detector import BETS, LARGEST_BET, logsumexp
from tightrope.monitors.records import Floats
from tightrope.monitors.thresholds import log_tail, one_sided_bound, rate_bounds


@dataclass(frozen=True, slots=True)
class CellEvidence:
    """The evidence of ``rows`` observations: their mean ``seen`` (None without rows), ``hits`` where all are 0 or 1,
    the upper ``bound`` and the lower one, ``at_least``, each at alpha, both of the size of a mean that may lie on
    either side.

    >>> weigh(Hypothesis.RATE, np.zeros(59), 0.05, 0.05).p_within < 0.05
    True
    """

    rows: int
    hits: int | None
    seen: float | None
    bound: float
    at_least: float
    p_within: float
    p_over: float


NO_ROWS = CellEvidence(rows=0, hits=None, seen=None, bound=1.0, at_least=0.0, p_within=1.0, p_over=1.0)
"""The evidence of a cell without rows: it proves nothing."""


def weigh(hypothesis: Hypothesis, y: Floats, limit: float, alpha: float) -> CellEvidence:
    """Weigh observations (n,) against a limit in (0, 1): in [0, 1] for a rate, else in [-1, 1]."""
    y = np.asarray(y, dtype=np.float64)
    if not len(y):
        return NO_ROWS
    if hypothesis is Hypothesis.RATE and np.isin(y, (0.0, 1.0)).all():
        return _weigh_rate(int(y.sum()), len(y), limit, alpha)
    seen, upper, lower = float(y.mean()), one_sided_bound(y, alpha), -one_sided_bound(-y, alpha)
    within, over = p_below(y, limit), p_below(-y, -limit)
    if hypothesis is Hypothesis.MEAN:
        within = max(within, p_below(-y, limit))
        over = min(1.0, 2 * min(over, p_below(y, -limit)))
        upper, lower = max(upper, -lower), max(lower, -upper, 0.0)
    return CellEvidence(len(y), None, seen, upper, lower, within, over)


def _weigh_rate(hits: int, rows: int, limit: float, alpha: float) -> CellEvidence:
    """P(X <= k) at the limit, and P(X >= k) as a tail of the misses: 1 - P(X < k) would cancel."""
    within = 1.0 if hits == rows else exp(float(log_tail(hits, rows, limit)))
    over = 1.0 if hits == 0 else exp(float(log_tail(rows - hits, rows, 1 - limit)))
    lower, upper = rate_bounds(hits, rows, alpha)
    return CellEvidence(rows, hits, hits / rows, upper, lower, min(1.0, within), min(1.0, over))


def p_below(y: Floats, mean: float) -> float:
    """The p-value of "E y is at least ``mean``" for observations (n,) in [-1, 1] and a mean in (-1, 1)."""
    values, repeats = np.unique(y, return_counts=True)
    bets = LARGEST_BET * np.asarray(BETS)[:, None]
    wealth = np.log1p(bets * (mean - values) / (1 - mean)) @ repeats.astype(np.float64)
    return min(1.0, exp(min(0.0, log(len(bets)) - float(logsumexp(wealth)))))


def combine(ways: Iterable[CellEvidence]) -> CellEvidence:
    """Join the evidence of several ways to run the same pair: the worse one counts for the proof, the milder one for an
    accusation.

    >>> ways = [weigh(Hypothesis.RATE, np.repeat([1.0, 0.0], [k, 100 - k]), 0.1, 0.05) for k in (9, 30)]
    >>> joined = combine(ways)
    >>> joined.hits, joined.p_over == ways[0].p_over
    (30, True)
    """
    found = list(ways)
    worst = max(found, key=lambda each: (each.p_within, each.bound))
    return replace(worst, p_over=max(each.p_over for each in found), at_least=min(each.at_least for each in found))
