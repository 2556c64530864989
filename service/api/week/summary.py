"""The first sentences of a week: harm, money, decisions."""

from collections.abc import Sequence

from tightrope.service.api.overview.phrases import joined
from tightrope.service.api.week.documents import DueDecision, HarmCase, ModelWeek, WeekPoint
from tightrope.service.api.week.words import SECONDS_OF_HOUR, about_time, times


def sentences(
    models: Sequence[ModelWeek], decisions: Sequence[DueDecision], point: WeekPoint, *, complete: bool
) -> list[str]:
    """The sentences above all else; a week that is not over says so."""
    so_far = [] if complete else ["This week is not over: the figures are those until now."]
    return [*so_far, _harm(models), _money(point), _decisions(decisions)]


def _harm(models: Sequence[ModelWeek]) -> str:
    cases = [case for model in models for case in model["harm"]["cases"]]
    open_cases = [case for case in cases if not case["protected"] and case["until"] is None]
    unknown = [model["name"] for model in models if model["harm"]["answer"] == "unknown"]
    if open_cases:
        return (
            f"Harm was noticed {times(len(cases))}, and it goes on for {joined([each['who'] for each in open_cases])}."
        )
    late = [case for case in cases if not case["protected"]]
    if late:
        return f"Harm was noticed {times(len(cases))}; it was not held off at once for {late[0]['who']}, and is over."
    if cases:
        took = [_took_over(case) for case in cases]
        each = took[0] if len({*took}) == 1 else "the full model answered, or was asked again about such answers,"
        return f"Harm was noticed {times(len(cases))}, and {'each time ' if len(cases) > 1 else ''}{each} from then on."
    if unknown:
        return f"Whether harm was done is not known for {joined(unknown)}."
    return "No harm was noticed."


def _took_over(case: HarmCase) -> str:
    return "the full model was asked again about such answers" if case["asked"] else "the full model answered"


def _money(point: WeekPoint) -> str:
    saved, spent = point["saved_hours"], point["safety_hours"]
    if saved is None:
        return "What was saved is not known."
    if spent is None:
        return f"The small model saved {about_time(saved * SECONDS_OF_HOUR)}; what safety cost is not known."
    left = saved - spent
    verb = "saved" if left >= 0 else "cost"
    return f"After the cost of safety the small model {verb} {about_time(left * SECONDS_OF_HOUR)} of compute time."


def _decisions(decisions: Sequence[DueDecision]) -> str:
    waiting = [each for each in decisions if each["signed"] is None]
    if not waiting:
        return "No decision is due."
    return "One decision is due." if len(waiting) == 1 else f"{len(waiting)} decisions are due."
