"""The figures that the verdicts of one monitor show: which variant of each scope, and what is known of its cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tightrope.monitors.detector import LN10, LOG_ZERO
from tightrope.monitors.detector_bank import Cells, Rule, recovery_evidence
from tightrope.monitors.intervals.estimates import CellStanding, rows_to_pass
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Bools, Floats, Ints
from tightrope.monitors.verdict import PASS_MARGIN


class CellFigures(NamedTuple):
    """The cell that a verdict shows: its rows, their mean, the mean of the latest ticks, its limit and its evidence
    (nats); and of its scope, the evidence of a ``recovery`` (nats), the rows that a pass takes, whether all variants
    that have to pass are ``within`` their bounds, the ``more`` rows that they need, whether one is ``beyond`` its
    bounds, whether all are ``quiet``, far from an alarm, whether one has ``tripped`` the scope, and whether labels have
    ``vetoed`` that a difference is harm.

    >>> CellFigures._fields[:3]
    ('rows', 'mean', 'recent')
    """

    rows: int
    mean: float | None
    recent: float | None
    limit: float
    evidence: float
    recovery: float
    needed: float
    within: bool
    more: float
    beyond: bool
    quiet: bool
    tripped: bool
    vetoed: bool


@dataclass(frozen=True, slots=True)
class ShownRule:
    """One monitor, its ``evidence`` (V, S), and the shown variant of each scope that has a verdict.

    >>> from tightrope.monitors.budget import MonitorSpec, build_rules
    >>> from tightrope.monitors.catalogue import CATALOGUE
    >>> spec = MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.02, 0.04]))
    >>> (rule,) = build_rules([spec], recovery_ratio=0.75)
    >>> ShownRule.build(0, rule, Cells.fresh(rule)).variants
    {0: 0, 1: 0}
    """

    index: int
    rule: Rule
    cells: Cells
    evidence: Floats
    variants: Mapping[int, int]

    @classmethod
    def build(cls, index: int, rule: Rule, cells: Cells) -> "ShownRule":
        """Show every watched scope."""
        evidence = rule.alarm.evidence(cells.log_mass)
        variants = _shown_variants(rule, cells, evidence)
        return cls(
            index,
            rule,
            cells,
            evidence,
            {scope: int(variants[scope]) for scope in np.flatnonzero(rule.watched).tolist()},
        )

    @property
    def scopes(self) -> Bools:
        """The scopes that are shown, (S,)."""
        shown = np.zeros(len(self.rule.limits), dtype=bool)
        shown[list(self.variants)] = True
        return shown

    def figures(self, plan: Plan, state: State, standing: CellStanding) -> dict[int, CellFigures]:
        """The figures of each scope that is shown, for all scopes at once: they cost less than one by one."""
        if not self.variants:
            return {}
        rule, cells, scopes = self.rule, self.cells, np.array(list(self.variants))
        at = np.array(list(self.variants.values())), scopes
        recent = cells.path[(*at, slice(None), slice(1, None))].sum(axis=1)
        tripped = np.asarray(cells.tripped.any(axis=0))
        recovery = recovery_evidence(rule, cells) if tripped.any() else np.zeros(len(rule.limits))
        quiet = np.asarray((self.evidence < plan.budget.threshold - PASS_MARGIN * LN10).all(axis=0))
        within, more, beyond = self._standings(standing)
        columns = [
            cells.count[at].tolist(),
            _means(cells.count[at], cells.total[at]),
            _means(recent[:, 0], recent[:, 1]),
            rule.cell_limits[at].tolist(),
            self.evidence[at].tolist(),
        ]
        needed, vetoed = rows_to_pass(rule, self.variants), state.vetoed(rule)
        of_scopes = (recovery, needed, within, more, beyond, quiet, tripped, vetoed)
        rows = zip(*columns, *(each[scopes].tolist() for each in of_scopes), strict=True)
        return {scope: CellFigures(*row) for scope, row in zip(self.variants, rows, strict=True)}

    def _standings(self, standing: CellStanding) -> tuple[Bools, Floats, Bools]:
        """Tell for each scope (S,) whether all its variants that have to pass are within their bounds, the rows that
        they need, and whether one is beyond its bounds.
        """
        rule, cells, watched, scopes = self.rule, self.cells, self.rule.watched, len(self.rule.limits)
        enough = cells.count >= rule.monitor.least_share * cells.count.sum(axis=0)
        lacking = (rule.has_cell & enough)[:, watched] & ~standing.within
        within, more, beyond = np.ones(scopes, dtype=bool), np.zeros(scopes), np.zeros(scopes, dtype=bool)
        within[watched], more[watched] = ~lacking.any(axis=0), np.where(lacking, standing.more, 0.0).max(axis=0)
        beyond[watched] = (standing.beyond & rule.has_cell[:, watched]).any(axis=0)
        return within, more, beyond


def leading(state: State, shown: Sequence[ShownRule], complete: int) -> list[ShownRule]:
    """Keep all verdicts on the ``complete`` scopes that are in safe mode or have the most evidence, and on each other
    scope those of disagreement, of the monitor with the most evidence and of tripped ones.
    """
    evidence = np.full((len(shown), len(state.scopes)), LOG_ZERO)
    tripped = np.zeros(evidence.shape, dtype=bool)
    for index, each in enumerate(shown):  # a rule may have the first scopes alone
        own = len(each.rule.limits)
        evidence[index, :own] = np.where(each.rule.watched, each.evidence.max(axis=0), LOG_ZERO)
        tripped[index, :own] = each.cells.tripped.any(axis=0)
    safe = np.array([mode.safe or mode.held for mode in state.modes]) | tripped.any(axis=0)
    rank = np.where(safe, np.inf, evidence.max(axis=0))
    rank[0] = np.inf
    keep = tripped.copy()
    keep[:, np.argsort(-rank, kind="stable")[:complete]] = True
    keep[evidence.argmax(axis=0), np.arange(len(rank))] = True
    for index, each in enumerate(shown):
        keep[index] |= each.rule.monitor.name == "disagreement"
    return [
        replace(each, variants={scope: one for scope, one in each.variants.items() if kept[scope]})
        for each, kept in zip(shown, keep.tolist(), strict=True)
    ]


def _shown_variants(rule: Rule, cells: Cells, evidence: Floats) -> Ints:
    """The variant that the verdict of each scope shows, (S,): the one that is furthest from a return, or that has the
    most evidence; the first one with a cell where none has any.
    """
    known = np.maximum(np.where(cells.count > 0, evidence, LOG_ZERO), np.finfo(np.float64).min)
    most = np.where(rule.has_cell, known, LOG_ZERO).argmax(axis=0)
    if not cells.tripped.any():
        return np.asarray(most)
    furthest = np.where(cells.tripped, rule.recovery.evidence(cells.recovery), np.inf).argmin(axis=0)
    return np.asarray(np.where(cells.tripped.any(axis=0), furthest, most))


def _means(count: Ints | Floats, total: Floats) -> list[float | None]:
    """The means of sums, (n,); None where there are no rows."""
    return [own / rows if rows else None for rows, own in zip(count.tolist(), total.tolist(), strict=True)]
