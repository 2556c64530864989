"""Opinions of reviewers about two answers: the true class that follows from one, and how far two reviewers agree."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from math import nan

OF_TWO = 2


class Opinion(StrEnum):
    """Which of the two answers a reviewer holds to be right."""

    A = "a"
    B = "b"
    NEITHER = "neither"
    BOTH = "both"
    UNKNOWN = "unknown"


def true_class(opinion: Opinion, a: int, b: int, *, classes: int = 0, named: int | None = None) -> int | None:
    """The true class that follows from an opinion about the answers ``a`` and ``b``; None if none does.

    ``classes`` is the number of classes, 0 if unknown: where neither answer is right and both are the same one of two
    classes, it is the other one. ``named`` is the class that the reviewer named instead.

    >>> true_class(Opinion.B, 3, 1), true_class(Opinion.NEITHER, 0, 0, classes=2), true_class(Opinion.BOTH, 0, 1)
    (1, 1, None)
    """
    if opinion in {Opinion.A, Opinion.B}:
        return a if opinion is Opinion.A else b
    if opinion is Opinion.BOTH:
        return a if a == b else None
    if opinion is Opinion.UNKNOWN:
        return None
    if named is not None:
        return None if named in {a, b} else named
    return 1 - a if a == b and classes == OF_TWO else None


def kappa(pairs: Sequence[tuple[Opinion, Opinion]]) -> float:
    """Cohen's kappa of two opinions about each row: 1 where all agree, 0 for what chance gives; NaN where it is not
    defined, without rows or where both always say the same.

    Source: Cohen, A coefficient of agreement for nominal scales, 1960.

    >>> kappa([(Opinion.A, Opinion.A), (Opinion.B, Opinion.B)])
    1.0
    """
    if not pairs:
        return nan
    agreed = sum(first == second for first, second in pairs) / len(pairs)
    first, second = (Counter(pair[side] for pair in pairs) for side in (0, 1))
    expected = sum(first[opinion] * second[opinion] for opinion in Opinion) / len(pairs) ** 2
    return nan if expected == 1 else (agreed - expected) / (1 - expected)
