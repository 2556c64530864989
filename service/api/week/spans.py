"""The times in which the full model answered in place of the small one, and those in which a harm was not held off."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.service.api.overview.event_words import asked_of
from tightrope.service.api.week.history import is_held_off

GATEWAY_FALLBACKS: Mapping[str, str] = {
    "blind-began": "blind-ended",
    "judge-silent": "judge-heard",
    "plan-unjudged": "judge-heard",
    "scope-blind-began": "scope-blind-ended",
    "starved-began": "starved-ended",
    "unqualified": "qualified",
}
"""Fallbacks of a gateway above the modes: the kind of event that begins one, and the kind that ends it."""

UNSEEN_KINDS = frozenset({*GATEWAY_FALLBACKS, "blind", "unreadable"}) - {"unqualified"}
"""Kinds of events after which the full model answers because nothing shows whether the small one is safe."""

LOST, LOSS_OVER = "rows-lost", "rows-arrive"
FOUND, FOUND_OVER = "group-found", "group-over"
FOUND_PREFIX = "found "
"""Before the number of a found group, in the place of a scope."""


@dataclass(frozen=True, slots=True)
class TrailSpan:
    """A time between two events: ``kind``, ``actor`` and ``seq`` are those of the first one; ``end`` None: it goes on.
    ``asked`` are the classes of the small model to which it was narrowed, empty where it was the whole scope.

    >>> TrailSpan("model", "blind-began", "gateway", 1, 10.0, 20.0).within(0.0, 15.0)
    TrailSpan(scope='model', kind='blind-began', actor='gateway', seq=1, begin=10.0, end=None, asked=())
    """

    scope: str
    kind: str
    actor: str
    seq: int
    begin: float
    end: float | None = None
    asked: tuple[str, ...] = ()

    def within(self, since: float, until: float) -> "TrailSpan | None":
        """The span if it has a part between two times; it goes on if it ends later."""
        if self.begin >= until or (self.end is not None and self.end < since):
            return None
        return replace(self, end=None) if self.end is not None and self.end >= until else self


def full_model_spans(events: Sequence[tuple[int, Event]]) -> list[TrailSpan]:
    """Every time in which the full model answered a scope of one model, by its begin."""
    spans = [*_by_mode(events), *_pairs(events, GATEWAY_FALLBACKS)]
    return sorted(spans, key=lambda each: (each.begin, each.seq))


def unseen_spans(events: Sequence[tuple[int, Event]]) -> list[TrailSpan]:
    """Every time in which nothing showed whether the small model was safe; several reasons at a time are one."""
    merged: list[TrailSpan] = []
    for span in (each for each in full_model_spans(events) if each.kind in UNSEEN_KINDS):
        before = next((each for each in merged if each.scope == span.scope and _overlap(each, span)), None)
        if before is None:
            merged.append(span)
        else:
            ends = (before.end, span.end)
            merged[merged.index(before)] = replace(before, end=None if None in ends else max(e for e in ends if e))
    return merged


def lost_spans(events: Sequence[tuple[int, Event]]) -> list[TrailSpan]:
    """Every time in which answers that were kept did not arrive at the comparison."""
    return list(_pairs(events, {LOST: LOSS_OVER}))


def unprotected_spans(events: Sequence[tuple[int, Event]]) -> list[TrailSpan]:
    """Every time in which a harm was known, and the small model answered all the same."""
    open_spans: dict[str, TrailSpan] = {}
    ended: list[TrailSpan] = []
    for seq, event in events:
        if event.kind == "breach" and not is_held_off(event):
            opened = TrailSpan(event.scope, event.kind, event.actor, seq, event.time)
            open_spans.setdefault(event.scope, opened)
        elif event.kind == FOUND:
            open_spans[found_key(event)] = TrailSpan(found_key(event), event.kind, event.actor, seq, event.time)
        elif event.kind == FOUND_OVER or event.detail.get("moved"):
            key = found_key(event) if event.kind == FOUND_OVER else event.scope
            if key in open_spans:
                ended.append(replace(open_spans.pop(key), end=event.time))
    return [*ended, *open_spans.values()]


def found_key(event: Event) -> str:
    """A found group in the place of a scope: it has none of its own."""
    return f"{FOUND_PREFIX}{event.detail.get('number', '')}"


def _overlap(before: TrailSpan, span: TrailSpan) -> bool:
    """Whether a span begins before an earlier one ends."""
    return before.end is None or span.begin <= before.end


def _by_mode(events: Sequence[tuple[int, Event]]) -> Iterator[TrailSpan]:
    open_spans: dict[str, TrailSpan] = {}
    for seq, event in events:
        after = event.detail.get("after")
        if not event.detail.get("moved") or not isinstance(after, dict):
            continue
        advises = event.kind == "breach" and event.detail.get("armed") is False
        asked, span = asked_of(event), open_spans.get(event.scope)
        goes_on = after.get("state", "normal") != "normal"
        if span is not None and (not goes_on or bool(span.asked) != bool(asked)):
            yield replace(open_spans.pop(event.scope), end=event.time)
            span = None
        if span is not None:
            open_spans[event.scope] = replace(span, asked=asked)
        elif goes_on and not advises:
            opened = TrailSpan(event.scope, event.kind, event.actor, seq, event.time, asked=asked)
            open_spans[event.scope] = opened
    yield from open_spans.values()


def _pairs(events: Sequence[tuple[int, Event]], ends: Mapping[str, str]) -> Iterator[TrailSpan]:
    """The spans between events of a kind and the kind that ends it, by scope."""
    open_spans: dict[tuple[str, str], TrailSpan] = {}
    for seq, event in events:
        if event.kind in ends:
            opened = TrailSpan(event.scope or MODEL_SCOPE, event.kind, event.actor, seq, event.time)
            open_spans.setdefault((event.scope, ends[event.kind]), opened)
        elif (key := (event.scope, event.kind)) in open_spans:
            yield replace(open_spans.pop(key), end=event.time)
    yield from open_spans.values()
