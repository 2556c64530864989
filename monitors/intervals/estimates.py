"""The sums behind the intervals of one model: cohorts of every cell, checkpoints of rates, and where breaches began.

How it works. The cells of all monitors form one array, in the order of the rules; a cell is a variant in a watched
scope. Values of means are mapped from within their bound to [0, 1].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import TypeAlias

import numpy as np

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.detector_bank import Rule, Trajectory
from tightrope.monitors.evidence import as_slice
from tightrope.monitors.intervals import ladder
from tightrope.monitors.intervals.checkpoints import Checkpoints
from tightrope.monitors.intervals.cohorts import SPREAD, STEPS, Cohorts, Steps
from tightrope.monitors.intervals.ladder import Bounds
from tightrope.monitors.intervals.onset import locate
from tightrope.monitors.intervals.outlook import mean_recovery_growth, recovery_growth
from tightrope.monitors.intervals.sequences import steps_to_prove_mean, steps_to_prove_rate
from tightrope.monitors.records import Bools, Floats, Ints
from tightrope.monitors.verdict import Interval, Onset

MAX_LIMITS = 4096
"""Limits for which the rows to a pass are remembered: a model has a few, and the rows take a search."""

CellIndex: TypeAlias = tuple[int, int, int]
"""A cell by the indices of its rule, variant and scope."""


def is_rate(rule: Rule) -> bool:
    """Tell whether a monitor watches a rate; others watch a mean."""
    return rule.monitor.hypothesis is Hypothesis.RATE


def rows_to_pass(rule: Rule, variants: Mapping[int, int]) -> Floats:
    """The fewest rows that a pass takes, (S,), of these variants by scope: those without any difference."""
    scopes = np.arange(len(rule.limits))
    proved = rule.cell_limits[[variants.get(scope, 0) for scope in scopes.tolist()], scopes]
    bound = None if is_rate(rule) else rule.bound
    return np.array([_rows_to_prove(limit, bound) for limit in proved.tolist()])


@dataclass(frozen=True, slots=True)
class CellStanding:
    """The standing of cells: within their bounds, beyond them, and the own rows to a pass; one monitor's are of shape
    (V, watched scopes).

    >>> none = np.zeros(2, dtype=bool)
    >>> CellStanding(none, none, np.full(2, np.inf)).take(slice(0, 2), 1).more.tolist()
    [[inf, inf]]
    """

    within: Bools
    beyond: Bools
    more: Floats

    def take(self, cells: slice, variants: int) -> "CellStanding":
        """The standing of a stretch of cells, by variant."""
        shape = variants, -1
        return CellStanding(
            self.within[cells].reshape(shape), self.beyond[cells].reshape(shape), self.more[cells].reshape(shape)
        )


@dataclass(frozen=True, slots=True)
class Estimates:
    """Cohorts of all cells, checkpoints of those of rates, and where breaches began.

    ``onsets`` has them by scope and monitor, until the scope returns; ``several`` tells whether a request had more than
    one row.

    >>> Estimates.fresh([]).cohorts.sums.shape
    (0, 3, 2, 3)
    """

    cohorts: Cohorts
    checkpoints: Checkpoints
    onsets: Mapping[str, Mapping[str, Onset]] = field(default_factory=dict)
    several: bool = False

    @classmethod
    def fresh(cls, rules: Sequence[Rule]) -> "Estimates":
        """Build them without rows."""
        sizes = [(_size(rule), is_rate(rule)) for rule in rules]
        return cls(
            Cohorts.fresh(sum(size for size, _ in sizes)), Checkpoints.fresh(sum(size for size, rate in sizes if rate))
        )

    def fits(self, rules: Sequence[Rule]) -> bool:
        """Tell whether these are sums of the cells of these rules."""
        fresh = Estimates.fresh(rules)
        return (len(self.cohorts.age), len(self.checkpoints.start)) == (
            len(fresh.cohorts.age),
            len(fresh.checkpoints.start),
        )

    def after(
        self, rules: Sequence[Rule], trajectories: Sequence[Trajectory | None], rows: Ints, times: Floats
    ) -> "Estimates":
        """Return them after T ticks, at whose ends the model has counted ``rows`` (T,), at event ``times`` (T,).

        A monitor without a trajectory observes nothing.
        """
        if not rules:
            return self
        parts = [_steps_of(*each, len(rows)) for each in zip(rules, trajectories, strict=True)]
        count, total, squares = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
        rates = _rates(rules)
        spoke = count[:, rates].any(axis=1)
        at = np.ix_(spoke, rates)
        return replace(
            self,
            cohorts=self.cohorts.after(Steps(count, total, squares), ~rates),
            checkpoints=self.checkpoints.after(rows[spoke], times[spoke], count[at], total[at]),
        )

    def noting(self, request_ids: Sequence[str]) -> "Estimates":
        """Note whether one of these requests has several rows, which are neighbours."""
        if self.several or len(set(request_ids)) == len(request_ids):
            return self
        return replace(self, several=any(first == second for first, second in pairwise(request_ids)))

    def restarted(self, rules: Sequence[Rule], cells: Sequence[Bools]) -> "Estimates":
        """Start the cohorts of the masked cells (V, S) of each monitor anew."""
        mask = np.concatenate([np.zeros(0, bool), *map(_watched, rules, cells)])
        if not mask.any():
            return self
        rungs = np.zeros(len(mask), dtype=np.int64)
        for means in (False, True):
            own = mask & (_rates(rules) ^ means)
            rungs[own] = ladder.shown_rungs(self.cohorts.older[own], means=means)
        return replace(self, cohorts=self.cohorts.restarted(mask, rungs))

    def reset(self, rules: Sequence[Rule], cells: Sequence[Bools], row: int, time: float) -> "Estimates":
        """Start cohorts and checkpoints of the masked cells (V, S) anew, with their detectors, at this row of the model
        and this event time.
        """
        mask = np.concatenate([np.zeros(0, bool), *map(_watched, rules, cells)])[_rates(rules)]
        started = self.restarted(rules, cells)
        return replace(started, checkpoints=self.checkpoints.restarted(mask, row, time)) if mask.any() else started

    def moved(self, before: Sequence[Rule], after: Sequence[Rule], scopes: Ints) -> "Estimates":
        """Return those of other scopes, whose rules are ``after``: ``scopes`` (S,) are the indices of the scopes among
        those before, -1 for a new one.
        """
        parts = [_moved_cells(*each, scopes) for each in zip(before, after, _slices(before), strict=True)]
        cells = np.concatenate([np.zeros(0, np.int64), *parts])
        rates = np.where(cells >= 0, np.cumsum(_rates(before))[cells] - 1, -1)[_rates(after)]
        return replace(self, cohorts=self.cohorts.moved(cells), checkpoints=self.checkpoints.moved(rates))

    def with_onsets(self, scope: str, onsets: Mapping[str, Onset] | None) -> "Estimates":
        """Note where breaches of a scope began, by monitor; None forgets them: the scope has returned."""
        if onsets is None:
            return replace(self, onsets={name: kept for name, kept in self.onsets.items() if name != scope})
        return (
            replace(self, onsets={**self.onsets, scope: {**self.onsets.get(scope, {}), **onsets}}) if onsets else self
        )

    def standings(
        self, rules: Sequence[Rule], scopes: Sequence[Bools] | None = None, *, ahead: bool = True
    ) -> list[CellStanding]:
        """The standing of every monitor's cells, in all scopes or in the masked ``scopes`` (S,) of each; others are
        neither within their bounds nor beyond. Without a look ``ahead`` no rows to a pass are computed: they are 0.
        """
        size, rates = len(self.cohorts.age), _rates(rules)
        chosen = np.concatenate([np.zeros(0, bool), *map(_watched, rules, scopes)]) if scopes else np.ones(size, bool)
        found = CellStanding(np.zeros(size, bool), np.zeros(size, bool), np.zeros(size))
        for means in (False, True):
            own = rates ^ means
            bounds = Bounds.join([_bounds(rule) for rule in rules if is_rate(rule) is not means], means=means)
            bounds, own = bounds.take(chosen[own]), own & chosen
            cohorts = self.cohorts.take(np.flatnonzero(own))
            standing = ladder.standing(cohorts, bounds)
            found.within[own], found.beyond[own] = standing.within, standing.beyond
            if ahead:
                found.more[own] = ladder.steps_to_pass(cohorts, bounds)
        return [found.take(own, _rows(rule)) for rule, own in zip(rules, _slices(rules), strict=True)]

    def intervals(self, rules: Sequence[Rule], cells: Sequence[CellIndex]) -> dict[CellIndex, Interval | None]:
        """The intervals of chosen cells, in the monitors' own units; None without rows."""
        numbers = [_numbers(rule, own) for rule, own in zip(rules, _slices(rules), strict=True)]
        shown: dict[CellIndex, Interval | None] = dict.fromkeys(cells)
        for means in (False, True):
            chosen = [cell for cell in cells if is_rate(rules[cell[0]]) is not means]
            own = self.cohorts.take(
                np.array([numbers[index][variant, scope] for index, variant, scope in chosen], dtype=np.int64)
            )
            sums = ladder.shown_sums(own, ladder.shown_rungs(own.older, means=means))
            ends = np.stack([ladder.mean_of(sums), *ladder.interval(sums, means=means)], axis=1)
            for cell, values, steps in zip(chosen, ends, sums[:, STEPS].tolist(), strict=True):
                mean, lower, upper = ((2 * values - 1) * rules[cell[0]].bound if means else values).tolist()
                shown[cell] = Interval(mean, lower, upper, int(steps)) if steps else None
        return shown

    def locate(self, rules: Sequence[Rule], cell: CellIndex, unit: str) -> Onset | None:
        """Estimate where the rate of a cell went over its limit; None for a mean, and without checkpoints."""
        rule = rules[cell[0]]
        if not is_rate(rule):
            return None
        rows, times, steps, total = self.checkpoints.counts_of(self._rate_index(rules, cell))
        if len(rows) == 1:
            return None
        estimate, first, last = locate(steps, total, float(rule.cell_limits[cell[1:]]))
        number, earliest, latest = (max(int(rows[at]), 1) for at in (estimate, first, last + 1))
        return Onset(number, earliest, latest, unit, float(times[estimate]))

    def recovery_growth(self, rules: Sequence[Rule], cell: CellIndex, now: Interval, ratio: float) -> Floats:
        """The growth a row (nats) of the evidence that a cell is below ``ratio`` times its limit, (3,): at the value
        that it has now, and at the worse and the better end of its interval.
        """
        rule = rules[cell[0]]
        disproved = ratio * float(rule.cell_limits[cell[1:]])
        if is_rate(rule):
            return recovery_growth(np.array([now.mean, now.upper, now.lower]), disproved)
        one_sided = rule.monitor.hypothesis is Hypothesis.UPPER
        values = np.array([now.mean, now.lower, now.upper])
        size = values if one_sided else np.abs(values)
        nearest = now.lower if one_sided else 0.0 if now.lower <= 0 <= now.upper else size[1:].min()
        sums = self.cohorts.older[_index(rules, _slices(rules), cell), -1]
        variance = float(max(sums[SPREAD], 0.0) / max(sums[STEPS], 1.0)) * (2 * rule.bound) ** 2
        return mean_recovery_growth(np.array([size[0], size[1:].max(), nearest]), variance, disproved, rule.bound)

    def _rate_index(self, rules: Sequence[Rule], cell: CellIndex) -> int:
        """The index of a cell among those of rates."""
        return int(_rates(rules)[: _index(rules, _slices(rules), cell)].sum())


@lru_cache(maxsize=MAX_LIMITS)
def _rows_to_prove(limit: float, bound: float | None) -> float:
    """The rows without any difference that prove a rate below a limit, or a mean of values within a bound."""
    none = np.zeros(1)
    if bound is None:
        return float(steps_to_prove_rate(np.array([limit]), none, ladder.PROOF)[0])
    return float(steps_to_prove_mean(np.array([limit]) / (2 * bound), none, ladder.PROOF)[0])


def _rates(rules: Sequence[Rule]) -> Bools:
    """Mask the cells of rates."""
    return np.repeat([is_rate(rule) for rule in rules], [_size(rule) for rule in rules]).astype(bool)


def _rows(rule: Rule) -> int:
    return len(rule.variants) * rule.lanes


def _size(rule: Rule) -> int:
    return _rows(rule) * int(rule.watched.sum())


def _slices(rules: Sequence[Rule]) -> list[slice]:
    """The slice of each rule's cells."""
    ends = list(accumulate(map(_size, rules)))
    return [slice(begin, end) for begin, end in pairwise([0, *ends])]


def _numbers(rule: Rule, own: slice) -> Ints:
    """The index of each cell of a rule among all cells, (V, S), given the slice of them; of watched scopes only."""
    first = own.start + int(rule.watched.sum()) * np.arange(_rows(rule))
    return np.asarray(first[:, None] + np.cumsum(rule.watched) - 1)


def _index(rules: Sequence[Rule], slices: Sequence[slice], cell: CellIndex) -> int:
    index, variant, scope = cell
    return int(_numbers(rules[index], slices[index])[variant, scope])


def _moved_cells(before: Rule, after: Rule, own: slice, scopes: Ints) -> Ints:
    """The index before of each of a rule's cells with other scopes; -1 for a new one."""
    index = np.full((_rows(before), len(before.limits) + 1), -1)
    index[:, :-1][:, before.watched] = np.arange(own.start, own.stop).reshape(_rows(before), -1)
    return np.asarray(index[:, scopes[: len(after.limits)]][:, after.watched].ravel())


def _watched(rule: Rule, values: Bools) -> Bools:
    """The watched cells of values (V, S), in one row."""
    return np.broadcast_to(values, (_rows(rule), len(rule.limits)))[:, rule.watched].ravel()


def _bounds(rule: Rule) -> Bounds:
    limits = rule.cell_limits[:, rule.watched].ravel()
    if is_rate(rule):
        return Bounds(limits, np.zeros_like(limits))
    return Bounds.of_mean(limits, rule.bound, two_sided=rule.monitor.hypothesis is Hypothesis.MEAN)


def _steps_of(rule: Rule, trajectory: Trajectory | None, ticks: int) -> tuple[Floats, Floats, Floats]:
    """Number, sum and sum of squares of the steps, scaled to [0, 1], of a monitor's watched cells, (T, cells)."""
    if trajectory is None:
        none = np.zeros((ticks, _size(rule)))
        return none, none, none
    watched, tally = rule.watched, trajectory.tally
    duty = np.broadcast_to(trajectory.on_duty, tally.count.shape[1:])[:, watched]
    scopes = as_slice(np.flatnonzero(watched))
    count, total = tally.steps(ticks, scopes)
    squares = total if is_rate(rule) else tally.squares(ticks, scopes)
    if not duty.all():
        count, total, squares = (np.where(duty, values, 0.0) for values in (count, total, squares))
    if not is_rate(rule):
        scaled = total / rule.bound
        total, squares = (count + scaled) / 2, (count + 2 * scaled + squares / rule.bound**2) / 4
    return count.reshape(ticks, -1), total.reshape(ticks, -1), squares.reshape(ticks, -1)
