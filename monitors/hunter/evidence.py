"""The evidence of all slices, tick by tick.

A slice has the mixture of bets of every rate's detector, held as plain masses instead of logarithms: with seeds at
every tick none vanishes, and an alarm starts it anew long before it is too large. A tick multiplies the masses by

    product over steps of (1 + lambda_j(m) (ybar - p))

where a step is a row, or the m rows of a request, a caller or a window that lie in the slice. Losses are counted in
units of 1/1024, rounded down: sums of them are exact in any order, and no step gets more evidence than it has.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.hunter.factor_tables import FRACTIONS, MOST_NATS, TABLE_ROWS, factor_tables
from tightrope.monitors.hunter.lattice import Lattice
from tightrope.monitors.hunter.row_bits import RowBits, packed, row_counts
from tightrope.monitors.records import Bools, Floats, Ints

Entries = NDArray[np.int32]

LOSS_UNITS = 1024
"""The units of a loss of 1."""

ONSET_BET = 2
"""The index of the alternative of twice the limit, by which the beginning of an excess is estimated."""


def loss_units(y: Floats) -> Ints:
    """Losses in [0, 1] in whole units, rounded down.

    >>> loss_units(np.array([0.0, 0.5, 1.0])).tolist()
    [0, 512, 1024]
    """
    return np.floor(y * LOSS_UNITS).astype(np.int64)


@dataclass(frozen=True, slots=True)
class StepCounts:
    """The rows of one tick in S slices. ``rows`` and ``lost`` (S,): the rows that are a step of their own, and their
    losses in units; ``slices``, ``cluster_rows``, ``cluster_lost`` (E,): the steps of several rows in a slice.
    ``is_whole``: all losses are 0 or 1.

    >>> member = packed(np.array([[True, True, True], [True, False, True]]))
    >>> counts = StepCounts.of(member, np.array([1024, 0, 1024]), np.array([5, 5, 9]), np.array([True, True, False]))
    >>> counts.rows.tolist(), counts.cluster_rows.tolist(), counts.steps[0].tolist()
    ([1.0, 1.0], [2.0, 1.0], [2.0, 2.0])
    """

    rows: Floats
    lost: Floats
    slices: Ints
    cluster_rows: Floats
    cluster_lost: Floats
    is_whole: bool = False

    @classmethod
    def of(cls, member: RowBits, units: Ints, step: Ints, shared: Bools) -> "StepCounts":
        """Count rows by membership (S, words), units of loss (n,), number of the step (n,), and whether another row may
        share the step (n,).
        """
        is_whole = bool(((units == 0) | (units == LOSS_UNITS)).all())
        single = ~shared[None]
        rows, lost = common_rows(member, single)[:, 0], common_losses(member, single, units)[:, 0]
        own = np.flatnonzero(shared)
        if not len(own):
            return cls(rows, lost, NO_SLICES, NONE, NONE, is_whole)
        in_step = np.unique(step[own])[:, None] == np.where(shared, step, -1)
        counts, losses = common_rows(member, in_step), common_losses(member, in_step, units)
        slices, step_index = np.nonzero(counts)
        cluster_rows, cluster_lost = (each[slices, step_index].astype(np.float64) for each in (counts, losses))
        return cls(rows, lost, slices, cluster_rows, cluster_lost, is_whole)

    @property
    def steps(self) -> tuple[Floats, Floats]:
        """The number of steps of each slice, and the sum of their mean losses, (S,)."""
        if not len(self.slices):
            return self.rows, self.lost / LOSS_UNITS
        means = np.floor(self.cluster_lost / self.cluster_rows / LOSS_UNITS * FRACTIONS) / FRACTIONS
        size = len(self.rows)
        number, total = np.bincount(self.slices, minlength=size), np.bincount(self.slices, means, size)
        return self.rows + number, self.lost / LOSS_UNITS + total


MOST_COMMON_WORDS = 1024
"""The words of all steps of a tick up to which they are compared with a slice at once."""

NO_SLICES, NONE = np.zeros(0, np.int64), np.zeros(0)


def common_rows(member: RowBits, in_step: Bools) -> Floats:
    """The number of rows of each slice (S, words) in each of E steps (E, n), (S, E)."""
    steps = packed(in_step)
    if steps.size > MOST_COMMON_WORDS:  # a large request: one by one, which takes less memory
        return np.stack([row_counts(member & step) for step in steps], axis=1)
    common = np.bitwise_count(member[:, None] & steps)
    return np.asarray(common[..., 0] if common.shape[2] == 1 else common.sum(axis=2)).astype(np.float64)


def common_losses(member: RowBits, in_step: Bools, units: Ints) -> Floats:
    """The losses in units (n,) of each slice in each step, (S, E): summed bit by bit of the units, without rounding."""
    total = np.zeros((len(member), len(in_step)))
    for bit in range(LOSS_UNITS.bit_length()):
        if (lost := (units >> bit & 1).astype(bool)).any():
            total += 2.0**bit * common_rows(member, in_step & lost)
    return total


class SliceTest:
    """The test "the rate of the slice is at most its limit" of every slice of a lattice; K alternatives.

    >>> test = SliceTest(Lattice.of([(0, 1.0, 1.0)], [(0,)], limit=0.1))
    >>> counts = StepCounts(np.array([3.0]), np.array([LOSS_UNITS]), NO_SLICES, NONE, NONE)
    >>> test.log_e(counts)[2].round(3).tolist()
    [0.458]
    """

    def __init__(self, lattice: Lattice) -> None:
        limits, self._kind = np.unique(lattice.limits, return_inverse=True)
        self._tables = factor_tables(tuple(limits.tolist()))
        self.width = self._tables.width
        self._first_entry = (self._kind * TABLE_ROWS**2).astype(np.int32)
        self.seeds = lattice.shares

    def multiply(self, mass: Floats, counts: StepCounts) -> Floats:
        """Multiply masses (K, S), in place, by the e-values of a tick; returns the log e-values of the alternative of
        twice the limit, (S,).
        """
        if len(counts.slices) or not counts.is_whole or not self.has_table(counts.rows):
            log_e = self.log_e(counts)
            mass *= np.exp(np.minimum(log_e, MOST_NATS))
            return np.asarray(log_e[ONSET_BET])
        entry = self.entries(counts.rows.astype(np.int64), counts.lost.astype(np.int64) // LOSS_UNITS)
        for number, table in enumerate(self._tables.factors):  # one by one: memory of small arrays is used again
            mass[number] *= table.take(entry)
        return self.onset_logs(entry)

    def has_table(self, rows: NDArray[np.integer] | Floats) -> bool:
        """Whether the table has the e-values of ticks with these numbers of single rows in a slice, (…, S)."""
        return bool(self._tables.logs.size) and rows.max(initial=0) < TABLE_ROWS

    def entries(self, rows: NDArray[np.integer], ones: NDArray[np.integer]) -> Entries:
        """The entries of the table for single rows (…, S), and those of them with a loss (…, S)."""
        entries: Entries = np.multiply(rows, TABLE_ROWS, dtype=np.int32)
        entries += ones
        entries += self._first_entry
        return entries

    def onset_logs(self, entries: Entries) -> Floats:
        """The log e-values of the alternative of twice the limit, (…, S)."""
        return np.asarray(self._tables.logs[ONSET_BET].take(entries))

    def mass_after(self, mass: Floats, seeded: Ints, entries: Entries, most: float) -> Floats | None:
        """Masses (K, S) after T ticks of ``seeded`` rows (T,) and entries of the table (T, S); None where one is
        ``most`` or more after a tick.
        """
        after, highest = mass.copy(), 0.0
        for rows, entry in zip(seeded.tolist(), entries, strict=True):
            after += rows * self.seeds
            after *= self._tables.factors.take(entry, axis=1)
            highest = max(highest, float(after.max(initial=0.0)))
        return None if highest >= most else after

    def log_e(self, counts: StepCounts) -> Floats:
        """Log e-values of a tick, (K, S). Fractional losses of single rows count as the mean of the logarithms of a one
        and a zero, which is at most the logarithm of the mean.
        """
        zeros, ratios = self._logs
        log_e = counts.lost * ratios
        log_e += counts.rows * zeros
        if len(counts.slices):
            log_e += self._of_clusters(counts)
        return log_e

    def _of_clusters(self, counts: StepCounts) -> Floats:
        """Sum the log factors of the clusters of each slice, (K, S)."""
        slices, rows, lost = counts.slices, counts.cluster_rows, counts.cluster_lost
        if counts.is_whole and self.has_table(rows):
            entry = (rows * TABLE_ROWS + lost / LOSS_UNITS).astype(np.int64) + self._first_entry[slices]
            factors = [each.take(entry) for each in self._tables.cluster_logs]
        else:
            factors = [*self._tables.of_clusters(self._kind[slices], rows, lost / LOSS_UNITS)]
        return np.stack([np.bincount(slices, each, len(self._kind)) for each in factors])

    def evidence(self, mass: Floats) -> Floats:
        """The logarithm of the mass (K, S) of each slice, the mixture over alternatives, (S,)."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log((mass * self._weights).sum(axis=0)))

    @cached_property
    def _logs(self) -> tuple[Floats, Floats]:
        """The log e-values of a row without a loss, and those that a unit of loss adds, (K, S)."""
        down, up = self._tables.bernoulli.down, self._tables.bernoulli.up
        return np.ascontiguousarray(down[self._kind].T), np.ascontiguousarray((up - down)[self._kind].T) / LOSS_UNITS

    @cached_property
    def _weights(self) -> Floats:
        """The weights of the alternatives, (K, S)."""
        return np.ascontiguousarray(np.exp(self._tables.bernoulli.log_weight)[self._kind].T)


@lru_cache(maxsize=16)
def slice_test(lattice: Lattice) -> SliceTest:
    """The test of a lattice, which is built once."""
    return SliceTest(lattice)
