"""Groups that the full model answered in a week, with the times and the reasons, in words."""

from collections.abc import Mapping, Sequence
from typing import Literal

from tightrope.monitors.records import Event
from tightrope.service.api.overview.phrases import capitalized, duration
from tightrope.service.api.week.documents import FullSpan
from tightrope.service.api.week.iso_week import Week
from tightrope.service.api.week.spans import UNSEEN_KINDS, TrailSpan, full_model_spans
from tightrope.service.api.week.words import group_words, moment_words

SpanCause = Literal["noticed", "order", "unseen", "other"]

ORDER_KIND = "force-safe"
_CAUSES: Mapping[str, str] = {
    "known-harm": "harm was known before",
    "withheld": "the examination did not prove it safe for them",
    "unqualified": "no valid approval of the small model was there",
}
OTHER_CAUSE = "Tightrope kept it so"


def by_full_model(model: str, events: Sequence[tuple[int, Event]], week: Week, now: float) -> list[FullSpan]:
    """The times of one model's scopes that have a part in a week, the earliest first; those that end later go on."""
    found = (span.within(week.since, min(week.until, now)) for span in full_model_spans(events))
    return [_document(model, span) for span in found if span is not None]


def _document(model: str, span: TrailSpan) -> FullSpan:
    cause, why = _cause(span)
    who = group_words(span.scope, model, span.asked)
    if span.end is None:
        says = f"{capitalized(who)}: since {moment_words(span.begin)}, and still, because {why}."
    else:
        long = duration(span.end - span.begin)
        says = f"{capitalized(who)}: from {moment_words(span.begin)} for {long}, because {why}."
    return {
        "scope": span.scope,
        "who": who,
        "asked": list(span.asked),
        "since": span.begin,
        "until": span.end,
        "cause": cause,
        "says": says,
    }


def _cause(span: TrailSpan) -> tuple[SpanCause, str]:
    if span.kind == "breach":
        return "noticed", "Tightrope noticed harm"
    if span.kind == ORDER_KIND:
        return "order", f"{span.actor} ordered it"
    if span.kind in UNSEEN_KINDS:
        return "unseen", "nothing showed whether the small model was safe"
    return "other", _CAUSES.get(span.kind, OTHER_CAUSE)
