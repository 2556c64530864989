"""Events of the audit trail as people say them: one sentence each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tightrope.monitors.intervals import words
from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.monitors.verdict import Interval, Onset
from tightrope.service.api.overview.phrases import EVERYBODY, class_phrase, finding, scope_title

TIGHTROPE = "Tightrope"
MACHINE_ACTORS = {"judge": TIGHTROPE, "gateway": TIGHTROPE}

HARM, WELL, ORDER, CHANGE = SORTS = ("harm", "well", "order", "change")
"""Sorts of events: harm or danger, its end, an order of a person, another change."""

QUIET_KINDS = frozenset({"dwell-elapsed", "new-artefact"})
"""Kinds that are no news for people."""


@dataclass(frozen=True, slots=True)
class _Phrase:
    """The sort of a kind of event, and its sentence: {who} acts on {scope}, and {reason} says why."""

    sort: str
    sentence: str


_PHRASES: Mapping[str, _Phrase] = {
    "blind": _Phrase(HARM, "The full model answers {scope}: nothing shows whether the small one is safe ({reason})."),
    "unreadable": _Phrase(HARM, "The full model answers {scope}: the earlier state could not be read ({reason})."),
    "known-harm": _Phrase(HARM, "The full model answers {scope}: {reason}."),
    "withheld": _Phrase(HARM, "The full model answers {scope}: {reason}."),
    "dwell-elapsed": _Phrase(CHANGE, "The shortest stay of {scope} is over: it may return once the small model proves "
                                     "itself."),
    "new-artefact": _Phrase(CHANGE, "Another small model: {scope} stays with the full one until it has proved itself."),
    "force-safe": _Phrase(ORDER, "{who} had the full model answer {scope}: {reason}"),
    "force-normal": _Phrase(ORDER, "{who} had the small model answer {scope}: {reason}"),
    "release": _Phrase(ORDER, "{who} gave {scope} back to Tightrope: {reason}"),
    "order-refused": _Phrase(ORDER, "An order of {who} for {scope} was refused: {reason}"),
    "deployed": _Phrase(ORDER, "{who} put another model in place: {reason}"),
    "rolled-back": _Phrase(ORDER, "{who} went back to the models before: {reason}"),
    "blind-began": _Phrase(HARM, "The full model answers {scope}: {reason}."),
    "blind-ended": _Phrase(WELL, "Answers are judged again."),
    "judge-silent": _Phrase(HARM, "The full model answers {scope}: {reason}."),
    "plan-unjudged": _Phrase(HARM, "The full model answers {scope}: {reason}."),
    "judge-heard": _Phrase(WELL, "A judge is heard again."),
    "scope-blind-began": _Phrase(HARM, "The full model answers {scope}: {reason}."),
    "scope-blind-ended": _Phrase(WELL, "Answers to {scope} are judged again."),
    "starved-began": _Phrase(HARM, "The full model answers {scope}: {reason}."),
    "starved-ended": _Phrase(WELL, "Enough requests of {scope} are kept again."),
    "rows-lost": _Phrase(HARM, "Kept requests of {scope} do not arrive: {reason}."),
    "rows-arrive": _Phrase(WELL, "Kept requests of {scope} arrive again."),
    "unqualified": _Phrase(HARM, "The full model answers {scope}, for lack of a valid qualification: {reason}."),
    "qualified": _Phrase(WELL, "The small model is qualified again: {reason}."),
    "group-found": _Phrase(HARM, "Harm in a group that is not declared: {reason}."),
    "group-over": _Phrase(WELL, "A found group is well again: {reason}."),
    "group-watched": _Phrase(ORDER, "{who} has the found group {scope} watched: {reason}"),
    "group-unwatched": _Phrase(ORDER, "{who} ended the watch of the found group {scope}: {reason}"),
    "decided": _Phrase(ORDER, "{who} signed off a decision about {scope}: {reason}"),
    "erased": _Phrase(ORDER, "{who} had a request erased: {reason}"),
    "subgroup-unseen": _Phrase(HARM, "Requests of {scope} are missing: {reason}."),
    "subgroup-seen": _Phrase(WELL, "Requests of {scope} come again."),
    "fallback-rationed": _Phrase(HARM, "The full model cannot bear all requests: {reason}."),
    "fallback-whole": _Phrase(WELL, "The full model bears all requests again."),
    "record-stopped": _Phrase(HARM, "Incidents are not recorded: {reason}."),
    "record-resumed": _Phrase(WELL, "Incidents are recorded again."),
    "trail-changed": _Phrase(HARM, "The audit trail was changed by something else: {reason}."),
    "latency-breach": _Phrase(HARM, "Answers take too long: {reason}."),
    "latency-met": _Phrase(WELL, "Answers are fast enough again."),
    "model-failed": _Phrase(HARM, "A model fails: {reason}."),
    "unmonitored": _Phrase(HARM, "Answers are given that cannot be judged: {reason}."),
}  # fmt: skip
"""The sentences of kinds whose words do not depend on what moved."""


@dataclass(frozen=True, slots=True)
class TrailLine:
    """An event for people: ``text`` says it, ``sort`` is one of `SORTS`. ``moved`` tells whether the full model took
    over or gave back, ``state`` and ``held`` are those of the scope after it, and ``alarm`` is the evidence at an alarm
    as a share of what it needs (None: no alarm). ``asked`` are the classes to which it narrows the model.
    """

    seq: int
    at: float
    model: str
    kind: str
    sort: str
    scope: str
    actor: str
    text: str
    raw: str
    moved: bool = False
    state: str = ""
    held: bool = False
    alarm: float | None = None
    monitor: str = ""
    asked: tuple[str, ...] = ()


def trail_line(seq: int, event: Event) -> TrailLine:
    """An event for people."""
    detail = event.detail
    after, cases = _mapping(detail.get("after")), _cases(detail)
    alarm = _share(cases[0]) if event.kind == "breach" and cases else None
    return TrailLine(
        seq=seq,
        at=event.time,
        model=event.model,
        kind=event.kind,
        sort=event_sort(event.kind),
        scope=event.scope,
        actor=event.actor,
        text=event_sentence(event),
        raw=event.reason,
        moved=bool(detail.get("moved")),
        state=str(after.get("state", "")),
        held=bool(after.get("held")),
        alarm=alarm,
        monitor=str(cases[0].get("monitor", "")) if alarm is not None else "",
        asked=asked_of(event),
    )


def event_sort(kind: str) -> str:
    """The sort of a kind of event."""
    if kind in {"breach", "recovered"}:
        return HARM if kind == "breach" else WELL
    return _PHRASES[kind].sort if kind in _PHRASES else CHANGE


def event_sentence(event: Event) -> str:
    """One event as people say it.

    >>> event_sentence(Event("1", 0.0, "m", "force-safe", "sex=f", "Ben", "incident 7"))
    'Ben had the full model answer f (sex): incident 7'
    """
    special: Callable[[Event, str], str] | None = {"breach": _breach, "recovered": _recovered}.get(event.kind)
    scope = EVERYBODY if event.scope == MODEL_SCOPE else scope_title(event.scope)
    if special is not None:
        return special(event, scope)
    phrase = _PHRASES.get(event.kind)
    who, reason = MACHINE_ACTORS.get(event.actor, event.actor), event.reason
    if phrase is None:
        return f"{event.kind.replace('-', ' ').capitalize()} ({scope}): {reason}"
    ends = phrase.sentence.endswith(("{reason}.", "({reason})."))
    return phrase.sentence.format(who=who, scope=scope, reason=reason.rstrip(".") if ends else reason)


def _breach(event: Event, scope: str) -> str:
    cases = _cases(event.detail)
    found = _case_text(cases[0]) if cases else event.reason
    if event.detail.get("armed") is False and not event.detail.get("moved"):
        return f"Harm for {scope}, and the fallback only advises: {found}."
    if not event.detail.get("moved"):
        return f"Further evidence about {scope}: {found}."
    after = _mapping(event.detail.get("after"))
    stays = " It came back and failed too often, so it stays there until a person decides."
    if event.detail.get("armed") is False:
        return f"Harm for {scope}, and the fallback only advises: {found}."
    if after.get("asked"):
        return f"The full model is asked again {class_phrase(asked_of(event))}: {found}."
    return f"The full model took over for {scope}: {found}.{stays if after.get('state') == 'latched' else ''}"


def asked_of(event: Event) -> tuple[str, ...]:
    """The names of the classes to which its model is narrowed after an event, empty without any; in an event of an
    earlier release their numbers.

    >>> after = {"state": "safe", "asked": [3]}
    >>> asked_of(Event("1", 0.0, "m", "breach", "model", "judge", "", {"after": after}))
    ('3',)
    """
    asked = _mapping(event.detail.get("after")).get("asked")
    named = event.detail.get("asked")
    return tuple(map(str, named if isinstance(named, list | tuple) and named else asked)) if asked else ()


def _recovered(event: Event, scope: str) -> str:
    proved = "it has proved itself" if _cases(event.detail) else "answers are compared again"
    return f"The small model answers {scope} again: {proved}."


def _case_text(case: Mapping[str, Any]) -> str:
    """The finding of a case of an event: its clause, and since when."""
    now = _mapping(case.get("now"))
    if not now and case.get("recent_mean") is not None:  # an event of an earlier release has no interval
        mean = float(case["recent_mean"])
        now = {"mean": mean, "lower": mean, "upper": mean, "rows": case.get("recent_count") or 0}
    interval = Interval(**now) if now else None
    text = finding(str(case["monitor"]), str(case.get("variant", "")), interval, float(case["limit"]))
    onset = _mapping(case.get("since"))
    more = ([words.since(Onset(**onset))] if onset else []) + ([f"{interval.rows:,} answers"] if interval else [])
    return ", ".join([text, *more])


def _share(case: Mapping[str, Any]) -> float | None:
    evidence, threshold = case.get("evidence"), case.get("threshold")
    return None if evidence is None or not threshold else float(evidence) / float(threshold)


def _cases(detail: Mapping[str, object]) -> Sequence[Mapping[str, Any]]:
    found = detail.get("monitors")
    return [case for case in found if isinstance(case, Mapping)] if isinstance(found, list | tuple) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
