"""A plan with a search, rows in which a group is harmed, and the group as a scope."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from tests.support.judgement.comparisons import judge_rows, make_comparisons, make_plan, monitor_specs
from tightrope.monitors.added_scopes.added_scope import AddedScope, ColumnRange
from tightrope.monitors.budget import MonitorSpec, build_rules
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.hunter.lattice import build_lattice
from tightrope.monitors.hunter.search import SearchPlan
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Comparisons, Order

ROWS, SCOPES = 2_000, ("sex=f", "sex=m")
COLUMNS = tuple(InputColumn("x", index, f"column {index}") for index in range(2))
THREES = AddedScope("column_0=value_3", "column 0 = 3", (ColumnRange("x", 0, 3.0, 3.0),), actor="ann", reason="why")
HALF = AddedScope("column_1+sex=value_2+f", "column 1 = 2 and sex: f", (ColumnRange("x", 1, 2.0, 2.0),), ("sex=f",))


MONITORS = ("disagreement", "confidence", "confidence_shape", "class_miss", "accuracy")
LIMITS = {"disagreement": 0.1, "class_miss": 0.3}


def searched_plan(*monitors: str, arms: bool = False, **changes: Any) -> Plan:  # noqa: ANN401 - any field of a plan
    """A plan of these monitors with a search of two columns; the model and its subgroups stay below their limits."""
    search = replace(_search(), arms=arms)
    specs = [_with_limit(spec) for spec in monitor_specs(*(monitors or MONITORS), scopes=SCOPES)]
    plan = make_plan(scopes=SCOPES, tick_rows=64, search=search, specs=tuple(specs))
    return replace(plan, **{"rules": build_rules(specs, plan.policy.recovery_ratio), **changes})


@cache
def _search() -> SearchPlan:
    """The search, with a lattice of made-up rows."""
    search, rng = SearchPlan(COLUMNS, SCOPES, 0.1), np.random.default_rng(9)
    member, codes = rng.random(4_000) < 0.5, rng.integers(0, 6, (4_000, 2))
    vectors = np.column_stack([codes, np.full((4_000, 2), np.nan), member, ~member]).astype(np.float64)
    return replace(search, reference=build_lattice(search.layout, vectors, np.full(4_000, np.nan), 0.1))


def _with_limit(spec: MonitorSpec) -> MonitorSpec:
    limit = LIMITS.get(spec.monitor.name)
    return spec if limit is None else replace(spec, limits=np.full(len(spec.limits), limit), subgroup_limit=limit)


def searched_rows(seed: int, harm: float = 0.4, first: int = 0, rows: int = ROWS) -> Comparisons:
    """Rows of random codes; those with a 3 in column 0 differ often."""
    rng = np.random.default_rng(seed)
    features, member = rng.integers(0, 6, (rows, 2)), rng.random(rows) < 0.5
    top = rng.integers(0, 2, rows)
    disagree = rng.random(rows) < np.where(features[:, 0] == 3, harm, 0.005)
    return make_comparisons(
        rows,
        scopes=SCOPES,
        offset=first + np.arange(rows),
        time=first + np.arange(rows),
        features=features,
        member=np.column_stack([member, ~member]),
        disagree=disagree,
        top_baseline=top,
        top_compressed=np.where(disagree, 1 - top, top),
        confidence_baseline=rng.uniform(0.5, 1, rows),
        confidence_compressed=rng.uniform(0.5, 1, rows),
    )


def found_state(plan: Plan) -> State:
    """The state after rows in which the search has found the group of threes."""
    state, _ = judge_rows(plan, searched_rows(0))
    assert state.search.findings
    return state


def group_order(order: str, scope: str = THREES.scope) -> Order:
    """An order about a found group."""
    return Order(f"o-{order}", 5.0, "m", scope, order, "ann", "incident 7")
