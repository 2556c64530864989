"""Counts by the role that answered, and the processor time of several days together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tightrope.monitors.cost.shares import ModelCpu


@dataclass(frozen=True, slots=True)
class RoleCounts:
    """Counts of what each of the two models answered.

    >>> RoleCounts(compressed=3, baseline=1).total
    4
    """

    compressed: int = 0
    baseline: int = 0

    @property
    def total(self) -> int:
        """The sum of both."""
        return self.compressed + self.baseline


def summed_cpu(costs: Iterable[ModelCpu]) -> ModelCpu:
    """The CPU seconds of several times together. An estimate that is not known for one of them is not known for all;
    the shadow is that of the times for which it is known.

    >>> summed_cpu([ModelCpu(answer=1, shadow=None), ModelCpu(answer=2, shadow=1, answer_by_baseline=None)])
    ModelCpu(answer=3, fallback=0.0, escalation=0.0, shadow=1, answer_by_baseline=None, fallback_by_compressed=0.0)
    """
    times = list(costs)
    shadow = [each.shadow for each in times if each.shadow is not None]
    return ModelCpu(
        answer=sum(each.answer for each in times),
        fallback=sum(each.fallback for each in times),
        escalation=sum(each.escalation for each in times),
        shadow=sum(shadow) if shadow or not times else None,
        answer_by_baseline=_sum_if_known([each.answer_by_baseline for each in times]),
        fallback_by_compressed=_sum_if_known([each.fallback_by_compressed for each in times]),
    )


def _sum_if_known(seconds: Sequence[float | None]) -> float | None:
    known = [each for each in seconds if each is not None]
    return sum(known) if len(known) == len(seconds) else None
