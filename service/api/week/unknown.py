"""Gaps in a week's letter: groups with too few answers, undeclared groups, labels, time blind, days without figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.api.overview.phrases import joined, percent
from tightrope.service.api.week.costs import WeekCosts
from tightrope.service.api.week.documents import WeekUnknown
from tightrope.service.api.week.iso_week import Week
from tightrope.service.api.week.spans import TrailSpan
from tightrope.service.api.week.words import group_words, moment_words, time_words

UnknownKind = Literal["few", "undeclared", "labels", "sampled", "blind", "lost", "ledger", "comparing", "trail", "past"]


@dataclass(frozen=True, slots=True)
class UnknownFacts:
    """All that tells what is not known of a week. ``model`` is the model's entry of the overview; ``searches`` tells
    whether harm is searched for in groups that are not declared, ``coverage`` is the share of labelled rows (None: no
    labels). ``begins`` is the time of the oldest event on record, ``days`` are those of the ledger.
    """

    week: Week
    now: float
    model: Mapping[str, Any]
    searches: bool
    coverage: float | None
    takes_labels: bool
    unseen: Sequence[TrailSpan]
    lost: Sequence[TrailSpan]
    begins: float | None
    days: Sequence[date]
    costs: WeekCosts = field(default_factory=WeekCosts)


def unknowns(facts: UnknownFacts) -> list[WeekUnknown]:
    """All that is not known of a week, the most important first."""
    return [
        {"kind": kind, "says": says}
        for kind, says in (
            *_trail(facts),
            *_blind(facts),
            *_groups(facts),
            *_labels(facts),
            *_costs(facts),
        )
    ]


def _trail(facts: UnknownFacts) -> Iterator[tuple[UnknownKind, str]]:
    week = facts.week
    if facts.begins is None or facts.begins >= min(week.until, facts.now):
        yield "trail", "Nothing that happened in this week is on record."
    elif facts.begins > week.since:
        yield "trail", f"What happened before {moment_words(facts.begins)} is not on record."
    if facts.now >= week.shifted(1).until:
        yield "past", "What follows about groups and labels is as of today: it is not kept by week."


def _blind(facts: UnknownFacts) -> Iterator[tuple[UnknownKind, str]]:
    spans = [span for each in facts.unseen if (span := each.within(facts.week.since, _end(facts)))]
    seconds = facts.costs.blind_seconds
    if seconds:
        yield "blind", f"For {time_words(seconds)} in all nothing was judged; the full model answered in that time."
    for span in spans:
        who = "" if span.scope == MODEL_SCOPE else f" for {group_words(span.scope, '')}"
        yield "blind", f"{_when(span)}: nothing showed whether the small model was safe{who}; the full model answered."
    for each in facts.lost:
        if span := each.within(facts.week.since, _end(facts)):
            yield "lost", f"{_when(span)}: some answers did not arrive at the comparison."


def _groups(facts: UnknownFacts) -> Iterator[tuple[UnknownKind, str]]:
    few = facts.model["unseen"]
    if few:
        named = joined([f"{each['title']} ({each['rows']:,} of {each['needed']:,})" for each in few])
        one = "One group has" if len(few) == 1 else f"{len(few)} groups have"
        says = f"{one} too few compared answers to say that all is well: {named}. Clear harm would be noticed."
        yield "few", says
    if facts.searches:
        yield "undeclared", "Harm in a group that is not watched by name is found only if it is large."
    else:
        yield "undeclared", "Harm in groups that are not watched by name is not searched for."
    share = facts.model["sight"]["sampled_share"]
    if share < 1:
        yield "sampled", f"{percent(share)} of the requests are compared. The others are taken to be like them."


def _labels(facts: UnknownFacts) -> Iterator[tuple[UnknownKind, str]]:
    if not facts.takes_labels:
        yield "labels", "Which of two different answers is right is not known: every difference counts as harm."
    elif facts.coverage is None:
        yield "labels", "Which answers are right is not known yet: no right answer has come."
    else:
        yield "labels", f"The right answer is known for {percent(facts.coverage)} of the answers that wait for it."


def _costs(facts: UnknownFacts) -> Iterator[tuple[UnknownKind, str]]:
    today = datetime.fromtimestamp(facts.now, UTC).date()
    missing = [day for day in facts.week.days if day <= today and day not in facts.days]
    if missing:
        named = joined([f"{day:%A}" for day in missing], 7)
        says = f"What was spent and saved is not on record for {named}: the figures are those of the other days."
        yield "ledger", says if facts.days else "What was spent and saved is not on record."
    if facts.costs.unknown_days:
        yield "ledger", f"On {facts.costs.unknown_days} days the time of the models could not be measured."
    if facts.costs.comparing is None:
        yield "comparing", "What comparing took is counted on other machines."


def _when(span: TrailSpan) -> str:
    if span.end is None:
        return f"Since {moment_words(span.begin)}"
    return f"{moment_words(span.begin)}, for {time_words(span.end - span.begin)}"


def _end(facts: UnknownFacts) -> float:
    return min(facts.week.until, facts.now)
