"""Events of found groups: harm in a group that no subgroup of the plan is, and its end."""

from collections.abc import Iterator
from dataclasses import asdict

from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.monitors.status.groups import group_status

GROUP_FOUND, GROUP_OVER = "group-found", "group-over"
"""Kinds of events."""

DECLARE = "no traffic moves; `tightrope watch-group` prints the lines that declare it as a subgroup"


def group_events(plan: Plan, before: State, after: State) -> Iterator[Event]:
    """Yield an event for each group that was found, and for each whose rate is proved to be below the limit again."""
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
            reason, detail = f"{status.text}; {DECLARE}", {**asdict(status), "rows": rows}
            yield Event(identity, found.time, plan.model, GROUP_FOUND, MODEL_SCOPE, "judge", reason, detail)
    for number, found in were.items():
        if number not in are:
            words = layout.words(found.predicates)
            detail = {"number": number, "words": words, "rows": rows}
            identity = f"{plan.model}/{GROUP_OVER}/{after.search.key}/{number}/{after.search.row}"
            reason = f"{words}: fewer answers than the limit allows differ now"
            yield Event(identity, after.search.time, plan.model, GROUP_OVER, MODEL_SCOPE, "judge", reason, detail)
