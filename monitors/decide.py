"""From evidence to inputs of the safe-mode table, and from the table back to the detectors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np

from tightrope.monitors import detector_bank as cell
from tightrope.monitors import safemode
from tightrope.monitors.detector import LN10
from tightrope.monitors.detector_bank import Course
from tightrope.monitors.plan import Plan, State, Transition, adopt
from tightrope.monitors.records import Bools, Comparisons, Floats, Order, Stream
from tightrope.monitors.safemode import Input, Mode

WARNING = float(np.log(100.0))
"""A monitor within a factor of a hundred of its budget stands in the way of a return."""


LATCHED = "; latched: it came back and failed too often, and stays with the baseline until a person releases it"
"""What is added to the reason of the breach that ends the coming and going."""


class UnknownScopeError(ValueError):
    """An order names a scope that the model does not have."""


class UnknownOrderError(ValueError):
    """An order is none that an operator can give."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Where an input comes from: its event time (s), who, why, and the rows that the decision was made at, if any."""

    time: float
    actor: str = "judge"
    reason: str = ""
    rows: Comparisons | None = None


def decide(plan: Plan, state: State, rows: Comparisons) -> tuple[State, list[Transition]]:
    """At the end of a tick: dwells that are over, breaches (subgroups before the model), returns."""
    cause = Cause(time=float(rows.time[-1]), rows=rows)
    made: list[Transition] = []
    for scope, mode in enumerate(state.modes):
        if mode.dwelling and cause.time - mode.since >= plan.policy.min_dwell:
            state = _take(plan, state, scope, Input.DWELL_ELAPSED, cause, made)
    for scope in _breached(plan, state):
        # Subgroups that leave now take their rows along: the model as a whole is asked again at the next tick.
        if scope or not any(transition.moved for transition in made):
            state = _take(plan, state, scope, Input.BREACH, cause, made)
    for scope, mode in enumerate(state.modes):
        if _may_return(mode) and _recovered(plan, state, scope).all():
            state = _take(plan, state, scope, Input.RECOVERED, cause, made)
    return state, made


def order(plan: Plan, state: State, given: Order) -> tuple[State, Transition]:
    """An operator's order.

    Raises:
        UnknownScopeError: when the model has no such scope.
        UnknownOrderError: when it is no order but, say, a return, which takes evidence.
        IllegalTransitionError: when the table has no row for it.
    """
    if given.scope not in plan.scopes:
        raise UnknownScopeError(f"model {plan.model} has no scope {given.scope!r}; it has {', '.join(plan.scopes)}")
    if given.order not in safemode.ORDERS:
        raise UnknownOrderError(f"{given.order!r} is no order; there are {', '.join(safemode.ORDERS)}")
    made: list[Transition] = []
    cause = Cause(given.time, given.actor, given.reason)
    return _take(plan, state, plan.scopes.index(given.scope), Input(given.order), cause, made), made[0]


def first_decision(plan: Plan, state: State, courses: Sequence[Course | None], ends: Floats) -> int | None:
    """The first of T ticks, ending at ``ends`` (T,) in event time, at which `decide` would do something."""
    due = np.zeros(len(ends), dtype=bool)
    for mode in state.modes:
        if mode.dwelling:
            due |= ends - mode.since >= plan.policy.min_dwell
    for rule, course in zip(plan.rules, courses, strict=True):
        # A mixture is no larger than its largest part: most of the time one look at that is enough.
        if course is not None and course.log_mass.max() >= plan.budget.threshold:
            due |= (rule.alarm.evidence(course.log_mass) >= plan.budget.threshold).any(axis=(1, 2))
    for scope, mode in enumerate(state.modes):
        if _may_return(mode):
            due |= _recovered(plan, state, scope, courses, len(ends))
    return int(due.argmax()) if due.any() else None


def _may_return(mode: Mode) -> bool:
    return mode.state is safemode.State.SAFE and not mode.held and not mode.dwelling


def blinded(plan: Plan, state: State, cause: Cause) -> tuple[State, list[Transition]]:
    """The model as a whole, once nobody knows whether it is safe."""
    made: list[Transition] = []
    return _take(plan, state, 0, Input.BLIND, cause, made), made


def deploy(plan: Plan, old: State, cause: Cause) -> tuple[State, list[Transition]]:
    """A stored state under the plan of today: where an artefact is another, every scope is told so."""
    state = adopt(plan, old)
    same = (old.baseline_digest, old.compressed_digest) == (plan.baseline_digest, plan.compressed_digest)
    made: list[Transition] = []
    for scope in () if same else range(len(plan.scopes)):
        state = _take(plan, state, scope, Input.NEW_ARTEFACT, cause, made)
    trial = np.array([mode.trial for mode in state.modes])
    if old.digest != plan.digest:  # evidence starts anew, and a trial with the wealth that it never gets more of
        state = replace(state, cells=tuple(cell.try_again(cells, trial & cells.tripped) for cells in state.cells))
    return state, [transition for transition in made if transition.before.safe]


def _breached(plan: Plan, state: State) -> Sequence[int]:
    """Scopes with a monitor at or over the budget, subgroups first."""
    over = np.zeros(len(plan.scopes), dtype=bool)
    for rule, cells in zip(plan.rules, state.cells, strict=True):
        over |= (rule.alarm.evidence(cells.log_mass) >= plan.budget.threshold).any(axis=0)
    return [int(scope) for scope in np.roll(np.arange(len(over)), -1) if over[scope]]


def _recovered(plan: Plan, state: State, scope: int, courses: Sequence[Course | None] = (), ticks: int = 1) -> Bools:
    """At which ticks every cell that tripped has disproved the harm, and no other one is near an alarm, (T,)."""
    asked = np.log(safemode.recovery_samples(state.modes[scope], plan.policy))
    good = np.ones(ticks, dtype=bool)
    for rule, cells, course in zip_longest(plan.rules, state.cells, courses):
        log_mass = cells.log_mass[None] if course is None else course.log_mass
        recovery = cells.recovery[None] if course is None else course.recovery
        quiet = rule.alarm.evidence(log_mass)[:, :, scope] < plan.budget.threshold - WARNING
        back = rule.recovery.evidence(recovery)[:, :, scope] >= asked
        good &= np.where(cells.tripped[:, scope], back, quiet).all(axis=1)
    return good


def _take(plan: Plan, state: State, scope: int, what: Input, cause: Cause, made: list[Transition]) -> State:
    """Put one input to the table for one scope, note what came of it, and restart the detectors that it ends."""
    before = state.modes[scope]
    after = safemode.apply(before, what, cause.time, plan.policy)
    here = np.arange(len(plan.scopes)) == scope
    returned = here & (before.safe and not after.safe)
    left = scope > 0 and after.safe and not before.safe and not state.modes[0].safe
    # A subgroup that leaves takes its rows along: what the model's cells made of them says nothing about the rest.
    ended = returned | (left & (np.arange(len(plan.scopes)) == 0))
    monitors, changed = [], []
    for rule, cells in zip(plan.rules, state.cells, strict=True):
        over = here & (rule.alarm.evidence(cells.log_mass) >= plan.budget.threshold) & (what is Input.BREACH)
        if over.any() or (what is Input.RECOVERED and cells.tripped[:, scope].any()):
            monitors.append(_evidence(plan, rule, cells, scope))
        over = rule.with_lanes(over)
        tripped = (cells.tripped | (over & after.safe)) & ~returned
        started = cell.restart(cells, over | ended)
        changed.append(replace(cell.try_again(started, over) if after.trial else started, tripped=tripped))
    reason = cause.reason or _reason(what, monitors)
    if after.state is safemode.State.LATCHED and before.state is not after.state:
        reason += LATCHED
    evidence = {"monitors": monitors, **_where(plan, state, cause.rows)}
    made.append(Transition(plan.scopes[scope], what, before, after, cause.time, cause.actor, reason, evidence))
    modes = (*state.modes[:scope], after, *state.modes[scope + 1 :])
    return replace(state, modes=modes, epoch=state.epoch + (after != before), cells=tuple(changed))


def _evidence(plan: Plan, rule: cell.Rule, cells: cell.Cells, scope: int) -> dict[str, object]:
    """One monitor's case: evidence as log10, with the path that led there; of its variants the one that says most."""
    evidence = rule.alarm.evidence(cells.log_mass)[:, scope]
    worst = int(evidence.argmax())
    rows, mean = cell.recent(cells, worst, scope)
    return {
        "monitor": rule.question.name,
        "variant": rule.name_of(worst),
        "evidence": _log10(evidence[worst]),
        "threshold": plan.budget.threshold / LN10,
        "recovery": _log10(cell.disproved(rule, cells)[scope]),
        "limit": float(rule.limits[scope]),
        "count": int(cells.count[worst, scope]),
        "recent_count": rows,
        "recent_mean": mean,
        "path": [round(float(value) / LN10, 3) for value in cells.path[worst, scope, :, 0] if np.isfinite(value)],
    }


def _log10(log_mass: float) -> float | None:
    """None where there is no evidence at all: minus infinity has no form in JSON."""
    return float(log_mass) / LN10 if np.isfinite(log_mass) else None


def _reason(what: Input, monitors: Sequence[dict[str, object]]) -> str:
    if what is Input.DWELL_ELAPSED:
        return "the minimum dwell is over"
    seen = "{monitor}{of} {recent_mean:.3f} over the last {recent_count} rows, limit {limit:g}"
    unseen = "{monitor}{of} not heard of lately, limit {limit:g}"
    named = [{**monitor, "of": f" of {monitor['variant']}" if monitor["variant"] else ""} for monitor in monitors]
    return "; ".join((seen if monitor["recent_count"] else unseen).format(**monitor) for monitor in named)


def _where(plan: Plan, state: State, rows: Comparisons | None) -> dict[str, object]:
    """What makes a decision repeatable: the pair, the configuration, the rows."""
    pair = {"baseline_digest": plan.baseline_digest, "compressed_digest": plan.compressed_digest}
    known: dict[str, object] = {
        **pair,
        "plan_digest": plan.digest,
        "armed": plan.armed,
        "samples": state.seen[Stream.COMPARISONS],
        "labels": state.seen[Stream.LABELS],
        "log": state.log,
    }
    if rows is None or not len(rows):
        return known
    first, last = ({"partition": int(rows.partition[i]), "offset": int(rows.offset[i])} for i in (0, -1))
    return {**known, "first": first, "last": last, "request_id": rows.request_id[-1]}
