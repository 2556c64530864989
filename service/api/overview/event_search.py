"""Finds events of the audit trail by model, scope, kind and time, page by page: no search holds the trail for long."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tightrope.monitors.records import Event
from tightrope.service.adapters.ports import NO_BOUND, AuditTrail

SEARCHED_EVENTS = 1_000
"""Events of one page of a search."""

LATE_SECONDS = 86_400.0
"""Events are in the order in which they were saved: one may be saved this long after its time."""

NumberedEvent = tuple[int, Event]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are wanted; None for all. ``since`` and ``until`` are in seconds since the epoch.

    >>> EventFilter(kind="breach").accepts(Event("1", 0.0, "m", "breach", "model", "judge", ""))
    True
    """

    model: str | None = None
    scope: str | None = None
    kind: str | None = None
    since: float = float("-inf")
    until: float = float("inf")

    @property
    def takes_all(self) -> bool:
        """Whether the model alone decides."""
        return self == EventFilter(self.model)

    def accepts(self, event: Event) -> bool:
        """Whether an event is wanted."""
        wanted = (self.model, self.scope, self.kind)
        known = (event.model, event.scope, event.kind)
        fits = all(want in {None, have} for want, have in zip(wanted, known, strict=True))
        return fits and self.since <= event.time <= self.until


def find_events(
    trail: AuditTrail,
    wanted: EventFilter,
    limit: int,
    *,
    after: int = 0,
    before: int = NO_BOUND,
    newest_first: bool = True,
) -> list[NumberedEvent]:
    """At most ``limit`` events that the filter accepts, with numbers between ``after`` and ``before``."""
    size = limit if wanted.takes_all else SEARCHED_EVENTS
    pages = _newest_first(trail, wanted, before, size) if newest_first else _oldest_first(trail, wanted, after, size)
    found: list[NumberedEvent] = []
    for page in pages:
        found += [(seq, event) for seq, event in page if after < seq < before and wanted.accepts(event)]
        if len(found) >= limit or not after < page[-1][0] < before:
            break
    return found[:limit]


def _newest_first(trail: AuditTrail, wanted: EventFilter, before: int, size: int) -> Iterator[Sequence[NumberedEvent]]:
    while page := trail.latest_events(wanted.model, before, size):
        yield page
        before = page[-1][0]
        if max(event.time for _, event in page) < wanted.since - LATE_SECONDS:
            return


def _oldest_first(trail: AuditTrail, wanted: EventFilter, after: int, size: int) -> Iterator[Sequence[NumberedEvent]]:
    while page := trail.events(wanted.model, after, size):
        yield page
        after = page[-1][0]
        if min(event.time for _, event in page) > wanted.until + LATE_SECONDS:
            return


def epoch_seconds(time: datetime | float | None, otherwise: float) -> float:
    """A time in seconds since the epoch; one without an offset is UTC."""
    if not isinstance(time, datetime):
        return otherwise if time is None else time
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
