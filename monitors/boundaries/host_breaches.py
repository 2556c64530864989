"""A breach of the model as a whole that comes from one class of hosts: then only that class falls back.

How it works. A class that serves much of the traffic takes the model over its limit before its own cells, which have
less of the alarm budget, can speak. If without the latest rows of that class every monitor that alarms for the model
lies well within its limit, or nearly all of what it counts is of that class, the breach is that class's. If this is
wrong, the model's evidence starts anew without these rows, and it breaches soon after.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from tightrope.monitors.added_scopes.host_scopes import scope_of_host
from tightrope.monitors.detector_bank import Cells, Rule
from tightrope.monitors.history.retained import ScopeRecord
from tightrope.monitors.hunter.search import SEARCHED_MONITOR
from tightrope.monitors.intake.hosts import ONE_HOST_SHARE
from tightrope.monitors.migration import mark_harmed
from tightrope.monitors.plan import Plan, State, over_budget

MIN_SOURCE_ROWS = 16
"""The latest rows of a class, and of all others, below which they tell nothing."""


def with_source(plan: Plan, state: State, breached: Sequence[int]) -> tuple[State, Sequence[int], dict[int, str]]:
    """Return the breached scopes with a class of hosts in the place of the model, if the breach is its own, and the
    reason by its index; in the state it has to disprove the model's monitors.
    """
    names = {each.scope for each in plan.added if each.is_host}
    hosts = [index for index, scope in enumerate(plan.scopes) if scope in names]
    if 0 not in breached or not hosts or {*breached} & {*hosts}:
        return state, breached, {}
    over = list(_over(plan, state))
    for host in hosts:
        reasons = [_host_reason(plan, state, rule, cells, variant, host) for rule, cells, variant in over]
        if reasons and all(reasons) and not state.modes[host].apart:
            record = ScopeRecord(monitors=tuple(dict.fromkeys(rule.monitor.name for rule, _, _ in over)))
            others = [scope for scope in breached if scope]
            return mark_harmed(state, host, record), [*others, host], {host: "; ".join(reasons)}
    return state, breached, {}


def _over(plan: Plan, state: State) -> Iterator[tuple[Rule, Cells, int]]:
    """The cells of the model that are over the budget, of monitors that watch subgroups: rule, cells and variant."""
    for rule, cells in zip(plan.rules, state.cells, strict=True):
        if len(rule.limits) > 1:
            for variant in np.flatnonzero(over_budget(plan, state, rule, cells.log_mass)[:, 0]).tolist():
                yield rule, cells, variant


def _host_reason(plan: Plan, state: State, rule: Rule, cells: Cells, variant: int, host: int) -> str:
    """The reason for which a cell of the model alarms because of one class of hosts; empty if it does not."""
    known = cells.path[variant, host, :, 1] > 0
    (rows, total), (own, part) = (cells.path[variant, scope, known, 1:].sum(axis=0).tolist() for scope in (0, host))
    others, remaining = rows - own, total - part
    if min(own, others) < MIN_SOURCE_ROWS and rule.monitor.name == SEARCHED_MONITOR:
        (own, part), (others, remaining) = _since_the_start(plan, state, host)  # a new class has few rows, all latest
        rows, total = own + others, part + remaining
    if min(own, others) < MIN_SOURCE_ROWS:
        return ""
    limit, other_mean, mean = float(rule.cell_limits[variant, 0]), remaining / others, part / own
    is_source = own < ONE_HOST_SHARE * rows and abs(part) >= ONE_HOST_SHARE * abs(total)
    if abs(mean) <= limit or not (is_source or abs(other_mean) <= plan.policy.recovery_ratio * limit):
        return ""
    return (
        f"{rule.monitor.name}: {mean:.3g} in the latest {own:,.0f} rows of this class of hosts takes the model over "
        f"{limit:g}; {other_mean:.3g} in {others:,.0f} rows of all others"
    )


def _since_the_start(plan: Plan, state: State, host: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """All rows of the model that ran on a class of hosts, and how many of them differ; and those of other classes."""
    sums = np.zeros((2, 2))
    for name, rows in state.hosts.items():
        if name:
            sums[int(scope_of_host(name, plan.added) != plan.scopes[host])] += rows[0]
    (own, part), (others, remaining) = sums.tolist()
    return (own, part), (others, remaining)
