"""The harm of a week: what was noticed, how long it had gone on, how many answers it took, and who is still answered by
the full model.

How it works. An alarm's event has the estimated beginning as the number of a request of the model, with a range. The
requests since then, times the share of the group among the requests, times the rate at which answers differ, are the
answers of the harmful kind. Where only some requests are compared, the number is divided by their share. The time is
that of the estimate; its range is that of the requests, at the pace between the beginning and the alarm.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.monitors.verdict import Interval, Onset
from tightrope.service.api.overview.event_words import asked_of
from tightrope.service.api.overview.phrases import capitalized, class_phrase, finding
from tightrope.service.api.week.documents import Estimate, HarmCase
from tightrope.service.api.week.history import is_held_off
from tightrope.service.api.week.iso_week import Week
from tightrope.service.api.week.spans import FOUND, TrailSpan, found_key, unprotected_spans
from tightrope.service.api.week.words import about, group_words, moment_words, range_words, time_words

COUNTED_MONITOR = "disagreement"
"""The monitor whose rate is a share of all answers; the rates of others are of some of them."""


@dataclass(frozen=True, slots=True)
class AnswerShares:
    """Shares by scope: ``of_requests`` are the scope's (None: not known), ``compared`` those of its requests."""

    of_requests: Callable[[str], float | None]
    compared: Callable[[str], float]


def harm_cases(
    model: str, events: Sequence[tuple[int, Event]], week: Week, now: float, shares: AnswerShares
) -> list[HarmCase]:
    """The harms of one model that were noticed in a week, the earliest first."""
    end = min(week.until, now)
    open_spans = {span.seq: span for span in unprotected_spans(events)}
    found = []
    for seq, event in events:
        if not week.since <= event.time < end:
            continue
        if event.kind == FOUND:
            found.append(_found_case(seq, event, open_spans[seq], end, shares))
        elif event.kind == "breach" and (seq in open_spans or (event.detail.get("moved") and is_held_off(event))):
            found.append(_alarm_case(model, seq, event, open_spans.get(seq), end, shares))
    return found


def onset_estimates(
    rows: int, time: float, onset: Onset, now: Interval | None, share: float | None, compared: float
) -> tuple[Estimate, Estimate | None]:
    """The time from the beginning of a harm to its alarm at ``time``, after ``rows`` rows of the model, and the answers
    of the harmful kind: None where the rate ``now``, or the ``share`` of the group, is not known.

    >>> onset = Onset(number=900, earliest=800, latest=960, unit="request", time=70.0)
    >>> times, answers = onset_estimates(1000, 100.0, onset, Interval(0.5, 0.25, 0.75, 30), 0.2, 1.0)
    >>> times, answers
    ({'about': 30.0, 'least': 12.0, 'most': 60.0}, {'about': 10.0, 'least': 2.0, 'most': 30.0})
    """
    between = max(rows - onset.number, 0)
    least, most = max(rows - onset.latest, 0), max(rows - onset.earliest, between)
    seconds = max(time - onset.time, 0.0)
    pace = seconds / between if between else 0.0
    times: Estimate = {"about": seconds, "least": min(pace * least, seconds), "most": max(pace * most, seconds)}
    if now is None or share is None:
        return times, None
    scale = share if onset.unit == "request" else share / compared
    answers: Estimate = {
        "about": between * scale * now.mean,
        "least": least * scale * max(now.lower, 0.0),
        "most": most * scale * now.upper,
    }
    return times, answers


def _alarm_case(
    model: str, seq: int, event: Event, unprotected: TrailSpan | None, end: float, shares: AnswerShares
) -> HarmCase:
    cases = [each for each in _list(event.detail.get("monitors")) if isinstance(each, Mapping)]
    case = next((each for each in cases if each.get("monitor") == COUNTED_MONITOR), cases[0] if cases else {})
    onset, now = _onset(case), _interval(case)
    times = answers = None
    if onset is not None:
        counts = case["monitor"] == COUNTED_MONITOR
        share = 1.0 if event.scope == MODEL_SCOPE else shares.of_requests(event.scope)
        rows = int(str(event.detail.get("samples", 0)))
        estimates = onset_estimates(
            rows, event.time, onset, now if counts else None, share, shares.compared(event.scope)
        )
        times, answers = estimates
    text = finding(str(case["monitor"]), str(case.get("variant", "")), now, float(case["limit"])) if case else ""
    who = group_words(event.scope, model, asked_of(event))
    why = "Tightrope only advises here" if event.detail.get("armed") is False else "a person ordered so"
    return _case(seq, event, event.scope, who, (times, answers), text, unprotected, why, end, onset)


def _found_case(seq: int, event: Event, unprotected: TrailSpan, end: float, shares: AnswerShares) -> HarmCase:
    detail: Mapping[str, Any] = event.detail
    now, number = _interval(detail), int(detail["since_row"])
    onset = Onset(number, number, number, "compared row", float(detail["since_time"]))
    share, compared = float(detail["share"]), shares.compared(MODEL_SCOPE)
    estimates = onset_estimates(int(detail["row"]), event.time, onset, now, share, compared)
    text = finding(COUNTED_MONITOR, "", now, float(detail["limit"]))
    who = f"a group that is not watched by name ({detail['words']})"
    why = "groups that are not watched by name keep the small model"
    return _case(seq, event, found_key(event), who, estimates, text, unprotected, why, end, onset)


def _case(
    seq: int,
    event: Event,
    scope: str,
    who: str,
    estimates: tuple[Estimate | None, Estimate | None],
    text: str,
    unprotected: TrailSpan | None,
    why: str,
    end: float,
    onset: Onset | None,
) -> HarmCase:
    protected = unprotected is None and is_held_off(event)
    until = event.time if unprotected is None else unprotected.end if (unprotected.end or end) < end else None
    seconds, answers = estimates
    asked = asked_of(event) if protected else ()
    after = _afterwards(until, why, asked, protected=protected)
    return {
        "seq": seq,
        "event": event.id,
        "scope": scope,
        "who": who,
        "at": event.time,
        "began": onset.time if onset else None,
        "seconds": seconds,
        "answers": answers,
        "protected": protected,
        "asked": list(asked),
        "until": until,
        "says": f"{_noticed(event.time, who, seconds, answers, text)} {after}",
    }


def _noticed(time: float, who: str, seconds: Estimate | None, answers: Estimate | None, text: str) -> str:
    """The sentence about what was noticed: how long it had gone on, and how many answers it took."""
    found = f": {text}" if text else ""
    if seconds is None:
        return f"{moment_words(time)}: Tightrope noticed harm for {who}{found}. Since when it was so is not known."
    ends = range_words(time_words(seconds["least"]), time_words(seconds["most"]))
    long = f"about {time_words(seconds['about'])} ({ends})"
    if answers is None:
        unknown = "How many answers were of the harmful kind is not known."
        return f"{moment_words(time)}: Tightrope noticed harm for {who} after {long}{found}. {unknown}"
    many = f"about {about(answers['about'])} answers ({about(answers['least'])} to {about(answers['most'])})"
    return f"{moment_words(time)}: for {long} {many} to {who} were of the harmful kind before Tightrope noticed{found}."


def _afterwards(until: float | None, why: str, asked: Sequence[str], *, protected: bool) -> str:
    if asked:
        return f"From then on the full model was asked again {class_phrase(asked)}."
    if protected:
        return "From then on the full model answered."
    if until is None:
        return f"It goes on: the small model still answers, because {why}."
    return f"It was not held off until {moment_words(until)}, because {why}."


def harm_sentences(answer: str, cases: Sequence[HarmCase]) -> list[str]:
    """The sentences about the harm of a week."""
    if cases:
        return [capitalized(case["says"]) for case in cases]
    if answer == "unknown":
        return ["That is not known: nothing was compared, or nothing is on record for this week."]
    return ["No harm was noticed."]


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _onset(case: Mapping[str, Any]) -> Onset | None:
    found = case.get("since")
    return Onset(**found) if isinstance(found, Mapping) else None


def _interval(case: Mapping[str, Any]) -> Interval | None:
    found = case.get("now")
    return Interval(**found) if isinstance(found, Mapping) else None
