"""The scopes whose evidence crossed the budget of alarms, and the ticks at which a scope has disproved its harm."""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from tightrope.monitors import safemode
from tightrope.monitors.detector_bank import Trajectory
from tightrope.monitors.plan import Plan, State, over_budget
from tightrope.monitors.records import Bools, Comparisons

RETURN_MARGIN_NATS = float(np.log(100.0))
"""A monitor within a factor of a hundred of its budget blocks a return."""


def breached_scopes(plan: Plan, state: State) -> Sequence[int]:
    """List the scopes with a monitor at or over the budget, subgroups first."""
    over = np.zeros(len(plan.scopes), dtype=bool)
    for rule, cells in zip(plan.rules, state.cells, strict=True):
        over[: len(rule.limits)] |= over_budget(plan, state, rule, cells.log_mass).any(axis=0)
    return [int(scope) for scope in np.roll(np.arange(len(over)), -1) if over[scope]]


def recovered_ticks(
    plan: Plan, state: State, scope: int, trajectories: Sequence[Trajectory | None] = (), ticks: int = 1
) -> Bools:
    """Mask the ticks (T,) at which every tripped cell has disproved the harm and no other cell is near an alarm; a veto
    of labels disproves a difference.

    A monitor that tripped the scope and was switched off cannot disprove it.
    """
    if plan.scopes[scope] in state.retained.disabled:
        return np.zeros(ticks, dtype=bool)
    required = np.log(safemode.recovery_samples(state.modes[scope], plan.policy))
    recovered, own = np.ones(ticks, dtype=bool), slice(scope, scope + 1)  # empty where a monitor has no such scope
    for rule, cells, trajectory in zip_longest(plan.rules, state.cells, trajectories):
        log_mass = cells.log_mass[None] if trajectory is None else trajectory.log_mass
        recovery = cells.recovery[None] if trajectory is None else trajectory.recovery
        quiet = rule.alarm.evidence(log_mass)[:, :, own] < plan.budget.threshold - RETURN_MARGIN_NATS
        back = rule.recovery.evidence(recovery)[:, :, own] >= required
        held_back = state.vetoed(rule)[own]
        recovered &= (np.where(cells.tripped[:, own], back, quiet) | held_back).all(axis=(1, 2))
    return recovered


def last_request(rows: Comparisons) -> dict[str, str]:
    """The request of the last row, at which a boundary was crossed: its id, and that of its trace if it has one."""
    trace = {"trace_id": str(rows.trace_id[-1])} if rows.trace_id[-1] else {}
    return {"request_id": rows.request_id[-1], **trace}
