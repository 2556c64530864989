"""Divide the one budget of false alarms over all cells of a model, and build the model's rules."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tightrope.monitors import verdict
from tightrope.monitors.catalogue import SUBGROUP_SHARE, Hypothesis, MonitorDefinition, Reach
from tightrope.monitors.detector import Bernoulli, Signed
from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.evidence import UNWATCHED, HypothesisTest, MeanTest, RateTest
from tightrope.monitors.records import Floats


@dataclass(frozen=True, slots=True)
class Budget:
    """At most one false alarm in ``samples`` samples on average, over all cells of a model together.

    >>> round(Budget(samples=1e6).threshold, 3)
    13.816
    """

    samples: float = 3.15e8

    @property
    def threshold(self) -> float:
        """ln A: the evidence at which any cell alarms, in nats."""
        return float(np.log(self.samples))


@dataclass(frozen=True, slots=True)
class MonitorSpec:
    """A monitor as one model uses it: its variants and its limits (S,), the model's first, then the subgroups'.

    ``bound`` is the largest absolute value that the observed quantity can have. With several ``lanes`` the rows of a
    stream go to that many detectors in turn, each seeded by its own rows: for rows that depend on their neighbours.

    >>> from tightrope.monitors.catalogue import CATALOGUE
    >>> spec = MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.02, 0.04]))
    >>> [rule.shares.tolist() for rule in build_rules([spec], Budget(), recovery_ratio=0.75)]
    [[0.25, 0.2]]
    """

    monitor: MonitorDefinition
    variants: tuple[str, ...]
    limits: Floats
    bound: float = 1.0
    lanes: int = 1


def build_rules(specs: Sequence[MonitorSpec], budget: Budget, recovery_ratio: float) -> tuple[Rule, ...]:
    """Build the rules of one model; recovery has to prove a scope below ``recovery_ratio`` times its limit."""
    subgroup_cells = sum(len(spec.variants) * (len(spec.limits) - 1) for spec in specs if _reaches_subgroups(spec))
    return tuple(_rule(spec, _shares(spec, subgroup_cells), budget, recovery_ratio) for spec in specs)


def _reaches_subgroups(spec: MonitorSpec) -> bool:
    return spec.monitor.reach is not Reach.MODEL


def _shares(spec: MonitorSpec, subgroup_cells: int) -> Floats:
    """Each cell's share of the budget, (S,)."""
    own = SUBGROUP_SHARE / max(subgroup_cells, 1) if _reaches_subgroups(spec) else 0.0
    shares = np.full(len(spec.limits), own)
    shares[0] = spec.monitor.share / len(spec.variants)
    return shares


def _rule(spec: MonitorSpec, shares: Floats, budget: Budget, ratio: float) -> Rule:
    with np.errstate(divide="ignore"):
        log_budget = budget.threshold - np.log(shares)
    alarm: HypothesisTest
    recovery: HypothesisTest
    if spec.monitor.hypothesis is Hypothesis.RATE:
        needed = verdict.rows_to_see_rate(spec.limits, log_budget)
        alarm, recovery = RateTest(Bernoulli.above(spec.limits)), RateTest(Bernoulli.below(ratio * spec.limits))
    else:
        needed = verdict.rows_to_see_mean(spec.limits, spec.bound, log_budget)
        sides = 1 if spec.monitor.hypothesis is Hypothesis.UPPER else 2
        values, index = np.unique(spec.limits, return_inverse=True)
        detector_index = np.where(shares > 0, index, UNWATCHED)
        outside = tuple(Signed.outside(float(v), spec.bound, sides) for v in values)
        inside = tuple(Signed.inside(float(ratio * v), spec.bound, sides) for v in values)
        ternary = spec.monitor.ternary and spec.bound == 1.0
        alarm = MeanTest(outside, detector_index, ternary, weaker_side=False)
        recovery = MeanTest(inside, detector_index, ternary, weaker_side=True)
    return Rule(spec.monitor, spec.variants, spec.lanes, spec.limits, shares, needed, alarm, recovery)
