"""The found groups of a model, for people: in words, with figures, and with the lines that declare them."""

from collections.abc import Iterator
from dataclasses import dataclass

from tightrope.monitors.hunter.columns import Layout
from tightrope.monitors.hunter.declaration import added_scope, declaration
from tightrope.monitors.hunter.findings import FoundGroup, describe_finding
from tightrope.monitors.plan import Plan, State, counted_unit
from tightrope.monitors.verdict import Interval


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """A found group. ``number`` counts a model's findings, ``words`` name it, and ``text`` says all of it in a
    sentence. ``now`` is the rate at which answers differ, with its 95 % interval; ``share`` that of the compared rows.

    It was found after ``row`` compared rows, at event ``time`` (s); the excess began about after ``since_row``, at
    ``since_time``. ``declaration`` holds the lines of configuration that declare it, if there are any. ``scope`` is the
    name under which it is ``watched``, or can be; empty if it cannot.

    >>> now = Interval(mean=0.64, lower=0.33, upper=0.89, rows=28)
    >>> GroupStatus(1, "residence: group quarters", "", now, 0.1, 0.06, 384, 0.0, 60, 0.0, "").words
    'residence: group quarters'
    """

    number: int
    words: str
    text: str
    now: Interval
    limit: float
    share: float
    row: int
    time: float
    since_row: int
    since_time: float
    declaration: str
    scope: str = ""
    watched: bool = False


def found_groups(plan: Plan, state: State) -> list[GroupStatus]:
    """The groups that are found now, in the order in which they were."""
    return [] if plan.search is None else list(_statuses(plan, state, plan.search.layout))


def group_status(plan: Plan, state: State, found: FoundGroup, layout: Layout) -> GroupStatus:
    """One found group for people."""
    scope = added_scope(found, layout)
    return GroupStatus(
        number=found.number,
        words=layout.words(found.predicates),
        text=describe_finding(found, layout, counted_unit(plan, state)),
        now=found.now,
        limit=found.limit,
        share=found.share,
        row=found.row,
        time=found.time,
        since_row=found.since_row,
        since_time=found.since_time,
        declaration=declaration(plan.model, found, layout),
        scope=scope.scope if scope else "",
        watched=scope is not None and scope.scope in state.scopes,
    )


def _statuses(plan: Plan, state: State, layout: Layout) -> Iterator[GroupStatus]:
    if state.search.findings and plan.search is not None and state.search.key == plan.search.key:
        yield from (group_status(plan, state, found, layout) for found in state.search.findings)
