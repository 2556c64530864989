"""The rows of each step in each cell, and the steps of windows that end within a block."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tightrope.monitors.records import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """Rows of E steps in a cell, all (E,): ``tick`` of the block, ``variant``, ``scope``, number of the ``step``, the
    number of its ``rows`` in the cell, at least 1, and the ``total`` of their observations.

    >>> ones = np.ones((3, 1), dtype=bool)
    >>> sums = ClusterSums.from_rows(np.zeros(3, int), np.array([7, 8, 7]), ones, ones, np.array([[1.0], [0.0], [0.0]]))
    >>> sums.step.tolist(), sums.rows.tolist(), sums.total.tolist()
    ([7, 8], [2.0, 1.0], [1.0, 0.0])
    """

    tick: Ints
    variant: Ints
    scope: Ints
    step: Ints
    rows: Floats
    total: Floats

    @classmethod
    def from_rows(
        cls, tick: Ints, step: Ints, member: Bools, valid: Bools, y: Floats, classes: Ints | None = None
    ) -> "ClusterSums":
        """Sum rows (n,) by tick and step, for each variant (``valid``, ``y``: n, V) and scope (``member``: n, S).

        With ``classes`` (n,) a row counts for that variant only, and there is one column.
        """
        variant = np.zeros(len(tick), dtype=np.int64) if classes is None else classes
        order = np.lexsort((variant, step, tick))
        tick, step, variant = tick[order], step[order], variant[order]
        first = np.ones(len(tick), dtype=bool)
        first[1:] = (np.diff(tick) != 0) | (np.diff(step) != 0) | (np.diff(variant) != 0)
        keys, valid, y = KeyedRows(tick, step, variant, np.cumsum(first) - 1, member[order]), valid[order], y[order]
        columns = range(y.shape[1])
        return cls.joined([_sums_of_column(keys, column, valid[:, column], y[:, column]) for column in columns])

    @classmethod
    def joined(cls, parts: "Sequence[ClusterSums]") -> "ClusterSums":
        """Concatenate at least one part."""
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__
        }
        return cls(**columns)

    def take(self, entries: Bools | Ints) -> "ClusterSums":
        """Select entries by a mask or their indices."""
        columns: dict[str, Any] = {name: getattr(self, name)[entries] for name in ClusterSums.__slots__}
        return ClusterSums(**columns)

    def summed(self, log_e: Floats, ticks: int, variants: int, scopes: int) -> Floats:
        """Sum log e-values (E, K) of the entries by cell: (T, V, S, K). The order of the entries does not matter."""
        cell = np.ravel_multi_index((self.tick, self.variant, self.scope), (ticks, variants, scopes))
        order = np.lexsort((self.total, self.rows, cell))
        cell, log_e = cell[order], log_e[order]
        cells = ticks * variants * scopes
        sums = [np.bincount(cell, weights=log_e[:, each], minlength=cells) for each in range(log_e.shape[1])]
        return np.stack(sums, axis=-1).astype(np.float64, copy=False).reshape(ticks, variants, scopes, -1)


@dataclass(frozen=True, slots=True)
class KeyedRows:
    """Rows (n,) in the order of their steps: tick, step, variant, ``number`` of the step and variant, and ``member``
    (n, S).

    >>> zeros = np.zeros(1, dtype=int)
    >>> KeyedRows(zeros, zeros, zeros, zeros, np.ones((1, 1), dtype=bool)).number.tolist()
    [0]
    """

    tick: Ints
    step: Ints
    variant: Ints
    number: Ints
    member: Bools


def _sums_of_column(rows: KeyedRows, column: int, valid: Bools, y: Floats) -> ClusterSums:
    """The entries of one column of observations, (n,)."""
    own = np.flatnonzero(valid)
    if not len(own):
        empty, none = np.zeros(0, dtype=np.int64), np.zeros(0)
        return ClusterSums(empty, empty, empty, empty, none, none)
    starts = np.flatnonzero(np.diff(rows.number[own], prepend=-1))
    weight = rows.member[own].astype(np.float64)
    count = np.add.reduceat(weight, starts, axis=0)
    total = np.add.reduceat(weight * y[own, None], starts, axis=0)
    entry, scope = np.nonzero(count)
    at_start = own[starts[entry]]
    variant = rows.variant[at_start] + column
    return ClusterSums(
        rows.tick[at_start], variant, scope, rows.step[at_start], count[entry, scope], total[entry, scope]
    )


def open_window(cells: tuple[int, ...], steps: int) -> Floats:
    """The sums of a window without rows, (V, S, steps, 2): number of rows, and the total of their observations."""
    return np.zeros((*cells, steps, 2))


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows that end within a block: ``parts`` are their rows by tick and step, ``ends`` the ticks, rising, at whose
    end one ends, and ``start`` (V, S, steps, 2) the sums of the window that was open before the block.

    >>> ones = np.ones((2, 1), dtype=bool)
    >>> parts = ClusterSums.from_rows(np.array([0, 1]), np.zeros(2, int), ones, ones, np.ones((2, 1)))
    >>> windows = Windows(parts, np.array([0]), np.full((1, 1, 1, 2), 5.0))
    >>> windows.settled.rows.tolist(), windows.open_after(2).ravel().tolist()
    ([6.0], [1.0, 1.0])
    """

    parts: ClusterSums
    ends: Ints
    start: Floats

    @property
    def settled(self) -> ClusterSums:
        """The steps of the windows that end, each at the tick of its end."""
        none = self.parts.take(np.zeros(len(self.parts.tick), dtype=bool))
        return ClusterSums.joined([none, *(self._entries(window, int(end)) for window, end in enumerate(self.ends))])

    def open_after(self, ticks: int) -> Floats:
        """The sums of the window that is open after the first ``ticks`` ticks, (V, S, steps, 2)."""
        return self._sums(int(np.count_nonzero(self.ends < ticks)), ticks)

    def _sums(self, window: int, ticks: int) -> Floats:
        """Sum the rows of one window before a tick, tick by tick, so that batches make no difference."""
        sums = self.start.copy() if window == 0 else np.zeros_like(self.start)
        own = self.parts.take((np.searchsorted(self.ends, self.parts.tick) == window) & (self.parts.tick < ticks))
        own = own.take(np.argsort(own.tick, kind="stable"))
        np.add.at(sums, (own.variant, own.scope, own.step), np.stack([own.rows, own.total], axis=-1))
        return sums

    def _entries(self, window: int, end: int) -> ClusterSums:
        sums = self._sums(window, end + 1)
        variant, scope, step = np.nonzero(sums[..., 0])
        rows, total = sums[variant, scope, step].T
        return ClusterSums(np.full(len(rows), end), variant, scope, step, rows, total)
