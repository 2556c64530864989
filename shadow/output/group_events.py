"""Events of found groups: harm in a group that no subgroup of the plan is, its end, and orders about it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from tightrope.monitors.added_scopes.added_scope import AddedScope
from tightrope.monitors.plan import Plan, State, advisory_note
from tightrope.monitors.records import MODEL_SCOPE, Event, Order
from tightrope.monitors.status.groups import GroupStatus, group_status
from tightrope.monitors.watched_groups.orders import JUDGE, UNWATCH_GROUP, WATCH_GROUP, group_refusal

GROUP_FOUND, GROUP_OVER = "group-found", "group-over"
GROUP_WATCHED, GROUP_UNWATCHED = "group-watched", "group-unwatched"
HOST_KINDS = HOST_WATCHED, HOST_UNWATCHED = "host-watched", "host-unwatched"
"""Kinds of events."""

MOVES_NOTHING = "no traffic moves"
WATCH = f"{MOVES_NOTHING}; `tightrope watch-group` watches it as a scope at once, and prints the lines that declare it"
BEGINS_SAFE = "it is watched as a scope from now on, and begins in safe mode"
NO_SCOPE = f"{MOVES_NOTHING}: it is known only after the compressed model has answered"


def group_events(plan: Plan, before: State, after: State) -> Iterator[Event]:
    """Yield an event for each group that was found, for each whose rate is proved to be below the limit again, and for
    each that the judge watches by itself.
    """
    if plan.search is None or after.search.key != plan.search.key:
        return
    same_search = before.search.key == after.search.key
    layout, rows = plan.search.layout, int(after.compared[0])
    were = {found.number: found for found in before.search.findings if same_search}
    are = {found.number: found for found in after.search.findings}
    for number, found in are.items():
        if number not in were:
            status = group_status(plan, after, found, layout)
            identity = f"{plan.model}/{GROUP_FOUND}/{after.search.key}/{number}/{found.row}"
            reason, detail = f"{status.text}; {_consequence(plan, after, status)}", {**asdict(status), "rows": rows}
            yield Event(identity, found.time, plan.model, GROUP_FOUND, MODEL_SCOPE, "judge", reason, detail)
    for number, found in were.items():
        if number not in are:
            words = layout.words(found.predicates)
            detail = {"number": number, "words": words, "rows": rows}
            identity = f"{plan.model}/{GROUP_OVER}/{after.search.key}/{number}/{after.search.row}"
            reason = f"{words}: fewer answers than the limit allows differ now"
            yield Event(identity, after.search.time, plan.model, GROUP_OVER, MODEL_SCOPE, "judge", reason, detail)
    for added in after.added:
        if added.actor == JUDGE and not added.is_host and added.scope not in before.scopes:
            identity = f"{plan.model}/{GROUP_WATCHED}/{added.scope}/{after.search.found}/{added.time}"
            detail = _definition(added, rows)
            yield Event(identity, added.time, plan.model, GROUP_WATCHED, added.scope, JUDGE, added.reason, detail)


def watched_event(plan: Plan, before: State, after: State, order: Order) -> Event:
    """The event of an operator's order about a found group that was carried out."""
    (added,) = {*before.added} ^ {*after.added}
    kind = GROUP_UNWATCHED if order.order == UNWATCH_GROUP else GROUP_WATCHED
    detail = _definition(added, int(after.compared[0]))
    return Event(order.id, order.time, plan.model, kind, order.scope, order.actor, order.reason, detail)


def host_events(plan: Plan, before: State, after: State) -> Iterator[Event]:
    """Yield an event for each class of hosts that is a scope from now on, as of the tick that made it one, or is no
    more.
    """
    if before.added == after.added:
        return
    were, are = ({each.scope: each for each in state.added if each.is_host} for state in (before, after))
    changes = (
        (HOST_WATCHED, [are[name] for name in are if name not in were], "several classes of hosts are seen"),
        (HOST_UNWATCHED, [were[name] for name in were if name not in are], "it is gone, or the only one that is left"),
    )
    for kind, scopes, reason in changes:
        for added in scopes:
            time = added.time if kind == HOST_WATCHED else after.unanswered.answered
            identity = f"{plan.model}/{kind}/{added.scope}/{time}"
            detail = {"words": added.words}
            yield Event(identity, time, plan.model, kind, added.scope, JUDGE, f"{added.words}: {reason}", detail)


def in_order(moves: Sequence[Event], added: Iterable[Event]) -> list[Event]:
    """The events of moves, in their order, with each event of an added scope before the first that is not earlier: so
    the order does not depend on the rows that were judged together.
    """
    ordered = [*moves]
    for event in added:
        later = (i for i, each in enumerate(ordered) if each.kind not in HOST_KINDS and each.time >= event.time)
        ordered.insert(next(later, len(ordered)), event)
    return ordered


def _consequence(plan: Plan, state: State, status: GroupStatus) -> str:
    """The consequence of a finding, or what a person can do."""
    if not status.scope:
        return NO_SCOPE
    if plan.search is None or not plan.search.arms:
        return WATCH
    refusal = group_refusal(plan, state, WATCH_GROUP, status.scope)
    return f"{BEGINS_SAFE}{advisory_note(plan, state)}" if status.watched else f"{MOVES_NOTHING}: {refusal}"


def _definition(added: AddedScope, rows: int) -> dict[str, object]:
    """The rows of a scope, for an event: JSON has no infinity."""
    ranges = [{"input": each.input, "column": each.index} | _ends(each.low, each.high) for each in added.ranges]
    return {"words": added.words, "ranges": ranges, "within": list(added.within), "rows": rows}


def _ends(low: float, high: float) -> dict[str, float]:
    return {name: end for name, end in (("low", low), ("high", high)) if abs(end) != float("inf")}
