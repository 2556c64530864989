"""Compared rows with their labels, folded as a round of the judge folds them: for tests of labelled disagreements."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from tests.support.judgement.comparisons import RowSource, make_plan, monitor_specs
from tightrope.monitors import watch
from tightrope.monitors.budget import build_rules
from tightrope.monitors.label_join import count_agreed, is_usable, labelled_comparisons, rows_awaiting_labels
from tightrope.monitors.label_records import Label, PendingRow
from tightrope.monitors.plan import Plan, State, Transition
from tightrope.monitors.records import Comparisons, Stream
from tightrope.monitors.veto.drawing import LabelDraw


def drawn_plan(probability: float, **changes: object) -> Plan:
    """A plan of disagreement and accuracy without subgroups, with labels for a share of the disagreements."""
    specs = monitor_specs("disagreement", "accuracy", scopes=())
    bounded = [replace(spec, bound=1 / probability) if spec.monitor.zeros else spec for spec in specs]
    plan = make_plan("disagreement", "accuracy", scopes=(), label_horizon=1e6, label_draw=LabelDraw(probability))
    return replace(plan, rules=build_rules(bounded, plan.policy.recovery_ratio), **changes)


def traffic(
    source: RowSource, rng: np.random.Generator, rows: int, rate: float, scopes: tuple[str, ...] = ()
) -> Comparisons:
    """Rows with a share of disagreements: the baseline says class 0 and the compressed model class 1 there."""
    disagree = rng.random(rows) < rate
    return source.rows(
        rows,
        scopes=scopes,
        disagree=disagree,
        top_baseline=0,
        top_compressed=disagree,
        confidence_baseline=0.9,
        confidence_compressed=0.8,
        draw=rng.random(rows),
    )


def hold(plan: Plan, state: State, rows: Comparisons) -> tuple[State, list[Transition], list[PendingRow]]:
    """Fold compared rows; returns those that wait for labels, too."""
    agreed, rest = count_agreed(plan, state.veto.agreed, rows, state.is_new(rows))
    held = list(rows_awaiting_labels(plan, rows, agreed))
    after, transitions = watch.step(plan, state, rows)
    return replace(after, veto=replace(after.veto, agreed=rest)), transitions, held


def label(
    plan: Plan, state: State, rows: Iterable[PendingRow], truth: Callable[[PendingRow], int], probability: float = 1.0
) -> tuple[State, list[Transition], int]:
    """Fold the labels of drawn rows, at the rows' times; returns the number of those that count, too."""
    labels = [(row, Label("m", row.request_id, row.row, truth(row), row.time, "", probability)) for row in rows]
    usable = [(row, one) for row, one in labels if is_usable(plan, row, one)]
    if not usable:
        return state, [], 0
    state, transitions = watch.step(plan, state, labelled_comparisons(plan, state.log, usable), Stream.LABELS)
    return state, transitions, len(usable)
