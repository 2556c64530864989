"""The e-detector in exact rational numbers: slow, obvious, and independent of the code under test."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from math import log, prod

EValue = Callable[[Fraction], Fraction]
Batch = tuple[Fraction | int, Sequence[Fraction | int]]
"""The seed of a tick and its observations."""


def likelihood_ratio(q: Fraction, p: Fraction) -> EValue:
    """The e-value of a one or a zero against a rate of at most p (q > p), or of at least p (q < p)."""
    return lambda y: q / p if y else (1 - q) / (1 - p)


def bet(share: Fraction, tolerance: Fraction, bound: Fraction, *, sign: int, inside: bool = False) -> EValue:
    """1 + lambda * (sign * y - tolerance), or inverted; lambda is a share of 0.98 / (bound + tolerance)."""
    stake = Fraction(98, 100) / (bound + tolerance) * share
    return lambda y: 1 + stake * (sign * y - tolerance) * (-1 if inside else 1)


def masses(ticks: Iterable[Batch], e_values: Sequence[EValue]) -> list[list[Fraction]]:
    """Every alternative's mass after every tick: M <- (M + seed) * product of e(y)."""
    current = [Fraction(0)] * len(e_values)
    history = []
    for seed, ys in ticks:
        factors = [prod(e(Fraction(y)) for y in ys) for e in e_values]
        current = [(mass + seed) * factor for mass, factor in zip(current, factors, strict=True)]
        history.append(current)
    return history


def logarithm(value: Fraction) -> float:
    """ln of a positive rational of any size."""
    return log(value.numerator) - log(value.denominator)


def evidence(ticks: Iterable[Batch], e_values: Sequence[EValue]) -> list[float]:
    """ln of the mean mass of all alternatives after every tick."""
    return [logarithm(sum(each, Fraction(0)) / len(each)) for each in masses(ticks, e_values)]
