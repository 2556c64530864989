"""From evidence to a verdict. A pass is earned: it needs enough rows that a real harm would have been seen."""

import numpy as np

from tightrope.monitors.detector import BETS, HIGHEST_RATE, LARGEST_BET, divergence
from tightrope.monitors.records import Floats, Outcome

HARM = 3.0
"""A cell passes once an excess of three times its limit would have raised the alarm by now, on average."""


def rows_to_see_rate(limit: Floats, log_budget: Floats) -> Floats:
    """Own rows after which a rate of `HARM` times the limit alarms: ln(A KL) / KL, within about 15 % of simulations."""
    information = divergence(np.minimum(HARM * limit, HIGHEST_RATE), limit)
    return np.asarray((log_budget + np.log(information)) / information)


def rows_to_see_mean(tolerance: Floats, bound: float, log_budget: Floats) -> Floats:
    """Own rows after which a constant difference of `HARM` times the tolerance alarms: at the earliest, with no
    noise.
    """
    gain = (np.minimum(HARM * tolerance, bound) - tolerance) * LARGEST_BET * max(BETS) / (bound + tolerance)
    return np.asarray(log_budget / np.log1p(gain))


def outcome(*, breached: bool, faulty: bool, count: int, needed: float) -> Outcome:
    """A breach outweighs a failure to measure, which outweighs a lack of rows; only then is there a pass."""
    if breached:
        return Outcome.BREACH
    if faulty:
        return Outcome.ERROR
    return Outcome.PASS if count >= needed else Outcome.INSUFFICIENT
