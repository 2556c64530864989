"""The plan with the scopes that were added while it runs, and rows with their membership in these."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from tightrope.monitors.added_scopes.added_scope import AddedScope
from tightrope.monitors.budget import build_rules
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Bools, Comparisons, Features


def judged_plan(plan: Plan, state: State) -> Plan:
    """Return the plan by which a state is judged: with the scopes that were added to it.

    A scope is left out that the plan declares itself, or whose columns or subgroups it no longer has.

    >>> from tightrope.monitors.plan import initial_state
    >>> plan = Plan("m", "b", "c", ("model",), np.ones(1), rules=())
    >>> judged_plan(plan, initial_state(plan)) is plan
    True
    """
    return with_added(plan, state.added)


def with_added(plan: Plan, added: Sequence[AddedScope]) -> Plan:
    """Return the plan with these added scopes and no others."""
    base = plan.base or plan
    usable = tuple(each for each in added if _fits(base, each))
    return plan if usable == plan.added else _extended(base, usable) if usable else base


def fitted_rows(plan: Plan, rows: Comparisons, *, new: bool) -> Comparisons:
    """Return rows with the scopes of a plan, if they have its declared ones.

    In a scope that they lack, ``new`` rows are by their values, others are not: they came before it was added.
    """
    declared = plan.declared
    if rows.scopes == plan.scopes[1:] or rows.scopes[: len(declared)] != declared:
        return rows
    own, values = rows.member[:, : len(declared)], rows.features
    columns = [
        rows.member[:, rows.scopes.index(each.scope)]
        if each.scope in rows.scopes
        else _members(plan, each, values, own) & new
        for each in plan.added
    ]
    return replace(rows, scopes=plan.scopes[1:], member=np.column_stack([own, *columns]))


@lru_cache(maxsize=16)
def _extended(base: Plan, added: tuple[AddedScope, ...]) -> Plan:
    specs = [spec.with_added(len(added)) for spec in base.specs if spec.monitor.name in base.monitors]
    return replace(
        base,
        scopes=(*base.scopes, *(each.scope for each in added)),
        rates=np.append(base.rates, np.full(len(added), base.rates[0])),
        rules=build_rules(specs, base.policy.recovery_ratio),
        added=added,
        base=base,
    )


def _fits(base: Plan, added: AddedScope) -> bool:
    columns = {(column.input, column.index) for column in _columns(base) if column.searched}
    has_columns = all((each.input, each.index) in columns for each in added.ranges)
    return has_columns and added.scope not in base.scopes and {*added.within} <= {*base.scopes}


def _columns(plan: Plan) -> tuple[InputColumn, ...]:
    return plan.search.columns if plan.search else ()


def _members(plan: Plan, added: AddedScope, features: Features, member: Bools) -> Bools:
    """The rows (n,) of an added scope; none where the record does not have the input columns."""
    numbers = {(column.input, column.index): number for number, column in enumerate(_columns(plan))}
    if features.shape[1] != len(numbers):
        features = np.full((len(member), len(numbers)), np.nan, np.float32)
    own = [numbers[each.input, each.index] for each in added.ranges]
    return added.members(features[:, own], member, plan.declared)
