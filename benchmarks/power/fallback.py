"""The demo's rows through the judge itself: what happens when a scope that trips is answered by the baseline."""

from dataclasses import dataclass, fields

import numpy as np

from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from benchmarks.power.traffic import Trial
from tightrope.monitors.budget import Ask, Budget, rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.plan import Plan, start
from tightrope.monitors.records import Comparisons
from tightrope.monitors.watch import step

ROWS_A_SECOND = 100.0
"""Of event time: fast enough that ticks are full."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A scope that went to the baseline, or came back, and the row after which it did."""

    scope: str
    state: str
    row: int


def moved(trial: Trial) -> list[Moved]:
    """What the judge does, asked for disagreement only, with every row sampled."""
    budget, ask = Budget(SAMPLES_PER_FALSE_ALARM), Ask(CATALOGUE["disagreement"], ("",), trial.limits)
    plan = Plan(
        model=trial.compressed,
        baseline_digest="b",
        compressed_digest="c",
        scopes=trial.rows.scopes,
        rates=np.ones(len(trial.rows.scopes)),
        rules=rules([ask], budget, recovery_ratio=0.75),
        budget=budget,
    )
    _, transitions = step(plan, start(plan), _comparisons(trial, plan))
    return [
        Moved(made.scope, made.after.state.value, round(made.time * ROWS_A_SECOND) + 1)
        for made in transitions
        if made.moved
    ]


def _comparisons(trial: Trial, plan: Plan) -> Comparisons:
    rows = len(trial.rows.member)
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
        member=trial.rows.member[:, 1:],
        draw=np.zeros(rows),
        inclusion=np.ones(rows),
        twin=np.zeros(rows, dtype=np.uint64),
        seconds=np.zeros(rows),
        self_disagree=unknown,
        correct_baseline=unknown,
        correct_compressed=unknown,
        **{field.name: getattr(trial.paired, field.name) for field in fields(trial.paired)},
    )
