"""A ladder of cohorts: sums of the latest own steps of every cell, over three spans that begin anew at known steps.

How it works. Each of three rungs has a width W in own steps. A cohort begins every W / 2 steps, and wherever the cell
starts anew: after an alarm, or a change of mode. Beginnings follow from the past alone, so the interval of each cohort
holds; a beginning that was found by looking back would not. A rung shows its older open cohort, which holds between W /
2 and W steps once it has run that long. Cohorts begin at the ends of ticks, and their sums are added tick by tick, so
they do not depend on how ticks were batched.
"""

from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors.records import Bools, Floats, Ints

RUNGS = (512, 4_096, 32_768)
"""The widths of the rungs, in own steps."""

SHOWN_STEPS = 64
"""Own steps after which a new cohort replaces the one before its start."""

SUMS = STEPS, TOTAL, SPREAD = range(3)
"""Sums of a cohort: steps, the sum of their values, and V, the sum of their squared distances from their mean before
the tick, where it is one of means.
"""

_HALVES = np.array(RUNGS) / 2
_PRIOR = 1e-12
"""The weight of a mean of one half before the first step."""


@dataclass(frozen=True, slots=True)
class Steps:
    """T ticks of the steps that C cells count: number, sum of values in [0, 1] and sum of their squares, each (T, C).

    >>> Steps(np.array([[64.0]]), np.array([[2.0]]), np.array([[2.0]])).count.shape
    (1, 1)
    """

    count: Floats
    total: Floats
    squares: Floats


@dataclass(frozen=True, slots=True)
class Cohorts:
    """The open cohorts of C cells: ``age`` (C,) own steps since their start; ``sums`` (C, rungs, 2, 3) has
    the older cohort of each rung first; ``before`` (C, 3), the sums that were shown before the start.

    >>> cohorts = Cohorts.fresh(1).after(Steps(np.full((5, 1), 64.0), np.ones((5, 1)), np.ones((5, 1))))
    >>> cohorts.sums[0, 0, :, :2].tolist()  # the younger cohort of the first rung began after 256 steps
    [[320.0, 5.0], [64.0, 1.0]]
    """

    age: Floats
    sums: Floats
    before: Floats

    @classmethod
    def fresh(cls, cells: int) -> "Cohorts":
        """Build cohorts without steps."""
        return cls(np.zeros(cells), np.zeros((cells, len(RUNGS), 2, len(SUMS))), np.zeros((cells, len(SUMS))))

    @property
    def older(self) -> Floats:
        """The sums of each rung's older cohort, (C, rungs, 3)."""
        return self.sums[:, :, 0]

    def after(self, steps: Steps, means: Bools | None = None) -> "Cohorts":
        """Return the cohorts after some ticks. Cells without steps in them do not change. Of cells that are not masked
        in ``means`` (C,), those of rates, no spread is kept: their intervals do not need it.
        """
        active = np.asarray(steps.count.any(axis=0))
        if not active.any():
            return self
        means = np.ones(len(active), dtype=bool) if means is None else means
        age, sums = self.age.copy(), self.sums.copy()
        for own, has_spread in ((active & means, True), (active & ~means, False)):
            if own.any():
                part = Steps(steps.count[:, own], steps.total[:, own], steps.squares[:, own])
                age[own], sums[own] = _advanced(self.age[own], self.sums[own], part, has_spread=has_spread)
        return replace(self, age=age, sums=sums)

    def take(self, cells: Ints) -> "Cohorts":
        """The cohorts of some cells."""
        return Cohorts(self.age[cells], self.sums[cells], self.before[cells])

    def moved(self, cells: Ints) -> "Cohorts":
        """The cohorts of other cells: each from the one of this index, fresh ones where it is -1."""
        fresh, own = Cohorts.fresh(len(cells)), cells >= 0
        for name in ("age", "sums", "before"):
            getattr(fresh, name)[own] = getattr(self, name)[cells[own]]
        return fresh

    def restarted(self, cells: Bools, shown: Ints) -> "Cohorts":
        """Begin new cohorts in the masked cells (C,). ``shown`` (C,) is the rung whose cohort stays shown meanwhile."""
        keep = cells & (self.older[np.arange(len(shown)), shown, STEPS] >= SHOWN_STEPS)
        kept = self.older[np.arange(len(shown)), shown]
        return Cohorts(
            np.where(cells, 0.0, self.age),
            np.where(cells[:, None, None, None], 0.0, self.sums),
            np.where(keep[:, None], kept, self.before),
        )


def _advanced(age: Floats, sums: Floats, steps: Steps, *, has_spread: bool) -> tuple[Floats, Floats]:
    """Age (C,) and sums (C, rungs, 2, 3) of cells after the ticks, which are added in their order.

    A cohort that begins within them is added up in the place that it has after the last tick, from zero on.
    """
    ages = np.cumsum(np.concatenate([age[None], steps.count]), axis=0)
    latest = np.ascontiguousarray(np.moveaxis(sums, (3, 1, 2), (0, 1, 2)))  # long loops over cells take the least time
    (held, total, spread), flat = latest, latest.reshape(len(SUMS), -1)
    moved, begun, ends = _beginnings(ages)
    flat[:, moved] = flat[:, moved + len(age)]
    for tick, (count, summed, squares) in enumerate(zip(steps.count, steps.total, steps.squares, strict=True)):
        if has_spread:
            spread += _added_spread(held, total, count, 2 * summed, squares)
        held += count
        total += summed
        own = begun[ends[tick] : ends[tick + 1]]
        if len(own):
            flat[:, own] = 0.0
    return ages[-1], np.moveaxis(latest, (0, 1, 2), (3, 1, 2))


def _added_spread(held: Floats, total: Floats, count: Floats, doubled: Floats, squares: Floats) -> Floats:
    """The squared distances of the steps of a tick from the means before it: ``squares - mean (2 sum - count mean)``,
    for sums (…, C) of cohorts, from the number of steps (C,), twice their sum, and their squares.
    """
    mean = total + _PRIOR / 2
    mean /= held + _PRIOR
    added = count * mean
    np.subtract(doubled, added, out=added)
    added *= mean
    return np.asarray(np.subtract(squares, added, out=added))


def _beginnings(ages: Floats) -> tuple[Ints, Ints, list[int]]:
    """The cohorts that begin within T ticks, from the ages (T + 1, C) of cells; a place is numbered by rung, age and
    cell.

    Returns the older places to which the younger cohort of before moves; the places, in the order of ticks, of the
    cohorts that begin at the end of one, and stay; and the number of these before each tick, and after the last one.
    """
    halves = np.floor(ages / _HALVES[0])  # the other rungs begin cohorts where the first one does
    tick, cell = np.nonzero(halves[1:] > halves[:-1])
    event, rung = np.nonzero(ages[tick + 1, cell, None] // _HALVES > ages[tick, cell, None] // _HALVES)
    cells, tick = ages.shape[1], tick[event]
    older = 2 * rung * cells + cell[event]
    last, before = np.full((2, 2 * len(RUNGS) * cells), -1)
    np.maximum.at(last, older, tick)
    earlier = tick < last[older]
    np.maximum.at(before, older[earlier], tick[earlier])
    moved, again = np.flatnonzero(last >= 0), np.flatnonzero(before >= 0)
    begun, begins = np.append(again, moved + cells), np.append(before[again], last[moved])
    order = np.argsort(begins, kind="stable")
    return moved, begun[order], np.searchsorted(begins[order], np.arange(len(ages))).tolist()
