"""The plan with what was added and learned while it runs: scopes, with the membership of rows in them, and the margin
of clear rows.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from tightrope.monitors.added_scopes.added_scope import AddedScope
from tightrope.monitors.added_scopes.host_scopes import MAX_HOST_SCOPES, host_members
from tightrope.monitors.budget import build_rules
from tightrope.monitors.catalogue import ADDED_SHARE, HOST_SHARE
from tightrope.monitors.clear_rows.clear_margin import ClearDisagreement
from tightrope.monitors.definitions.clear_monitor import clear_above, learns_margin
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.intake.hosts import compressed_hosts
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Bools, Comparisons


def judged_plan(plan: Plan, state: State) -> Plan:
    """Return the plan by which a state is judged: with the scopes that were added to it, and the margin it has learned.

    A scope is left out that the plan declares itself, or whose columns or subgroups it no longer has.

    >>> from tightrope.monitors.plan import initial_state
    >>> plan = Plan("m", "b", "c", ("model",), np.ones(1), rules=())
    >>> judged_plan(plan, initial_state(plan)) is plan
    True
    """
    base = plan.base or plan
    margin = state.margin.margin if state.digest == base.digest and _learns(base) else None
    usable = tuple(each for each in state.added if _fits(base, each))
    return plan if (usable, margin) == (plan.added, _learned(plan)) else _extended(base, usable, margin)


def with_added(plan: Plan, added: Sequence[AddedScope]) -> Plan:
    """Return the plan with these added scopes and no others."""
    base = plan.base or plan
    usable = tuple(each for each in added if _fits(base, each))
    return plan if usable == plan.added else _extended(base, usable, _learned(plan))


def with_margin(plan: Plan, margin: float | None) -> Plan:
    """Return the plan with the margin of clear rows, if it does not know it itself."""
    base = plan.base or plan
    return _extended(base, plan.added, margin) if _learns(base) else plan


def fitted_rows(plan: Plan, rows: Comparisons, *, new: bool) -> Comparisons:
    """Return rows with the scopes of a plan, if they have its declared ones.

    In a scope that they lack, ``new`` rows are by their values, others are not: they came before it was added.
    """
    declared = plan.declared
    if rows.scopes == plan.scopes[1:] or rows.scopes[: len(declared)] != declared:
        return rows
    own = rows.member[:, : len(declared)]
    columns = [
        rows.member[:, rows.scopes.index(each.scope)] if each.scope in rows.scopes else _members(plan, each, rows) & new
        for each in plan.added
    ]
    return replace(rows, scopes=plan.scopes[1:], member=np.column_stack([own, *columns]))


@lru_cache(maxsize=16)
def _extended(base: Plan, added: tuple[AddedScope, ...], margin: float | None) -> Plan:
    if not added and margin is None:
        return base
    rules = base.rules
    if added:
        shares = [HOST_SHARE / (MAX_HOST_SCOPES + 1) if each.is_host else ADDED_SHARE for each in added]
        specs = [spec.with_added(shares) for spec in base.specs if spec.monitor.name in base.monitors]
        rules = build_rules(specs, base.policy.recovery_ratio)
    if margin is not None:
        rules = tuple(replace(each, monitor=clear_above(each.monitor, margin)) for each in rules)
    return replace(
        base,
        scopes=(*base.scopes, *(each.scope for each in added)),
        rates=np.append(base.rates, np.full(len(added), base.rates[0])),
        rules=rules,
        added=added,
        base=base,
    )


@lru_cache(maxsize=16)
def _learns(base: Plan) -> bool:
    return learns_margin(rule.monitor for rule in base.rules)


def _learned(plan: Plan) -> float | None:
    """The margin that was learned for a plan; None for one that knows it itself."""
    if plan.base is None or not _learns(plan.base):
        return None
    observed = [rule.monitor.observe for rule in plan.rules]
    return next(each.margin for each in observed if isinstance(each, ClearDisagreement))


def _fits(base: Plan, added: AddedScope) -> bool:
    columns = {(column.input, column.index) for column in _columns(base) if column.searched}
    has_columns = all((each.input, each.index) in columns for each in added.ranges)
    return has_columns and added.scope not in base.scopes and {*added.within} <= {*base.scopes}


def _columns(plan: Plan) -> tuple[InputColumn, ...]:
    return plan.search.columns if plan.search else ()


def _members(plan: Plan, added: AddedScope, rows: Comparisons) -> Bools:
    """The rows (n,) of an added scope; none where the record does not have the input columns."""
    if added.is_host:
        return host_members(added.scope, compressed_hosts(rows), plan.added)
    features, member = rows.features, rows.member[:, : len(plan.declared)]
    numbers = {(column.input, column.index): number for number, column in enumerate(_columns(plan))}
    if features.shape[1] != len(numbers):
        features = np.full((len(member), len(numbers)), np.nan, np.float32)
    own = [numbers[each.input, each.index] for each in added.ranges]
    return added.members(features[:, own], member, plan.declared)
