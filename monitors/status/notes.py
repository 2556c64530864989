"""Notes on verdicts that are not reliable: a baseline that contradicts itself, and rows that say nothing."""

import numpy as np

from tightrope.monitors import observations
from tightrope.monitors.detector import divergence
from tightrope.monitors.detector_bank import PATH_TICKS, Cells, Rule
from tightrope.monitors.plan import Plan, State

NOISE_EVIDENCE_NATS = float(np.log(1000.0))
"""The evidence (nats) that the baseline contradicts itself too often: an error rate of one in a thousand."""


def noise_note(rule: Rule, state: State, scope: int) -> str:
    """Explain why a verdict is unreliable: the baseline contradicts itself more often than the limit tolerates.

    By the Chernoff bound, which holds for means of losses in [0, 1] as for rates: n KL(k/n || limit) exceeds the
    logarithm of a thousand.
    """
    if rule.monitor.name != "disagreement":
        return ""
    repeats, contradicted = int(state.noise[scope, 0]), float(state.noise[scope, 1])
    limit = float(rule.limits[scope])
    if not repeats or contradicted / repeats <= limit:
        return ""
    rate = min(contradicted / repeats, 1 - 1e-12)
    if repeats * float(divergence(rate, limit)) < NOISE_EVIDENCE_NATS:
        return ""
    return f"the baseline contradicts itself on {rate:.2%} of {repeats} rows: a limit of {limit:g} is below its noise"


def silence_note(plan: Plan, rule: Rule, cells: Cells, state: State, scope: int) -> str:
    """Tell where none of the model's latest rows speaks: such a kind would never alarm."""
    if scope or rule.monitor.observe is not observations.loss:
        return ""
    if any(mode.apart for mode in state.modes):  # then a tick without rows of the cell says nothing
        return ""
    if cells.pending[:, scope].min() < PATH_TICKS * plan.tick_rows:
        return ""
    return f"none of the rows of the last {PATH_TICKS} ticks has a loss that counts: a mask without places, or repeats?"
