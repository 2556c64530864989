"""Shares of the processor time that the full model alone would take: saved by compression, spent on safety.

The parts add up: what compression saves, less what watching, fallbacks and escalations cost, is what is saved in all.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class RunPart(StrEnum):
    """The purpose of a run in the gateway: an answer of the compressed model, one of the baseline in its place, or one
    of the baseline because the compressed model refused.
    """

    ANSWER = "answer"
    FALLBACK = "fallback"
    ESCALATION = "escalation"


class RunCost(NamedTuple):
    """The processor time of a run, in seconds, with its rows.

    >>> RunCost(RunPart.ANSWER, rows=8, cpu_seconds=0.001).part
    <RunPart.ANSWER: 'answer'>
    """

    part: RunPart
    rows: int
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class ModelCpu:
    """CPU seconds of a model by part. ``answer_by_baseline`` estimates what the baseline would have taken for the runs
    of ``answer``, ``fallback_by_compressed`` the reverse; both are None where that is not known. ``shadow`` is None
    where another process has it.

    >>> ModelCpu(answer=4, fallback=2, shadow=1, answer_by_baseline=6).baseline_alone
    8
    """

    answer: float = 0.0
    fallback: float = 0.0
    escalation: float = 0.0
    shadow: float | None = 0.0
    answer_by_baseline: float | None = 0.0
    fallback_by_compressed: float | None = 0.0

    @property
    def total(self) -> float:
        """The CPU seconds of all parts that are known."""
        return self.answer + self.fallback + self.escalation + (self.shadow or 0.0)

    @property
    def baseline_alone(self) -> float | None:
        """The CPU seconds that the baseline alone would have taken; None where that is not known."""
        return None if self.answer_by_baseline is None else self.answer_by_baseline + self.fallback


@dataclass(frozen=True, slots=True)
class CpuShares:
    """Shares of the CPU seconds that the baseline alone would have taken. ``saved`` is what compression saves where
    the compressed model answers everything, less than 0 where it costs more; ``watching`` is None where another process
    has it. ``in_all`` is what is saved after all costs that are known.

    >>> CpuShares(saved=0.5, watching=0.125, fallbacks=0.0, escalations=0.0, in_all=0.375).in_all
    0.375
    """

    saved: float
    watching: float | None
    fallbacks: float
    escalations: float
    in_all: float


def cpu_shares(cpu: ModelCpu) -> CpuShares | None:
    """The shares of a model; None where the time of the baseline alone is not known, or nothing was answered.

    >>> cpu_shares(ModelCpu(answer=4, fallback=2, shadow=1, answer_by_baseline=6, fallback_by_compressed=1))
    CpuShares(saved=0.375, watching=0.125, fallbacks=0.125, escalations=0.0, in_all=0.125)
    """
    alone = cpu.baseline_alone
    if not alone or cpu.fallback_by_compressed is None:
        return None
    return CpuShares(
        saved=1.0 - (cpu.answer + cpu.fallback_by_compressed) / alone,
        watching=None if cpu.shadow is None else cpu.shadow / alone,
        fallbacks=(cpu.fallback - cpu.fallback_by_compressed) / alone,
        escalations=cpu.escalation / alone,
        in_all=1.0 - cpu.total / alone,
    )
