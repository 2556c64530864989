"""The newest events as people read them, kept up to date from the audit trail without reading it all again."""

import threading
from collections import deque
from collections.abc import Iterable, Sequence

from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.adapters.journal.incident_times import incident_at
from tightrope.service.adapters.ports import AuditTrail
from tightrope.service.api.overview.documents import HistoryEntry, MoveEntry, Span
from tightrope.service.api.overview.event_words import QUIET_KINDS, TrailLine, trail_line
from tightrope.service.api.overview.phrases import class_phrase, scope_title

MAX_LINES = 2_000
"""Events that are kept, of all models."""

PAGE_EVENTS = 500
MAX_HISTORY = 200
"""Events of a model that are shown."""


class RecentTrail:
    """The newest events of all models. Safe to share between threads."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self._lock = threading.Lock()
        self._lines: deque[TrailLine] = deque(maxlen=MAX_LINES)
        self._last: int | None = None

    def lines(self) -> Sequence[TrailLine]:
        """The kept events, oldest first, with those that came since the last call."""
        with self._lock:
            if self._last is None:
                newest = self._trail.latest_events(limit=MAX_LINES)[::-1]
                self._add(newest)
                self._last = newest[-1][0] if newest else 0
            while events := self._trail.events(after=self._last, limit=PAGE_EVENTS):
                self._add(events)
                self._last = events[-1][0]
            return list(self._lines)

    def _add(self, events: Iterable[tuple[int, object]]) -> None:
        self._lines.extend(trail_line(seq, event) for seq, event in events)  # type: ignore[arg-type]


def is_news(line: TrailLine) -> bool:
    """Whether people want to know of an event: further evidence about a scope that has moved already is old news."""
    return line.kind not in QUIET_KINDS and (line.kind != "breach" or line.moved)


def history(lines: Sequence[TrailLine], incidents: Sequence[Incident] = ()) -> list[HistoryEntry]:
    """The newest events of one model that are news, newest first, each with its incident among those recorded."""
    chosen = [line for line in reversed(lines) if is_news(line)][:MAX_HISTORY]
    return [
        {
            "seq": line.seq,
            "at": line.at,
            "kind": line.kind,
            "sort": line.sort,  # type: ignore[typeddict-item]
            "scope": line.scope,
            "actor": line.actor,
            "text": line.text,
            "raw": line.raw,
            "incident": incident_at(incidents, line.model, line.at),
        }
        for line in chosen
    ]


def moves(lines: Sequence[TrailLine]) -> list[MoveEntry]:
    """The spans in which the full model answered each scope of one model, or some classes; the whole model first, then
    open ones.
    """
    spans: dict[str, list[Span]] = {}
    for line in lines:
        if not line.moved or not line.state:
            continue
        own = spans.setdefault(line.scope, [])
        is_open = bool(own) and own[-1]["to"] is None
        goes_on = line.state != "normal"
        if is_open and (not goes_on or bool(own[-1]["asked"]) != bool(line.asked)):
            own[-1]["to"] = line.at
            is_open = False
        if is_open:
            own[-1] |= {"state": line.state, "asked": list(line.asked)}
        elif goes_on:
            opened: Span = {
                "from": line.at,
                "to": None,
                "state": line.state,
                "seq": line.seq,
                "asked": list(line.asked),
            }
            own.append(opened)
    shown = [(scope, own) for scope, own in spans.items() if own]
    shown.sort(key=lambda each: (each[0] != "model", each[1][-1]["to"] is not None, -each[1][-1]["from"]))
    return [{"scope": scope, "title": _title(scope, own), "spans": own} for scope, own in shown]


def _title(scope: str, spans: Sequence[Span]) -> str:
    """The scope in one phrase, with the classes where it was these alone all the time."""
    classes = list(dict.fromkeys(name for span in spans for name in span["asked"]))
    is_narrow = all(span["asked"] for span in spans)
    return f"{scope_title(scope)}, {class_phrase(classes)}" if is_narrow else scope_title(scope)
