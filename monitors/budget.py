"""The one budget of false alarms, and how it is divided over every cell of a model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tightrope.monitors import verdict
from tightrope.monitors.catalogue import SUBGROUP_SHARE, Kind, Question, Reach
from tightrope.monitors.detector import Bernoulli, Signed
from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.evidence import UNWATCHED, MeanTest, RateTest, Test
from tightrope.monitors.records import Floats


@dataclass(frozen=True, slots=True)
class Budget:
    """At most one false alarm in ``samples`` samples on average, over every cell of a model together."""

    samples: float = 3.15e8

    @property
    def threshold(self) -> float:
        """ln A: what the evidence of any cell is held against."""
        return float(np.log(self.samples))


@dataclass(frozen=True, slots=True)
class Ask:
    """A question that is asked of a model, in these variants, with limits (S,): the model first, then its subgroups.

    ``bound`` is the largest absolute value that the observed quantity can have. With several ``lanes`` the rows of a
    stream go to that many detectors in turn, each seeded by its own rows: for rows that depend on their neighbours.
    """

    question: Question
    variants: tuple[str, ...]
    limits: Floats
    bound: float = 1.0
    lanes: int = 1


def rules(asks: Sequence[Ask], budget: Budget, recovery_ratio: float) -> tuple[Rule, ...]:
    """The rules of one model."""
    subgroup_cells = sum(len(ask.variants) * (len(ask.limits) - 1) for ask in asks if _reaches_subgroups(ask))
    return tuple(_rule(ask, _shares(ask, subgroup_cells), budget, recovery_ratio) for ask in asks)


def _reaches_subgroups(ask: Ask) -> bool:
    return ask.question.reach is not Reach.MODEL


def _shares(ask: Ask, subgroup_cells: int) -> Floats:
    """Each cell's part of the budget, (S,)."""
    own = SUBGROUP_SHARE / max(subgroup_cells, 1) if _reaches_subgroups(ask) else 0.0
    shares = np.full(len(ask.limits), own)
    shares[0] = ask.question.share / len(ask.variants)
    return shares


def _rule(ask: Ask, shares: Floats, budget: Budget, ratio: float) -> Rule:
    with np.errstate(divide="ignore"):
        log_budget = budget.threshold - np.log(shares)
    if ask.question.kind is Kind.RATE:
        needed = verdict.rows_to_see_rate(ask.limits, log_budget)
        alarm: Test = RateTest(Bernoulli.above(ask.limits))
        back: Test = RateTest(Bernoulli.below(ratio * ask.limits))
        return Rule(ask.question, ask.variants, ask.lanes, ask.limits, shares, needed, alarm, back)
    needed = verdict.rows_to_see_mean(ask.limits, ask.bound, log_budget)
    sides = 1 if ask.question.kind is Kind.UPPER else 2
    values, place = np.unique(ask.limits, return_inverse=True)
    of = np.where(shares > 0, place, UNWATCHED)
    outside = tuple(Signed.outside(float(v), ask.bound, sides) for v in values)
    inside = tuple(Signed.inside(float(ratio * v), ask.bound, sides) for v in values)
    ternary = ask.question.ternary and ask.bound == 1.0
    alarm, back = MeanTest(outside, of, ternary, weaker=False), MeanTest(inside, of, ternary, weaker=True)
    return Rule(ask.question, ask.variants, ask.lanes, ask.limits, shares, needed, alarm, back)
