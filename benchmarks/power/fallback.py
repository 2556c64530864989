"""The demo's rows judged by the product itself, where the baseline answers a scope that trips."""

from dataclasses import dataclass, fields

import numpy as np

from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from benchmarks.power.traffic import DemoCase
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import Comparisons
from tightrope.monitors.watch import step

ROWS_A_SECOND = 100.0
"""Event time of the rows: fast enough that ticks are full."""


@dataclass(frozen=True, slots=True)
class ModeChange:
    """A scope's change of the answering model, and the row after which it happened."""

    scope: str
    state: str
    row: int


def mode_changes(case: DemoCase) -> list[ModeChange]:
    """The mode changes that the judge makes, with the disagreement monitor only and every row sampled."""
    budget, monitor = Budget(SAMPLES_PER_FALSE_ALARM), MonitorSpec(CATALOGUE["disagreement"], ("",), case.limits)
    plan = Plan(
        model=case.compressed,
        baseline_digest="b",
        compressed_digest="c",
        scopes=case.rows.scopes,
        rates=np.ones(len(case.rows.scopes)),
        rules=build_rules([monitor], recovery_ratio=0.75),
        budget=budget,
    )
    _, transitions = step(plan, initial_state(plan), _comparisons(case, plan))
    return [
        ModeChange(transition.scope, transition.after.state.value, round(transition.time * ROWS_A_SECOND) + 1)
        for transition in transitions
        if transition.moved
    ]


def _comparisons(case: DemoCase, plan: Plan) -> Comparisons:
    rows = len(case.rows.member)
    order, unknown = np.arange(rows), np.full(rows, np.nan)
    return Comparisons(
        model=plan.model,
        baseline_digest=plan.baseline_digest,
        compressed_digest=plan.compressed_digest,
        log="demo",
        scopes=plan.scopes[1:],
        partition=np.zeros(rows, dtype=np.int64),
        offset=order,
        time=order / ROWS_A_SECOND,
        request_id=tuple(map(str, order)),
        served_by_baseline=np.zeros(rows, dtype=bool),
        member=case.rows.member[:, 1:],
        draw=np.zeros(rows),
        inclusion=np.ones(rows),
        twin=np.zeros(rows, dtype=np.uint64),
        seconds=np.zeros(rows),
        self_disagree=unknown,
        correct_baseline=unknown,
        correct_compressed=unknown,
        **{field.name: getattr(case.paired, field.name) for field in fields(case.paired)},
    )
