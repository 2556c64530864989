"""The decisions that are due, each with its owner and its date, and the words of those who signed them off."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.service.api.overview.phrases import capitalized, percent
from tightrope.service.api.week.documents import DueDecision, HarmCase, SignOff
from tightrope.service.api.week.history import DECIDED
from tightrope.service.api.week.iso_week import WEEK_DAYS, Week
from tightrope.service.api.week.spans import FOUND_PREFIX
from tightrope.service.api.week.words import date_words, group_words, moment_words

DueKind = Literal["approval", "group", "stays", "order", "harm"]

EXPIRY_DAYS = 28
"""Days before an approval ends from which its renewal is due."""


@dataclass(frozen=True, slots=True)
class DecisionFacts:
    """Facts from which the decisions of a week follow. ``model`` is the model's entry of the overview, or None where
    the week is too old for what is so today; ``events`` are the model's.
    """

    week: Week
    now: float
    name: str
    owner: str | None
    model: Mapping[str, Any] | None
    cases: Sequence[HarmCase]
    events: Sequence[tuple[int, Event]]


def due_decisions(facts: DecisionFacts) -> list[DueDecision]:
    """The decisions about one model, the earliest date first."""
    signed = sign_offs(facts.events)
    found = [*_harms(facts), *(_today(facts, facts.model) if facts.model else ())]
    for each in found:
        each["signed"] = signed.get(each["id"])
    return sorted(found, key=lambda each: each["due"])


def sign_offs(events: Sequence[tuple[int, Event]]) -> Mapping[str, SignOff]:
    """The latest sign-off of each decision, by its id."""
    found: dict[str, SignOff] = {}
    for _, event in events:
        if event.kind == DECIDED:
            sign_off: SignOff = {"actor": event.actor, "at": event.time, "reason": event.reason}
            found[str(event.detail.get("decision", ""))] = sign_off
    return found


def _harms(facts: DecisionFacts) -> Iterator[DueDecision]:
    for case in facts.cases:
        ends = "" if case["protected"] or case["until"] is not None else " It goes on: this cannot wait."
        days = 0 if ends else WEEK_DAYS
        text = f"Look at the harm for {case['who']} of {moment_words(case['at'])}, and say what follows from it.{ends}"
        scope = MODEL_SCOPE if case["scope"].startswith(FOUND_PREFIX) else case["scope"]
        yield _decision(facts, "harm", _digest(case["event"]), scope, _date(case["at"], days), text)


def _today(facts: DecisionFacts, model: Mapping[str, Any]) -> Iterator[DueDecision]:
    """The decisions that follow from what is so now."""
    yield from _approval(facts, model["qualification"])
    for group in model["found"]:
        if not group["declared"]:
            text = (
                f"Harm was found in a group that is not watched by name: {group['title']} "
                f"({percent(group['rate'])} of its answers differ). Decide whether it is to be watched by name."
            )
            key = group["scope"] or group["title"]
            yield _decision(facts, "group", key, group["scope"] or MODEL_SCOPE, _date(group["at"], WEEK_DAYS), text)
    for scope in (model["everyone"], *model["groups"]):
        who = capitalized(group_words(scope["scope"], facts.name))
        since = scope["since"] or facts.now
        if scope["state"] == "latched":
            text = (
                f"{who}: the full model answers until a person decides. Put a better small model in place, or let the "
                "small one try again."
            )
            yield _decision(facts, "stays", scope["scope"], scope["scope"], _date(since, WEEK_DAYS), text)
        elif scope["held"]:
            which = "full" if scope["answers"] == "full" else "small"
            text = f"{who}: by an order of {scope['by']} the {which} model answers. Decide whether it is to end."
            yield _decision(facts, "order", scope["scope"], scope["scope"], _date(since, WEEK_DAYS), text)


def _approval(facts: DecisionFacts, found: Mapping[str, Any] | None) -> Iterator[DueDecision]:
    if (
        found is None
        or found["expires"] is None
        or found["expires"] > facts.now + timedelta(EXPIRY_DAYS).total_seconds()
    ):
        return
    day = datetime.fromtimestamp(found["expires"], UTC).date()
    ended = found["expires"] <= facts.now
    text = f"The approval of the small model {'has ended' if ended else 'ends'} on {date_words(day)}. Renew it" + (
        "." if ended else "; without one the full model answers everybody."
    )
    yield _decision(facts, "approval", found["statement"][:12], MODEL_SCOPE, day.isoformat(), text)


def _decision(facts: DecisionFacts, kind: DueKind, key: str, scope: str, due: str, text: str) -> DueDecision:
    return {
        "id": f"{facts.name}/{kind}/{key}",
        "kind": kind,
        "model": facts.name,
        "scope": scope,
        "owner": facts.owner,
        "due": due,
        "signed": None,
        "says": text,
    }


def _digest(identity: str) -> str:
    """A short name for an event that is the same on each gateway of a cluster; numbers of events are not."""
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def _date(seconds: float, days: int) -> str:
    return (datetime.fromtimestamp(seconds, UTC) + timedelta(days)).date().isoformat()
