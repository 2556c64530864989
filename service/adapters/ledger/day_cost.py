"""The cost of a model on a day: requests, rows and processor time by part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from tightrope.monitors.cost.amounts import CostAmounts, CostPart
from tightrope.monitors.cost.days import RoleCounts
from tightrope.monitors.cost.shares import ModelCpu


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCost:
    """The answers of a model on a UTC day, and its CPU seconds by part, None where they are not known. ``estimate``:
    runs of several threads are among them. ``blind_seconds`` is the time in which the baseline answered because
    nothing was judged. ``parts`` names the parts of Tightrope whose counts are in it: ``gateway``, ``worker``.

    >>> from datetime import date
    >>> DayCost(day=date(2026, 11, 30), cpu=ModelCpu(answer=4, answer_by_baseline=6)).cpu.baseline_alone
    6.0
    """

    day: date
    requests: RoleCounts = field(default_factory=RoleCounts)
    rows: RoleCounts = field(default_factory=RoleCounts)
    cpu: ModelCpu = field(default_factory=ModelCpu)
    blind_seconds: float = 0.0
    estimate: bool = False
    parts: Sequence[str] = ()


def day_cost(day: date, by_part: Mapping[str, CostAmounts]) -> DayCost:
    """The cost of a day from the amounts of each part that counted.

    >>> from datetime import date
    >>> day_cost(date(2026, 11, 30), {"gateway": CostAmounts(answer=1.0)}).cpu.shadow is None
    True
    """
    amounts = CostAmounts()
    for each in by_part.values():
        amounts = amounts.plus(each)
    is_timed = amounts.untimed_rows == 0
    return DayCost(
        day=day,
        requests=RoleCounts(round(amounts.requests_compressed), round(amounts.requests_baseline)),
        rows=RoleCounts(round(amounts.rows_compressed), round(amounts.rows_baseline)),
        cpu=ModelCpu(
            answer=amounts.answer,
            fallback=amounts.fallback,
            escalation=amounts.escalation,
            shadow=amounts.shadow if CostPart.WORKER in by_part else None,
            answer_by_baseline=amounts.answer_by_baseline if is_timed else None,
            fallback_by_compressed=amounts.fallback_by_compressed if is_timed else None,
        ),
        blind_seconds=amounts.blind_seconds,
        estimate=amounts.estimated > 0,
        parts=tuple(part for part in CostPart if part in by_part),
    )
