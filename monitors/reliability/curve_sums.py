"""The sums behind the reliability curves of one model, over its latest labelled rows.

How it works. Every labelled row of the random sample enters three cells of each scope that counts it: the bin of the
baseline's confidence, that of the compressed model's, and the difference of both models. A step is a request, or what
else the unit of evidence takes together, with the mean of its rows; values are mapped to [0, 1]. A cohort begins every
`CURVE_COHORT_LABELS` rows at the end of a tick; the older of two open ones is shown, with up to twice as many. The unit
of a window of rows has no steps here: then a curve has no band.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate, pairwise

import numpy as np

from tightrope.monitors.observations import sampled_for_label
from tightrope.monitors.records import Bools, Comparisons, Floats, Ints
from tightrope.monitors.reliability.curve_bins import CurveBins

CURVE_COHORT_LABELS = 16_384
"""Labelled rows of the model after which a cohort begins: changes of a year ago do not count for ever."""

GAP_BOUND = 2.0
"""The largest difference of both models' errors of confidence."""

_PRIOR = 1e-12
"""The weight of a mean of one half before the first step."""


@dataclass(frozen=True, slots=True)
class CellSums:
    """Sums of the rows of C cells in two cohorts, the older first, each (2, C): ``rows``; ``steps``, ``total`` and
    ``spread`` of confidence minus 1 if right, mapped to [0, 1], with the squared distances from the mean before the
    tick; ``confidence`` and ``squares``, the sum of the squared share of right rows.

    >>> CellSums.fresh(3).rows.shape
    (2, 3)
    """

    rows: Floats
    steps: Floats
    total: Floats
    spread: Floats
    confidence: Floats
    squares: Floats

    @classmethod
    def fresh(cls, cells: int) -> "CellSums":
        """Without rows."""
        return cls(*(np.zeros((2, cells)) for _ in fields(cls)))

    def after(self, added: "TickSums") -> "CellSums":
        """Return them after a tick; the mean before it is one half without steps."""
        mean = (self.total + _PRIOR / 2) / (self.steps + _PRIOR)
        return CellSums(
            rows=self.rows + added.rows,
            steps=self.steps + added.steps,
            total=self.total + added.total,
            spread=self.spread + added.total_squares - mean * (2 * added.total - added.steps * mean),
            confidence=self.confidence + added.confidence,
            squares=self.squares + added.squares,
        )

    def moved(self, cells: Ints) -> "CellSums":
        """Return the sums of other cells (C,), by their indices here; -1 for one without rows."""
        parts = {each.name: getattr(self, each.name) for each in fields(self)}
        return CellSums(**{name: np.where(cells < 0, 0.0, sums[:, cells]) for name, sums in parts.items()})

    def with_new_cohort(self) -> "CellSums":
        """Begin a cohort: the younger one becomes the older one."""
        parts = {each.name: getattr(self, each.name) for each in fields(self)}
        return CellSums(**{name: np.stack([sums[1], np.zeros_like(sums[1])]) for name, sums in parts.items()})


@dataclass(frozen=True, slots=True)
class TickSums:
    """The sums of one tick of C cells, each (C,); ``total_squares`` is that of the squares of the steps' values.

    >>> none = np.zeros(2)
    >>> CellSums.fresh(2).after(TickSums(none, none, none, none, none, none)).rows.tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """

    rows: Floats
    steps: Floats
    total: Floats
    total_squares: Floats
    confidence: Floats
    squares: Floats

    @classmethod
    def from_rows(cls, rows: Comparisons, counted: Bools, step: Ints, bins: CurveBins) -> "TickSums":
        """Sum labelled rows (n,), whose scopes are ``counted`` (n, S), by their ``step`` (n,)."""
        scopes = counted.shape[1]
        cells = bins.cells_of(rows.confidence_baseline, rows.confidence_compressed, scopes)
        none, size = np.zeros(len(rows)), bins.cells(scopes)
        sure = np.stack([none, rows.confidence_baseline, rows.confidence_compressed], axis=1)
        right = np.stack([none, rows.correct_baseline, rows.correct_compressed], axis=1)
        errors = sure[:, 1:] - right[:, 1:]
        gap = (errors[:, 1] - errors[:, 0]) / GAP_BOUND
        values = (1 + np.column_stack([gap, errors])) / 2
        own = np.broadcast_to(counted[:, :, None], cells.shape)
        key = (step[:, None, None] * size + cells)[own]
        parts = [np.broadcast_to(each[:, None], cells.shape)[own] for each in (values, sure, right)]
        order = np.lexsort((*parts, key))  # so that sums do not depend on the order of rows
        keys, group, count = np.unique(key[order], return_inverse=True, return_counts=True)
        value, confidence, correct = (np.bincount(group, each[order], len(keys)) / count for each in parts)
        cell = keys % size

        def summed(each: Floats | Ints) -> Floats:
            return np.asarray(np.bincount(cell, each, size), dtype=np.float64)

        return cls(summed(count), summed(np.ones_like(value)), *map(summed, (value, value**2, confidence, correct**2)))


@dataclass(frozen=True, slots=True)
class CurveSums:
    """The sums of both open cohorts, the number of ``labels`` since the start, and whether each cohort has rows that
    the unit of a window takes together, ``dependent`` (2,).

    >>> CurveSums.fresh(31).labels
    0
    """

    cells: CellSums
    dependent: Bools
    labels: int = 0

    @classmethod
    def fresh(cls, cells: int) -> "CurveSums":
        """Without labels."""
        return cls(CellSums.fresh(cells), np.zeros(2, dtype=bool))

    def moved(self, bins: CurveBins, scopes: Ints) -> "CurveSums":
        """Return the sums of other scopes (S,), by their indices here; -1 for one without rows."""
        first = bins.first_cell
        cells = [
            np.arange(first(old), first(old + 1)) if old >= 0 else np.full(first(new + 1) - first(new), -1)
            for new, old in enumerate(scopes.tolist())
        ]
        return replace(self, cells=self.cells.moved(np.concatenate(cells)))

    def fits(self, other: "CurveSums") -> bool:
        """Tell whether these are sums of as many cells as others."""
        return self.cells.rows.shape == other.cells.rows.shape

    def after(
        self, bins: CurveBins, rows: Comparisons, counted: Bools, step: Ints, sizes: Sequence[int], *, dependent: bool
    ) -> "CurveSums":
        """Return them after ticks of these sizes of labelled rows, whose scopes are ``counted`` (n, S); ``step`` (n,)
        numbers the steps, and ``dependent`` tells whether a window is the unit.
        """
        sums, sampled = self, sampled_for_label(rows)
        for begin, stop in pairwise(accumulate(sizes, initial=0)):
            own = sampled & (np.arange(len(rows)) >= begin) & (np.arange(len(rows)) < stop)
            if own.any():
                added = TickSums.from_rows(rows.take(own), counted[own], step[own], bins)
                sums = sums.after_tick(added, int(own.sum()), dependent=dependent)
        return sums

    def after_tick(self, added: TickSums, labels: int, *, dependent: bool) -> "CurveSums":
        """Return them after one tick with this number of labels."""
        after = replace(self, cells=self.cells.after(added), dependent=self.dependent | dependent)
        after = replace(after, labels=self.labels + labels)
        if after.labels // CURVE_COHORT_LABELS == self.labels // CURVE_COHORT_LABELS:
            return after
        return replace(
            after, cells=after.cells.with_new_cohort(), dependent=np.array([after.dependent[1], False], dtype=bool)
        )
