"""The events that a week's letter tells, kept up to date from the audit trail without reading it all again."""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tightrope.monitors.records import Event
from tightrope.service.adapters.ports import AuditTrail
from tightrope.service.api.overview.event_words import QUIET_KINDS

MAX_READ_EVENTS = 100_000
"""Events of the trail, the newest, that are read at first."""

MAX_WEEK_EVENTS = 20_000
PAGE_SIZE = 500

DECIDED = "decided"
"""The kind of event by which a person signs off a decision."""


@dataclass(frozen=True, slots=True)
class WeekHistory:
    """Numbered events by time, the oldest first. ``begins`` is the time of the oldest on record (None: no event).

    >>> WeekHistory((), None).of("m")
    []
    """

    events: Sequence[tuple[int, Event]]
    begins: float | None

    def of(self, model: str) -> list[tuple[int, Event]]:
        """The events of a model."""
        return [(seq, event) for seq, event in self.events if event.model == model]


def is_told(event: Event) -> bool:
    """Whether an event is told in a letter: further evidence about a group that the full model answers is not."""
    if event.kind in QUIET_KINDS:
        return False
    return event.kind != "breach" or bool(event.detail.get("moved")) or not is_held_off(event)


def is_held_off(event: Event) -> bool:
    """Whether the full model answers after a harm was noticed."""
    after = event.detail.get("after")
    state = after.get("state", "normal") if isinstance(after, dict) else "normal"
    return event.detail.get("armed") is not False and state != "normal"


class WeekTrail:
    """Reads the audit trail. Safe to share between threads."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self._lock = threading.Lock()
        self._kept: deque[tuple[int, Event]] = deque(maxlen=MAX_WEEK_EVENTS)
        self._last: int | None = None
        self._begins: float | None = None

    def history(self) -> WeekHistory:
        """All that is on record now."""
        with self._lock:
            if self._last is None:
                newest = self._trail.latest_events(limit=1)
                self._last = max(newest[0][0] - MAX_READ_EVENTS, 0) if newest else 0
            while page := self._trail.events(after=self._last, limit=PAGE_SIZE):
                self._add(page)
                self._last = page[-1][0]
            begins = self._kept[0][1].time if len(self._kept) == MAX_WEEK_EVENTS else self._begins
            return WeekHistory(sorted(self._kept, key=lambda each: (each[1].time, each[0])), begins)

    def has(self, identity: str) -> bool:
        """Whether the trail has an event, by its id."""
        return any(event.id == identity for _, event in self.history().events)

    def _add(self, page: Iterable[tuple[int, Event]]) -> None:
        for seq, event in page:
            if self._begins is None:
                self._begins = event.time
            if is_told(event):
                self._kept.append((seq, event))
