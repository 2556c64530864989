"""Divide the one budget of false alarms over all cells of a model, and build the model's rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors.catalogue import SUBGROUP_SHARE
from tightrope.monitors.definitions.definition import Hypothesis, MonitorDefinition, Reach
from tightrope.monitors.detector import Bernoulli, Signed
from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.evidence import UNWATCHED, HypothesisTest, MeanTest, RateTest
from tightrope.monitors.records import Bools, Floats

EVIDENCE_VERSION = 3
"""Part of every plan's digest: masses counted by detectors or shares of another version are not carried over."""

LABEL_EVIDENCE_VERSION = 1
"""Part of the digest of plans with labels: their monitors have had other cells, or counted otherwise, before."""


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
    ``fractional``: a rate's observations are losses between 0 and 1. The ``critical`` variants share half.
    The limits of a monitor that watches no subgroup may be the model's alone, (1,). ``variant_limits`` (V, S) replaces
    them where variants of a rate differ; ``cells`` (V, S) masks the variants that a scope has, all if left out;
    ``others`` (S,) masks the scopes of rows without a declared value, none if left out. The last scopes are ``added``
    ones, with the share of the alarm budget of each, which the monitors split; ``subgroup_limit`` is their limit, and
    that of subgroups.

    >>> from tightrope.monitors.catalogue import CATALOGUE
    >>> spec = MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.02, 0.04]))
    >>> [rule.shares.tolist() for rule in build_rules([spec], recovery_ratio=0.75)]
    [[0.2, 0.2]]
    """

    monitor: MonitorDefinition
    variants: tuple[str, ...]
    limits: Floats
    bound: float = 1.0
    critical: tuple[str, ...] = ()
    lanes: int = 1
    fractional: bool = False
    variant_limits: Floats | None = None
    cells: Bools | None = None
    subgroup_limit: float = 0.0
    added: tuple[float, ...] = ()
    others: Bools | None = None

    def with_added(self, shares: Sequence[float]) -> "MonitorSpec":
        """The monitor with more scopes, of these ``shares``, in which every variant has a cell."""
        count = len(shares)
        if not _reaches_subgroups(self) and len(self.limits) == 1:  # it has the model's limit alone
            return self
        limits = np.append(self.limits, np.full(count, self.subgroup_limit))
        new = np.ones((len(self.variants), count), dtype=bool)
        cells = None if self.cells is None else np.concatenate([self.cells, new], axis=1)
        own = self.variant_limits
        own = None if own is None else np.concatenate([own, np.repeat(own[:, -1:], count, axis=1)], axis=1)
        return replace(self, limits=limits, cells=cells, variant_limits=own, added=(*self.added, *shares))


def build_rules(specs: Sequence[MonitorSpec], recovery_ratio: float) -> tuple[Rule, ...]:
    """Build the rules of one model; recovery has to prove a scope below ``recovery_ratio`` times its limit."""
    reaching = [spec for spec in specs if _reaches_subgroups(spec)]
    parts, monitors = sum(float(_parts(spec).sum()) for spec in reaching), max(len(reaching), 1)
    part = SUBGROUP_SHARE / max(parts, 1)
    return tuple(_rule(spec, _shares(spec, part, monitors), recovery_ratio) for spec in specs)


def _reaches_subgroups(spec: MonitorSpec) -> bool:
    return spec.monitor.reach is not Reach.MODEL


def _parts(spec: MonitorSpec) -> Floats:
    """The parts of the budget of subgroups that those of the configuration have: one each, and those of rows without a
    declared value one together, because hardly a row is in them where callers send what was declared.
    """
    declared = len(spec.limits) - 1 - len(spec.added)
    others = np.zeros(declared, dtype=bool) if spec.others is None else spec.others[1 : 1 + declared]
    return np.where(others, 1 / max(int(others.sum()), 1), 1.0)


def _shares(spec: MonitorSpec, part: float, monitors: int) -> Floats:
    """Each variant's share of the budget, (S,), from that of one part. Monitors have equal parts, which their variants
    split; so have the ``monitors`` of an added scope.
    """
    own = np.append(part * _parts(spec), np.array(spec.added) / monitors)
    shares = np.append(spec.monitor.share, own if _reaches_subgroups(spec) else np.zeros(len(own)))
    if spec.cells is not None:
        shares = np.where(spec.cells.any(axis=0), shares, 0.0)
    return np.asarray(shares / len(spec.variants))


def _weights(spec: MonitorSpec) -> Floats:
    """Each variant's part of the monitor's share in a scope, with a mean of 1, for every lane: (V, S), or (V, 1) where
    all scopes have the same variants. Half is that of the critical ones, if there are others.
    """
    own = np.ones((len(spec.variants), 1), dtype=bool) if spec.cells is None else spec.cells
    critical = np.isin(spec.variants, spec.critical)[:, None] & own
    others = own & ~critical
    groups = critical.any(axis=0).astype(int) + others.any(axis=0)
    sizes = np.where(critical, critical.sum(axis=0), others.sum(axis=0))
    parts = np.where(own, len(own) / np.maximum(groups * sizes, 1), 0.0)
    return np.repeat(parts, spec.lanes, axis=0)


def _rule(spec: MonitorSpec, shares: Floats, ratio: float) -> Rule:
    alarm: HypothesisTest
    recovery: HypothesisTest
    if spec.monitor.hypothesis is Hypothesis.RATE:
        limits = spec.limits if spec.variant_limits is None else np.repeat(spec.variant_limits, spec.lanes, axis=0)
        above, below = Bernoulli.above(limits), Bernoulli.below(ratio * limits)
        alarm, recovery = RateTest(above, spec.fractional), RateTest(below, spec.fractional)
    else:
        sides = 1 if spec.monitor.hypothesis is Hypothesis.UPPER else 2
        values, index = np.unique(spec.limits, return_inverse=True)
        detector_index = np.where(shares > 0, index, UNWATCHED)
        outside = tuple(Signed.outside(float(v), spec.bound, sides) for v in values)
        inside = tuple(Signed.inside(float(ratio * v), spec.bound, sides) for v in values)
        ternary = spec.monitor.ternary and spec.bound == 1.0
        alarm = MeanTest(outside, detector_index, ternary, weaker_side=False)
        recovery = MeanTest(inside, detector_index, ternary, weaker_side=True)
    weights, bound, own = _weights(spec), spec.bound, spec.variant_limits
    return Rule(spec.monitor, spec.variants, spec.lanes, spec.limits, shares, alarm, recovery, weights, bound, own)
