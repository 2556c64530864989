"""How far a model's judgement is: counts that are shown beside the verdicts."""

from typing import TypedDict

from tightrope.monitors.plan import State


def label_coverage(state: State) -> float | None:
    """Compute the labelled share of the rows that have their label or can no longer get one; None without any."""
    joined, expired = state.labels.get("joined", 0), state.labels.get("expired", 0)
    return joined / (joined + expired) if joined + expired else None


class RowCounts(TypedDict):
    """Rows of one scope: compared, of other classes, that could not be compared, and refused by each role.

    >>> RowCounts(compared=8, disagreed=1, errors=0, refused={"baseline": 0, "compressed": 2})["disagreed"]
    1
    """

    compared: int
    disagreed: float
    errors: int
    refused: dict[str, int]


class NoiseCounts(TypedDict):
    """Rows on which the baseline was asked twice, and the sum of its disagreement with itself on them: their number
    where it is all or nothing.

    >>> NoiseCounts(asked_twice=8, contradictions=0)
    {'asked_twice': 8, 'contradictions': 0}
    """

    asked_twice: int
    contradictions: float


class RepeatCounts(TypedDict):
    """Rows that are not counted because they repeat others, by reason, and the ``popular`` inputs on which the models
    differ: the ``rows`` of each among the latest 4,096, and those that differ.

    >>> RepeatCounts(uncounted={"input": 309}, popular=[{"rows": 310, "differing": 310}])["popular"][0]["rows"]
    310
    """

    uncounted: dict[str, int]
    popular: list[dict[str, int]]


class JudgementProgress(TypedDict):
    """How far a model's judgement is: judged rows, rows of the open tick, stale rows, labels by what became of them and
    their coverage, the autocorrelation of neighbouring rows, whether rows depend on each other, repeats, and rows by
    scope.

    >>> sorted(JudgementProgress.__annotations__)[:3]
    ['autocorrelation', 'coverage', 'dependent']
    """

    seen: int
    pending: int
    stale: int
    labels: dict[str, int]
    coverage: float | None
    autocorrelation: float | None
    dependent: bool
    noise: NoiseCounts
    repeats: RepeatCounts
    scopes: dict[str, RowCounts]
