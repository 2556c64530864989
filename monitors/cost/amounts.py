"""Amounts of what a model cost in some time. All of them add up, so that several processes can count for one day."""

from enum import StrEnum
from typing import NamedTuple


class CostPart(StrEnum):
    """The parts of Tightrope that count costs."""

    GATEWAY = "gateway"
    WORKER = "worker"


class CostAmounts(NamedTuple):
    """Requests and rows by the role that answered, CPU seconds by part, what the other model would have taken for two
    of them, and the seconds blind. ``estimated`` are those CPU seconds that belong to runs of several threads, and
    ``untimed_rows`` the rows answered while it was not known what the other model takes.

    >>> CostAmounts(answer=1.0).plus(CostAmounts(answer=2.0, rows_compressed=3)).answer
    3.0
    """

    requests_compressed: float = 0.0
    requests_baseline: float = 0.0
    rows_compressed: float = 0.0
    rows_baseline: float = 0.0
    answer: float = 0.0
    fallback: float = 0.0
    escalation: float = 0.0
    shadow: float = 0.0
    answer_by_baseline: float = 0.0
    fallback_by_compressed: float = 0.0
    blind_seconds: float = 0.0
    estimated: float = 0.0
    untimed_rows: float = 0.0

    def plus(self, other: "CostAmounts") -> "CostAmounts":
        """The sum of both."""
        return CostAmounts(*(mine + its for mine, its in zip(self, other, strict=True)))
