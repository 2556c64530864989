"""Turn evidence into inputs of the safe-mode table, and the new modes into resets of the detectors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors import detector_bank, safemode
from tightrope.monitors.boundaries.asked_classes import extent_note, narrowed_classes
from tightrope.monitors.boundaries.crossings import breached_scopes, last_request, recovered_ticks
from tightrope.monitors.boundaries.host_breaches import with_source
from tightrope.monitors.detector_bank import Trajectory
from tightrope.monitors.elapsed import elapsed
from tightrope.monitors.intake.hosts import host_detail, one_host_note
from tightrope.monitors.intervals.cases import Case, make_case
from tightrope.monitors.intervals.estimates import Estimates
from tightrope.monitors.migration import add_orphan, harm_of_pair, mark_known_harm, migrate_state, remember_pair
from tightrope.monitors.plan import (
    Plan,
    State,
    Transition,
    advisory_note,
    counted_unit,
    is_armed,
    over_budget,
    withholds_anew,
)
from tightrope.monitors.records import Bools, Comparisons, Floats, Order, Stream
from tightrope.monitors.safemode import NEVER, Input, Mode
from tightrope.monitors.verdict import NOT_WORSE
from tightrope.monitors.veto.wealth import LEFT


class UnknownScopeError(ValueError):
    """An order names a scope that the model does not have."""


class UnknownOrderError(ValueError):
    """An order is not one that operators can give."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The origin of an input: event time (s), actor, reason, and the rows on which the decision was made, if any.

    >>> Cause(12.0, reason="new artefact").actor
    'judge'
    """

    time: float
    actor: str = "judge"
    reason: str = ""
    rows: Comparisons | None = None


def decide(plan: Plan, state: State, rows: Comparisons) -> tuple[State, list[Transition]]:
    """Decide at the end of a tick: elapsed dwells, breaches (subgroups before the model), returns."""
    cause, transitions = Cause(time=float(rows.time.max()), rows=rows), list[Transition]()
    for scope, mode in enumerate(state.modes):
        if mode.dwelling and elapsed(mode.since, cause.time) >= plan.policy.min_dwell:
            state = apply_input(plan, state, scope, Input.DWELL_ELAPSED, cause, transitions)
    state, breached, reasons = with_source(plan, state, breached_scopes(plan, state))
    for scope in sorted(breached, key=lambda scope: not state.modes[scope].held):
        # Subgroups that move now take their rows along: the model as a whole is judged again at the next tick.
        if scope and _shares_rows(plan, rows, scope, transitions):
            this_scope = np.arange(len(plan.scopes)) == scope
            own = [rule.on_scopes(this_scope) for rule in plan.rules]
            cells = tuple(map(detector_bank.reset_cells, state.cells, own))
            state = replace(state, cells=cells, estimates=_reset(plan, state, own, cause.time))
        elif scope or not any(t.moved or t.after.apart is not t.before.apart for t in transitions):
            breach = replace(cause, reason=reasons.get(scope, ""))
            state = apply_input(plan, state, scope, Input.BREACH, breach, transitions)
    for scope, mode in enumerate(state.modes):
        if _may_return(mode) and recovered_ticks(plan, state, scope).all():
            state = apply_input(plan, state, scope, Input.RECOVERED, cause, transitions)
    return state, transitions


def _shares_rows(plan: Plan, rows: Comparisons, scope: int, transitions: Sequence[Transition]) -> bool:
    """Tell whether a subgroup has rows of a held subgroup that has just breached: its evidence may be theirs."""
    held = [t.scope for t in transitions if t.after.breached and not t.before.breached]
    columns = [plan.scopes.index(name) - 1 for name in held if name != plan.scopes[0]]
    return bool((rows.member[:, columns] & rows.member[:, [scope - 1]]).any())


def apply_order(plan: Plan, state: State, order: Order) -> tuple[State, Transition]:
    """Apply an operator's order.

    Raises:
        UnknownScopeError: when the model has no such scope.
        UnknownOrderError: when operators cannot give it; a return, for example, takes evidence.
        IllegalTransitionError: when the table has no row for it.
    """
    if order.scope not in plan.scopes:
        raise UnknownScopeError(
            f"model {plan.model} has no scope {order.scope!r}: must be one of {', '.join(plan.scopes)}"
        )
    if order.order not in safemode.ORDERS:
        raise UnknownOrderError(f"unknown order {order.order!r}: must be one of {', '.join(safemode.ORDERS)}")
    cause, transitions = Cause(order.time, order.actor, order.reason), list[Transition]()
    state = apply_input(plan, state, plan.scopes.index(order.scope), Input(order.order), cause, transitions)
    return state, transitions[0]


def first_decision(plan: Plan, state: State, trajectories: Sequence[Trajectory | None], ends: Floats) -> int | None:
    """Return the index of the first of T ticks, ending at event times ``ends`` (T,), at which `decide` would act."""
    due = np.zeros(len(ends), dtype=bool)
    for mode in state.modes:
        if mode.dwelling:
            due |= np.maximum(ends - mode.since, 0.0) >= plan.policy.min_dwell  # as `elapsed`, for all ticks
    for rule, trajectory in zip(plan.rules, trajectories, strict=True):
        # A mixture is no larger than its largest part, so the cheap check of that part is usually enough.
        if trajectory is not None and trajectory.log_mass.max() >= plan.budget.threshold:
            due |= over_budget(plan, state, rule, trajectory.log_mass).any(axis=(1, 2))
    for scope, mode in enumerate(state.modes):
        if _may_return(mode):
            due |= recovered_ticks(plan, state, scope, trajectories, len(ends))
    return int(due.argmax()) if due.any() else None


def _may_return(mode: Mode) -> bool:
    return mode.state is safemode.ModeState.SAFE and not mode.held and not mode.dwelling


def enter_blind(plan: Plan, state: State, cause: Cause) -> tuple[State, list[Transition]]:
    """Apply the input for a blind judge to the model as a whole."""
    transitions: list[Transition] = []
    return apply_input(plan, state, 0, Input.BLIND, cause, transitions), transitions


def enter_unreadable(plan: Plan, old: State, cause: Cause) -> tuple[State, list[Transition]]:
    """Apply the input for a state that cannot be read to every scope: a safe one has to disprove all its monitors."""
    state, transitions = migrate_state(plan, old), list[Transition]()
    for scope in range(len(plan.scopes)):
        state = apply_input(plan, state, scope, Input.UNREADABLE, cause, transitions)
    unread = np.array([mode.unread for mode in state.modes])
    cells = tuple(
        replace(cells, tripped=cells.tripped | (rule.watched & rule.on_scopes(unread)))
        for rule, cells in zip(plan.rules, state.cells, strict=True)
    )
    return replace(state, cells=cells), transitions


def deploy(plan: Plan, old: State, cause: Cause) -> tuple[State, list[Transition]]:
    """Move a stored state to the current plan; a scope in safe mode with another artefact goes on trial.

    What was learnt about the old pair is remembered. Scopes that the new pair is known to harm go to safe mode, and so
    do those that a new statement withholds.
    """
    state = migrate_state(plan, old)
    same = (old.baseline_digest, old.compressed_digest) == (plan.baseline_digest, plan.compressed_digest)
    transitions: list[Transition] = []
    for scope in () if same else range(len(plan.scopes)):
        state = apply_input(plan, state, scope, Input.NEW_ARTEFACT, cause, transitions)
    if not same:
        state = _recall(plan, remember_pair(state, old), cause, transitions)
    trial = np.array([mode.trial for mode in state.modes])
    if old.digest != plan.digest:  # evidence starts anew; a trial is never seeded, so it starts from a wealth of one
        started = (detector_bank.start_trial(cells, cells.on_scopes(trial) & cells.tripped) for cells in state.cells)
        state = replace(state, cells=tuple(started))
    if withholds_anew(plan, state):
        state = _withhold(plan, state, replace(cause, reason=plan.withholding.reason), transitions)
    return state, [t for t in transitions if t.before.safe or t.trigger in {Input.KNOWN_HARM, Input.WITHHELD}]


def _withhold(plan: Plan, state: State, cause: Cause, transitions: list[Transition]) -> State:
    """Send the scopes that a statement withholds to safe mode; each has to disprove all its monitors, on trial."""
    for scope in plan.withholding.scopes:
        state = apply_input(plan, state, plan.scopes.index(scope), Input.WITHHELD, cause, transitions)
    own = np.isin(plan.scopes, plan.withholding.scopes)
    trial = own & [mode.trial for mode in state.modes]
    cells = tuple(
        detector_bank.start_trial(
            replace(cells, tripped=cells.tripped | (rule.watched & rule.on_scopes(own))), rule.on_scopes(trial)
        )
        for rule, cells in zip(plan.rules, state.cells, strict=True)
    )
    return replace(state, cells=cells, retained=replace(state.retained, statement=plan.withholding.statement))


def _recall(plan: Plan, state: State, cause: Cause, transitions: list[Transition]) -> State:
    """Start from what is known of the plan's pair. Harmed scopes that the plan does not have become orphans."""
    if state.retained.recall((plan.baseline_digest, plan.compressed_digest)) is None:
        return state
    # A return that another artefact won says nothing about this one: a breach now is no flap.
    state = replace(state, modes=tuple(replace(mode, returned=NEVER) for mode in state.modes))
    for scope, record in harm_of_pair(plan, state).items():
        if scope in plan.scopes:
            reason = f"this pair breached {', '.join(record.monitors)} when it served before"
            index = plan.scopes.index(scope)
            state = mark_known_harm(plan, state, index, record)
            state = apply_input(plan, state, index, Input.KNOWN_HARM, replace(cause, reason=reason), transitions)
        else:
            mode = safemode.next_mode(Mode(), Input.KNOWN_HARM, cause.time, plan.policy)
            state = add_orphan(state, scope, replace(record, mode=mode))
    return state


def apply_input(
    plan: Plan, state: State, scope: int, trigger: Input, cause: Cause, transitions: list[Transition]
) -> State:
    """Apply one input to one scope: record the transition, and reset the detectors that it ends."""
    before = state.modes[scope]
    asked = () if scope or trigger is not Input.BREACH else narrowed_classes(plan, state)
    after = safemode.next_mode(before, trigger, cause.time, plan.policy, asked)
    this_scope = np.arange(len(plan.scopes)) == scope
    returned = this_scope & (before.apart and not after.apart)
    left = scope > 0 and after.apart and not before.apart and not state.modes[0].whole
    # A subgroup that leaves takes its rows along: the evidence of the model's cells says nothing about the rest.
    ended = returned | (left & (np.arange(len(plan.scopes)) == 0))
    cases: dict[str, Case] = {}
    changed, ended_cells = [], []
    for index, (rule, cells) in enumerate(zip(plan.rules, state.cells, strict=True)):
        own = rule.on_scopes(this_scope)
        over = own & over_budget(plan, state, rule, cells.log_mass) & (trigger is Input.BREACH)
        if over.any() or (trigger is Input.RECOVERED and (cells.tripped & own).any()):
            cases[rule.monitor.name] = _case(plan, state, (index, scope), breached=bool(over.any()))
        over = rule.with_lanes(over)
        tripped = (cells.tripped | (over & after.apart)) & ~rule.on_scopes(returned)
        ended_cells.append(over | rule.on_scopes(ended))
        reset = detector_bank.reset_cells(cells, ended_cells[-1])
        changed.append(replace(detector_bank.start_trial(reset, over) if after.trial else reset, tripped=tripped))
    reason = cause.reason or _reason(trigger, [case.text for case in cases.values()])
    reason += extent_note(before, after)
    reason += one_host_note(state.hosts, scope) + advisory_note(plan, state) if trigger is Input.BREACH else ""
    reason += f"; {NOT_WORSE}" if trigger is Input.RECOVERED and state.veto.active[scope] else ""
    evidence = {"monitors": [case.detail for case in cases.values()], **_basis(plan, state, scope, cause.rows)}
    made = Transition(plan.scopes[scope], trigger, before, after, cause.time, cause.actor, reason, evidence)
    transitions.append(made)
    modes = (*state.modes[:scope], after, *state.modes[scope + 1 :])
    onsets = {name: case.onset for name, case in cases.items() if case.onset} if after.apart else None
    estimates = _reset(plan, state, ended_cells, cause.time).with_onsets(plan.scopes[scope], onsets)
    if (before.state, before.apart) != (after.state, after.apart):
        estimates = estimates.restarted(plan.rules, [rule.on_scopes(this_scope) for rule in plan.rules])
    veto, epoch = state.veto.without(ended & ~this_scope, LEFT), state.epoch + (after != before)
    state = replace(state, modes=modes, epoch=epoch, cells=tuple(changed), estimates=estimates, veto=veto)
    if not after.apart or (before.safe and trigger is Input.RELEASE):
        disabled = {name: off for name, off in state.retained.disabled.items() if name != plan.scopes[scope]}
        state = replace(state, retained=replace(state.retained, disabled=disabled))
    return state


def _case(plan: Plan, state: State, indices: tuple[int, int], *, breached: bool) -> Case:
    """Make the case of a rule and a scope, by their ``indices``."""
    threshold, unit, cells = plan.budget.threshold, counted_unit(plan, state), state.cells[indices[0]]
    return make_case(plan.rules, cells, state.estimates, indices, threshold=threshold, unit=unit, breached=breached)


def _reset(plan: Plan, state: State, cells: Sequence[Bools], time: float) -> Estimates:
    """Start the sums of the masked cells of each monitor anew, with their detectors."""
    return state.estimates.reset(plan.rules, cells, state.seen[Stream.COMPARISONS], time)


def _reason(trigger: Input, texts: Sequence[str]) -> str:
    if trigger is Input.DWELL_ELAPSED:
        return "the minimum dwell has elapsed"
    return "; ".join(texts) or ("no monitor speaks against it" if trigger is Input.RECOVERED else "")


def _basis(plan: Plan, state: State, scope: int, rows: Comparisons | None) -> dict[str, object]:
    """Describe the basis of a decision so that it can be repeated: the pair, the configuration, the rows.

    The scope's hosts are counted up to this decision: later rows of a batch depend on how records were polled.
    """
    basis: dict[str, object] = {
        "baseline_digest": plan.baseline_digest,
        "compressed_digest": plan.compressed_digest,
        "plan_digest": plan.digest,
        "armed": is_armed(plan, state),
        "samples": state.seen[Stream.COMPARISONS],
        "labels": state.seen[Stream.LABELS],
        "log": state.log,
        "host_classes": host_detail(state.hosts, scope),
    }
    if rows is None or not len(rows):
        return basis
    first, last = ({"partition": int(rows.partition[i]), "offset": int(rows.offset[i])} for i in (0, -1))
    return {**basis, "first": first, "last": last, **last_request(rows)}
