"""The outlook of a scope in safe mode: own rows until its recovery is proved, if the present rate stays."""

import numpy as np

from tightrope.monitors.detector import BETS, LARGEST_BET, RECOVERY_RATIOS
from tightrope.monitors.records import Floats
from tightrope.monitors.verdict import Outlook


def recovery_growth(rate: Floats, disproved: float) -> Floats:
    """Growth of the evidence a row (nats) at a rate, any shape, against a rate of ``disproved`` or more.

    Negative or zero from 0.869 times ``disproved`` on (at 1.5 %): such a scope does not return.

    >>> recovery_growth(np.array([0.004]), 0.015).round(6).tolist()
    [0.005766]
    """
    lower = np.array(RECOVERY_RATIOS)
    ones, zeros = np.log(lower), np.log1p(-lower * disproved) - np.log1p(-disproved)
    return np.asarray((np.multiply.outer(rate, ones) + np.multiply.outer(1 - rate, zeros)).max(axis=-1))


def mean_recovery_growth(mean: Floats, variance: float, disproved: float, bound: float) -> Floats:
    """Growth of the evidence a row (nats), to second order, that a mean lies within ``disproved``; ``mean`` is its
    distance from 0 on the side that is harder to disprove.

    ``variance`` is that of a row; values lie within ``bound``.
    """
    bets, room = LARGEST_BET / (bound + disproved) * np.array(BETS), disproved - mean
    return np.asarray((np.multiply.outer(room, bets) - np.multiply.outer(variance + room**2, bets**2 / 2)).max(axis=-1))


def project(missing: float, growth: Floats, rows_per_second: float) -> Outlook:
    """Project a return from the missing evidence (nats), its growth a row (3,) at the rate, at the upper end of its
    interval and at the lower one, and own rows a second (0: not known).

    >>> project(2.0, np.array([0.01, -0.1, 0.02]), 0.1).seconds
    2000.0
    """
    needed = np.where(growth > 0, max(missing, 0.0) / np.where(growth > 0, growth, 1.0), np.inf)
    rows, at_upper, at_lower = needed.tolist()
    pace = rows_per_second if rows_per_second > 0 else float("nan")
    return Outlook(rows, at_upper, rows / pace, at_upper / pace, never=bool(np.isinf(at_lower)))
