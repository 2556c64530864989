"""The rows that a cell lacks: the fewest with which it would pass four times in five, if it goes on as seen."""

from math import ceil, exp, inf, isinf, log, sqrt
from statistics import NormalDist

import numpy as np

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.detector import BETS, HIGHEST_RATE, LARGEST_BET, divergence, logsumexp
from tightrope.monitors.records import Floats
from tightrope.monitors.thresholds import is_bounded, log_tail

POWER = 0.8
"""The probability with which the cell would pass."""

MOST_ERRORS = 200
"""Up to this number of errors the number of rows is exact; beyond it it is that of the normal approximation."""

MOST_ROWS_NEEDED = 10**8
"""Beyond these a value is too near its limit for any file."""

HARM_FACTOR = 3.0
"""The multiple of a limit that must be seen by a cell that is only to be not over it."""


def rows_needed(hypothesis: Hypothesis, y: Floats, limit: float, alpha: float) -> float | None:
    """The fewest rows that pass with probability `POWER` at what was seen, y (n,); None at or above the limit."""
    needed = _rows_needed(hypothesis, y, limit, alpha)
    return None if isinf(needed) else needed


def _rows_needed(hypothesis: Hypothesis, y: Floats, limit: float, alpha: float) -> float:
    if hypothesis is Hypothesis.RATE and np.isin(y, (0.0, 1.0)).all():
        return rows_for_rate(float(y.mean()) if len(y) else 0.0, limit, alpha)
    both = (y, -y) if hypothesis is Hypothesis.MEAN else (y,)
    return max(_rows_for_mean(side, limit, alpha) for side in both)


def rows_for_rate(rate: float, limit: float, alpha: float) -> float:
    """The fewest rows n for which B(X, n, alpha) <= limit with probability `POWER`, X binomial with a true rate.

    Between two numbers of rows that allow one error more only the first can be the fewest. The error counts are
    galloped over and then bisected, as the power rises with them but for
    rounding; of many errors the normal approximation will do.

    >>> [rows_for_rate(rate, 0.1, 0.05) for rate in (0.0, 0.025, 0.05)]
    [29, 61, 179]
    """
    if rate >= limit:
        return inf
    normal = NormalDist()
    spread = -normal.inv_cdf(alpha) * sqrt(limit * (1 - limit)) + normal.inv_cdf(POWER) * sqrt(rate * (1 - rate))
    approximate = ceil((spread / (limit - rate)) ** 2)
    if approximate * limit > MOST_ERRORS:
        return approximate if approximate <= MOST_ROWS_NEEDED else inf
    step = 1
    while not _has_power(step - 1, rate, limit, alpha):
        step *= 2
    low, high = step // 2 - 1, step - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _has_power(middle, rate, limit, alpha) else (middle, high)
    return _first_rows(high, limit, alpha)


def _has_power(errors: int, rate: float, limit: float, alpha: float) -> bool:
    rows = _first_rows(errors, limit, alpha)
    return rate == 0 or (rows > errors and exp(float(log_tail(errors, rows, rate))) >= POWER)


def _first_rows(errors: int, limit: float, alpha: float) -> int:
    """The fewest rows in which this number of errors proves the limit."""
    low, high = errors, errors + 1
    while not is_bounded(errors, high, limit, alpha) and high < MOST_ROWS_NEEDED:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_bounded(errors, middle, limit, alpha) else (middle, high)
    return high


def _rows_for_mean(y: Floats, limit: float, alpha: float) -> float:
    """The fewest rows for which the bets win 1 / alpha, by the normal approximation of their sum."""
    y = y if len(y) else np.zeros(1)
    if y.mean() >= limit:
        return inf
    bets = LARGEST_BET * np.asarray(BETS)[:, None]
    gains = np.log1p(bets * (limit - y) / (1 - limit))
    mean, spread = gains.mean(axis=1), gains.std(axis=1)
    target, deviations = log(len(bets)) - log(alpha), NormalDist().inv_cdf(POWER)

    def is_enough(rows: int) -> bool:
        return float(logsumexp(rows * mean - deviations * sqrt(rows) * spread)) >= target

    high = 1
    while not is_enough(high):
        high *= 2
        if high > MOST_ROWS_NEEDED:
            return inf
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def rows_to_see(hypothesis: Hypothesis, limit: float, log_budget: float) -> float:
    """The rows after which `HARM_FACTOR` times the limit would have been seen, at evidence of ``log_budget`` nats: of a
    rate, or of a constant difference.
    """
    if hypothesis is Hypothesis.RATE:
        information = float(divergence(min(HARM_FACTOR * limit, HIGHEST_RATE), limit))
        return (log_budget + log(information)) / information
    gain = (min(HARM_FACTOR * limit, 1.0) - limit) * LARGEST_BET * max(BETS) / (1 + limit)
    return log_budget / float(np.log1p(gain))
