"""The JSON of what a model cost by day."""

from collections.abc import Callable
from datetime import UTC, date, datetime

from tightrope.monitors.cost.amounts import CostPart
from tightrope.service.adapters.ledger.day_cost import DayCost
from tightrope.service.api.cost.documents import CostDays, CostOfDay
from tightrope.service.api.cost.ports import DailyCosts
from tightrope.service.errors import CallerError, quote

DEFAULT_DAYS = 7
"""Days of an answer, today included, where the caller names none."""


def utc_today() -> date:
    """Today, in UTC."""
    return datetime.now(UTC).date()


def cost_days(
    costs: DailyCosts, model: str, first: str | None, last: str | None, today: Callable[[], date] = utc_today
) -> CostDays:
    """The document of a model from the day ``first`` to ``last``, as YYYY-MM-DD: by default up to today, and the week
    up to ``last``.

    Raises:
        CallerError: when one of them is no day, or they are in the wrong order.
        UnavailableError: when the ledger cannot be read now.
    """
    to = today() if last is None else _day("to", last)
    week = date.fromordinal(max(1, to.toordinal() - DEFAULT_DAYS + 1))
    begin = week if first is None else _day("from", first)
    if begin > to:
        raise CallerError(f"from: {begin} is after to: {to}; the first day comes first")
    days = costs.between(model, begin, to)
    parts = [part for part in CostPart if any(part in day.parts for day in days)]
    return {
        "model": model,
        "days": [_document(day) for day in days],
        "parts": [*parts],
        "missing": [part for part in CostPart if part not in parts],
    }


def _day(name: str, text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise CallerError(f"{name}: {quote(text)} is no day; write it as YYYY-MM-DD, such as 2026-11-30") from None


def _document(day: DayCost) -> CostOfDay:
    cpu = day.cpu
    return {
        "day": day.day.isoformat(),
        "requests": {"compressed": day.requests.compressed, "baseline": day.requests.baseline},
        "rows": {"compressed": day.rows.compressed, "baseline": day.rows.baseline},
        "cpu_seconds": {
            "answer": cpu.answer,
            "fallback": cpu.fallback,
            "escalation": cpu.escalation,
            "shadow": cpu.shadow,
        },
        "other_model_cpu_seconds": {"answer": cpu.answer_by_baseline, "fallback": cpu.fallback_by_compressed},
        "blind_seconds": day.blind_seconds,
        "estimate": day.estimate,
        "parts": [*day.parts],
    }
