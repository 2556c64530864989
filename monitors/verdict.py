"""Verdicts and their outcomes: a pass takes enough rows that a real harm would have raised the alarm."""

from dataclasses import dataclass

import numpy as np

from tightrope.monitors.detector import BETS, HIGHEST_RATE, LARGEST_BET, divergence
from tightrope.monitors.records import Floats, Outcome

HARM_FACTOR = 3.0
"""A cell can pass once an excess of three times its limit would have raised the alarm, on average."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one monitor in one scope, with its evidence so far.

    ``count`` is the number of rows observed since the detector last started, ``needed`` the number that a pass takes,
    ``mean`` their mean and ``recent`` that of the latest ticks. ``evidence`` and ``threshold`` are log10 of the
    e-detector and of the samples that one false alarm is budgeted for; ``recovery`` and ``recovery_threshold`` likewise
    for the return, once the monitor has tripped its scope. ``errors`` counts the scope's rows that could not be
    compared. A monitor with several variants (classes, bins) reports the one with the most evidence. ``note`` explains
    why the result is not reliable, if so. ``coverage`` is set for label monitors: the labelled share of the rows that
    have their label or can no longer get one. ``refused_baseline`` and ``refused_compressed`` are set for monitors of
    refusals: the share of the scope's compared rows that either model refuses.

    >>> Verdict("model", "disagreement", Outcome.PASS, count=900, needed=640.0, mean=0.01, recent=0.01, limit=0.02,
    ...         evidence=0.3, threshold=8.5, recovery=None, recovery_threshold=5.0, errors=0).outcome
    <Outcome.PASS: 'pass'>
    """

    scope: str
    monitor: str
    outcome: Outcome
    count: int
    needed: float
    mean: float | None
    recent: float | None
    limit: float
    evidence: float
    threshold: float
    recovery: float | None
    recovery_threshold: float
    errors: int
    variant: str = ""
    note: str = ""
    coverage: float | None = None
    refused_baseline: float | None = None
    refused_compressed: float | None = None


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
