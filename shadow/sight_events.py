"""Events of a change of state: of modes, subgroups without rows, found groups, repeated requests, dependent rows,
vetoes of labels, the latency objective.
"""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from tightrope.monitors.boundaries.asked_classes import class_titles
from tightrope.monitors.dependence.warning import dependence_text
from tightrope.monitors.intake.repeats import warning_text
from tightrope.monitors.plan import Plan, State, Transition
from tightrope.monitors.records import MODEL_SCOPE, Event, Stream
from tightrope.monitors.scopes import unseen_scopes
from tightrope.monitors.verdict import NOT_WORSE
from tightrope.monitors.veto.wealth import VETOED_MONITORS
from tightrope.shadow.output.group_events import group_events

SUBGROUP_UNSEEN, SUBGROUP_SEEN = "subgroup-unseen", "subgroup-seen"
"""Kinds of events."""


REPEATS_HIGH, REPEATS_NORMAL = "repeats-high", "repeats-normal"
DEPENDENCE_HIGH, DEPENDENCE_NORMAL = "dependence-high", "dependence-normal"
DIFFERS_NOT_WORSE, VETO_ENDED = "differs-not-worse", "differs-not-worse-ended"
LATENCY_BREACH, LATENCY_MET = "latency-breach", "latency-met"

VETO_BEGUN = f"{NOT_WORSE}: labels show that the compressed model is right as often; no breach of it moves "
"""The reason of a veto of labels, before the monitors that it holds back."""


def state_events(plan: Plan, before: State, after: State) -> Iterator[Event]:
    """Yield the events of a change from one state to the next."""
    yield from sight_events(plan.model, before, after)
    yield from repeat_events(plan.model, before, after)
    yield from group_events(plan, before, after)
    if before.dependence.warned != after.dependence.warned:
        yield dependence_event(plan, after)
    yield from veto_events(plan, before, after)
    if before.latency.breached != after.latency.breached:
        yield latency_event(plan, after)


def transition_event(plan: Plan, t: Transition, order: str, judge_host: str) -> Event:
    """The event of an input to the safe-mode table."""
    change = {"before": asdict(t.before), "after": asdict(t.after), "moved": t.moved, "judge_host": judge_host}
    named = {"asked": list(class_titles(plan, t.after.asked))} if t.after.narrow else {}
    position = f"{t.evidence['log']}/{t.evidence['samples']}/{t.evidence['labels']}"
    identity = order or f"{plan.model}/{position}/{t.scope}/{t.trigger}/{t.time}"
    return Event(
        identity, t.time, plan.model, str(t.trigger), t.scope, t.actor, t.reason, {**change, **named, **t.evidence}
    )


def repeat_events(model: str, before: State, after: State) -> Iterator[Event]:
    """Yield an event for each pattern of repeated requests that has begun or ended."""
    was, now = before.repeats.warnings, after.repeats.warnings
    for warning in {*was, *now} - ({*was} & {*now}):
        kind = REPEATS_HIGH if warning in now else REPEATS_NORMAL
        rows, memory = int(after.compared[0]), after.repeats
        detail = {"pattern": str(warning), "uncounted": dict(memory.uncounted), "rows": rows}
        senders, time = after.dependence.senders.repeating, after.unanswered.answered
        reason = "; ".join(part for part in (warning_text(memory, warning), senders) if part)
        yield Event(f"{model}/{kind}/{warning}/{rows}", time, model, kind, MODEL_SCOPE, "judge", reason, detail)


def dependence_event(plan: Plan, state: State) -> Event:
    """The event of rows that depend on each other, or no longer do: the unit of evidence has widened or narrowed."""
    after, rows = state.dependence, int(state.compared[0])
    kind = DEPENDENCE_HIGH if after.warned else DEPENDENCE_NORMAL
    window = plan.unit.is_window(warned=after.warned)
    detail = {"rows": rows, "independence": str(plan.unit.independence), "window_rows": plan.unit.window_rows * window}
    detail |= {"block": after.block, "effect": after.effect}
    reason, time = dependence_text(after, plan.unit, plan.model), state.unanswered.answered
    return Event(f"{plan.model}/{kind}/{rows}", time, plan.model, kind, MODEL_SCOPE, "judge", reason, detail)


def veto_events(plan: Plan, before: State, after: State) -> Iterator[Event]:
    """Yield an event for each scope in which a veto of labels has begun or fallen."""
    was, now = (
        {scope for scope, holds in zip(s.scopes, s.veto.active.tolist(), strict=False) if holds}
        for s in (before, after)
    )
    renewed, labels = before.digest != after.digest, after.seen[Stream.LABELS]
    for scope in sorted(was ^ now):
        kind = DIFFERS_NOT_WORSE if scope in now else VETO_ENDED
        cause = "another artefact or configuration" if renewed else after.veto.cause
        counted = int(after.veto.counted[after.scopes.index(scope)]) if scope in now else 0
        begun = f"{VETO_BEGUN}{', '.join(sorted(VETOED_MONITORS))}; {counted:,} disagreements are labelled"
        reason = begun if scope in now else f"{cause}: a breach counts"
        time = float(max(before.veto.newest.max(), after.veto.newest.max(), after.unanswered.answered))
        detail = {"labels": labels, "rows": int(after.compared[0])}
        identity = f"{plan.model}/{kind}/{scope}/{after.epoch}/{labels}/{detail['rows']}"
        yield Event(identity, time, plan.model, kind, scope, "judge", reason, detail)


def latency_event(plan: Plan, state: State) -> Event:
    """The event of a latency objective that was broken or is met again."""
    kind = LATENCY_BREACH if state.latency.breached else LATENCY_MET
    objective = plan.objective
    reason = f"more than {objective.limit:.2%} of answers took over {objective.seconds:g} s" if objective else ""
    time = state.latency.block * (objective.block if objective else 0.0)
    return Event(f"{plan.model}/latency/{state.latency.closed}", time, plan.model, kind, MODEL_SCOPE, "judge", reason)


def sight_events(model: str, before: State, after: State) -> Iterator[Event]:
    """Yield an event for each declared subgroup of a model that has become unseen, or has rows again."""
    if before.digest != after.digest or before.scopes != after.scopes:  # evidence has started anew
        return
    was_unseen, is_unseen = (unseen_scopes(state.scopes, state.compared, state.sighted) for state in (before, after))
    rows, time = int(after.compared[0]), after.unanswered.answered
    for index in np.flatnonzero(was_unseen != is_unseen).tolist():
        scope, waiting = after.scopes[index], rows - int(after.sighted[index])
        kind = SUBGROUP_UNSEEN if is_unseen[index] else SUBGROUP_SEEN
        reason = f"none of the last {waiting} compared rows is of it" if is_unseen[index] else "it has rows again"
        detail = {"rows": int(after.compared[index]), "model_rows": rows}
        yield Event(f"{model}/{kind}/{scope}/{rows}", time, model, kind, scope, "judge", reason, detail)
