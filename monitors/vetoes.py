"""Labels in the fold: when their veto begins and falls, and the sums of reliability curves."""

from dataclasses import replace

import numpy as np

from tightrope.monitors import observations
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Bools, Comparisons, Floats, Ints, Stream
from tightrope.monitors.reliability.curve_sums import CurveSums
from tightrope.monitors.scopes import with_model_scope
from tightrope.monitors.ticks import BlockView
from tightrope.monitors.veto.drawing import awaits_label
from tightrope.monitors.veto.wealth import LabelledSteps, Veto, log_gains

WARNED = "accuracy or excess risk warns"
"""The cause of the fall of a veto."""


def veto_rules(plan: Plan) -> tuple[int, int] | None:
    """The indices of the monitors of disagreement and accuracy; None where labels cannot show what a veto takes: a
    loss that is no count of rows with another class, or rows in lanes.
    """
    index = {rule.monitor.name: number for number, rule in enumerate(plan.rules)}
    rates, gaps = index.get("disagreement"), index.get("accuracy")
    if not plan.label_horizon or rates is None or gaps is None or plan.rules[rates].lanes > 1:
        return None
    return (rates, gaps) if plan.rules[rates].monitor.observe is observations.disagreement else None


def veto_change(plan: Plan, state: State, view: BlockView, stream: Stream, ends: Floats) -> int | None:
    """Return the first tick, of those that end at event times ``ends``, after which a veto may begin or fall."""
    if veto_rules(plan) is None:
        return None
    if stream is Stream.LABELS:
        return 0
    if not state.veto.active.any():
        return None
    stale = ends - np.min(state.veto.newest, where=state.veto.active, initial=np.inf) > plan.label_horizon
    waiting = state.veto.waiting + np.cumsum(_drawn(plan, view), axis=0)
    falls = stale | (state.veto.active & ~state.veto.proven_with(waiting)).any(axis=1)
    return int(falls.argmax()) if falls.any() else None


def with_labels(
    plan: Plan, before: State, state: State, view: BlockView, stream: Stream, ticks: int, time: float
) -> State:
    """Return the state with what the first ``ticks`` ticks of ``view`` show of labels, as `veto_after`."""
    state = replace(state, veto=veto_after(plan, before, state, view, stream, ticks, time))
    return replace(state, curves=_curves_after(plan, before, view, ticks)) if stream is Stream.LABELS else state


def _curves_after(plan: Plan, before: State, view: BlockView, ticks: int) -> CurveSums:
    """The sums of reliability curves after ticks of labelled rows, in the unit of the state before them."""
    if plan.curves is None:
        return before.curves
    own = slice(view.block.rows_of(ticks))
    rows, step = view.rows.take(own), plan.unit.in_tick(view.rows, view.requests)[own]
    dependent = plan.unit.is_window(warned=before.dependence.warned) or any(rule.lanes > 1 for rule in plan.rules)
    sizes = view.block.sizes[:ticks]
    return before.curves.after(plan.curves, rows, view.counted[own], step, sizes, dependent=dependent)


def veto_after(
    plan: Plan, before: State, state: State, view: BlockView, stream: Stream, ticks: int, time: float
) -> Veto:
    """The veto after the first ``ticks`` ticks of ``view``, which end at event ``time``: of compared rows, or one tick
    of labelled ones; in the unit of the state ``before`` them.
    """
    rules, veto = veto_rules(plan), before.veto
    if rules is None:
        return veto
    if plan.unit.is_window(warned=state.dependence.warned):
        return veto.without(np.ones(len(plan.scopes), dtype=bool), "rows depend on each other")
    veto = veto.without(veto.stale(time, plan.label_horizon), "no label has come within the horizon")
    if stream is Stream.COMPARISONS:
        return veto.with_drawn(_drawn(plan, view)[:ticks].sum(axis=0))
    veto = veto.after(*_veto_gains(plan, before, view, rules), time).settled()
    return veto.without(_warned(plan, state, rules[1]), WARNED) if veto.active.any() else veto


def _drawn(plan: Plan, view: BlockView) -> Ints:
    """The disagreements of each tick that are drawn for a label, by scope, (T, S)."""
    rows = view.rows
    drawn = rows.disagree & plan.label_draw.of_rows(rows).drawn & awaits_label(rows)
    starts = np.cumsum((0, *view.block.sizes[:-1]))
    return np.add.reduceat((drawn[:, None] & _member(plan, rows)).astype(np.int64), starts, axis=0)


def _member(plan: Plan, rows: Comparisons) -> Bools:
    """Mask the scopes that sample each row, in any mode, (n, S)."""
    return np.asarray(with_model_scope(rows.member) & (rows.draw[:, None] < plan.rates))


def _veto_gains(plan: Plan, state: State, view: BlockView, rules: tuple[int, int]) -> tuple[Floats, Ints, Ints]:
    """The log factors of the first tick of labelled rows, (S, K), the number of drawn disagreements that count, (S,),
    and that of all drawn ones, (S,).
    """
    rows, scopes = view.rows, range(len(plan.scopes))
    own = np.flatnonzero(observations.drawn_for_label(rows) & np.isfinite(rows.correct_baseline))
    own = own[own < view.block.rows_of(1)]
    shown = state.estimates.intervals(plan.rules, [(rules[0], 0, scope) for scope in scopes])
    upper = np.array([1.0 if now is None else now.upper for now in shown.values()])
    tolerated = np.minimum(plan.rules[rules[1]].limits / upper, 1.0)
    counted = view.counted[own]
    sizes = np.nan_to_num(rows.request_rows[own]).reshape(counted.shape)  # records without drawn rows lack the column
    weight = counted / np.maximum(sizes, 1.0)
    weight *= (plan.label_draw.least / rows.inclusion[own])[:, None]
    step = plan.unit.in_tick(rows, view.requests)[own]
    z = (rows.correct_baseline - rows.correct_compressed)[own]
    answered = _member(plan, rows)[own].sum(axis=0)
    return log_gains(LabelledSteps(step, view.requests[own], z, weight), tolerated), counted.sum(axis=0), answered


def _warned(plan: Plan, state: State, accuracy: int) -> Bools:
    """Mask the scopes, (S,), in which accuracy warns, and the model where excess risk does."""
    standings, warned = state.estimates.standings(plan.rules, ahead=False), np.zeros(len(plan.scopes), dtype=bool)
    for index, (rule, cells) in enumerate(zip(plan.rules, state.cells, strict=True)):
        if index == accuracy or rule.monitor.name == "excess_risk":
            near = (rule.alarm.evidence(cells.log_mass) >= plan.budget.threshold).any(axis=0)
            warned[: len(rule.limits)] |= cells.tripped.any(axis=0) | near
            warned[np.flatnonzero(rule.watched)] |= standings[index].beyond.any(axis=0)
    return warned
