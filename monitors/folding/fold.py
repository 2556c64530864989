"""The fold: a plan, a state and an input give the next state, and the transitions on the way."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from tightrope.monitors import decide, watch
from tightrope.monitors.folding.inputs import (
    ClockReading,
    ComparedRows,
    FoldInput,
    GatewayEvent,
    GivenOrder,
    KeptRequests,
    LabelCounts,
    LabelledRows,
    NewPlan,
    PassedEpoch,
    UnreadableState,
)
from tightrope.monitors.intake.sight_notes import note_event
from tightrope.monitors.label_join import count_agreed, rows_awaiting_labels
from tightrope.monitors.label_records import PendingRow
from tightrope.monitors.plan import Plan, State, Transition
from tightrope.monitors.records import Comparisons, Event, Order, Stream
from tightrope.monitors.watched_groups.orders import GROUP_ORDERS, apply_group_order
from tightrope.monitors.watched_groups.plans import judged_plan

Folded = tuple[State, list[Transition]]


def fold(base: Plan, state: State, item: FoldInput) -> Folded:  # noqa: C901, PLR0911 - a case for each input
    """The state after an input, and its transitions. The plan of a `NewPlan` takes the place of ``base``.

    Raises:
        BadObservationError: when rows hold a value that no detector accepts.
        ValueError: when an order cannot be carried out.
    """
    plan = judged_plan(item.plan if isinstance(item, NewPlan) else base, state)
    match item:
        case ComparedRows():
            return fold_rows(plan, state, item)[:2]
        case LabelledRows(rows):
            return watch.step(plan, state, rows, Stream.LABELS)
        case LabelCounts():
            return count_labels(state, item), []
        case KeptRequests(notice):
            return watch.note_traffic(plan, state, notice)
        case GivenOrder(order):
            return fold_order(plan, state, order)
        case GatewayEvent(event, time):
            return note_sight(state, event, time), []
        case PassedEpoch(epoch):
            return replace(state, epoch=epoch), []
        case ClockReading(time):
            return watch.settle_times(plan, state, time)[0], []
        case NewPlan():
            return decide.deploy(plan, state, item.cause)
        case UnreadableState(cause):
            return decide.enter_unreadable(plan, state, cause)


def fold_rows(plan: Plan, before: State, item: ComparedRows) -> tuple[State, list[Transition], Iterable[PendingRow]]:
    """The state after compared rows, the transitions, and the rows that wait for labels."""
    rows = item.rows
    state, transitions = watch.step(plan, before, rows)
    stale = state.stale - before.stale
    if stale:
        state = watch.note_stale(plan, state, item.time or float(rows.time.max()))
    elif state.rows_received > before.rows_received:
        # requests before this record count as compared; gateways' clocks may be wrong
        answered = max(state.unanswered.answered, item.time)
        state = replace(state, unanswered=replace(state.unanswered, answered=answered))
    held: Iterable[PendingRow] = ()
    if plan.label_horizon:
        held, state = held_rows(plan, before, state, rows)
    return state, transitions, held


def held_rows(plan: Plan, before: State, after: State, batch: Comparisons) -> tuple[Iterable[PendingRow], State]:
    """The rows of a batch that wait for labels, and the state after it with the count of rows that need none."""
    agreed, trailing = count_agreed(plan, before.veto.agreed, batch, before.is_new(batch))
    trailing = np.append(trailing, np.zeros(len(after.scopes) - len(trailing), np.int64))  # a scope was added
    return rows_awaiting_labels(plan, batch, agreed), replace(after, veto=replace(after.veto, agreed=trailing))


def fold_order(plan: Plan, before: State, order: Order) -> Folded:
    """The state after an order.

    Raises:
        ValueError: when it cannot be carried out.
    """
    transitions: list[Transition] = []
    if order.order in GROUP_ORDERS:
        state = apply_group_order(plan, before, order)
    else:
        state, transition = decide.apply_order(plan, before, order)
        transitions.append(transition)
    return replace(state, retained=state.retained.note_order(order.id)), transitions


def count_labels(state: State, item: LabelCounts) -> State:
    """Count labels by outcome."""
    names = {*state.labels, *item.more}
    return replace(state, labels={name: state.labels.get(name, 0) + item.more.get(name, 0) for name in names})


def note_sight(state: State, event: Event, time: float) -> State:
    """Note an event of a gateway, if it tells that rows of a scope are missing; else the same state."""
    notes = note_event(state.sight_notes, event, time)
    return state if notes is state.sight_notes else replace(state, sight_notes=notes)
