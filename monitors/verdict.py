"""Outcomes of verdicts: a pass takes enough rows that a real harm would have raised the alarm."""

import numpy as np

from tightrope.monitors.detector import BETS, HIGHEST_RATE, LARGEST_BET, divergence
from tightrope.monitors.records import Floats, Outcome

HARM_FACTOR = 3.0
"""A cell can pass once an excess of three times its limit would have raised the alarm, on average."""


def rows_to_see_rate(limit: Floats, log_budget: Floats) -> Floats:
    """Own rows after which a rate of `HARM_FACTOR` times the limit alarms: ln(A KL) / KL.

    The rule is within about 15 % of simulations.
    """
    information = divergence(np.minimum(HARM_FACTOR * limit, HIGHEST_RATE), limit)
    return np.asarray((log_budget + np.log(information)) / information)


def rows_to_see_mean(tolerance: Floats, bound: float, log_budget: Floats) -> Floats:
    """Own rows after which a constant, noiseless difference of `HARM_FACTOR` times the tolerance alarms."""
    gain = (np.minimum(HARM_FACTOR * tolerance, bound) - tolerance) * LARGEST_BET * max(BETS) / (bound + tolerance)
    return np.asarray(log_budget / np.log1p(gain))


def decide_outcome(*, breached: bool, faulty: bool, count: int, needed: float) -> Outcome:
    """Decide the outcome: a breach outweighs an error, an error outweighs a lack of rows, the rest is a pass."""
    if breached:
        return Outcome.BREACH
    if faulty:
        return Outcome.ERROR
    return Outcome.PASS if count >= needed else Outcome.INSUFFICIENT
