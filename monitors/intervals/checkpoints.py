"""Checkpoints of the counts of rate cells along the rows of a model, thinner the older they are.

How it works. The end of every tick is a checkpoint. Between two of them stand the steps of every cell, and their sum.
Where there are too many, every other one of the older half is dropped: the newest stretch stays fine.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Bools, Floats, Ints

Counts: TypeAlias = NDArray[np.float32]
"""Counts between two checkpoints: exact up to 16 million, in half the memory."""

MOST_CHECKPOINTS, FEWEST_CHECKPOINTS = 128, 16
MOST_COUNTS = 65_536
"""Counts that are kept at most: with more than 512 cells there are fewer checkpoints."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The P latest checkpoints of C cells.

    ``rows`` (P,) counts the model's rows up to each and ``times`` (P,) are event times (s); ``steps`` and ``total``
    (P, C) are those of the stretch that ends there. A cell started at row ``start`` (C,) and event time ``started``
    (C,), NaN before its first row.

    >>> checkpoints = Checkpoints.fresh(1)
    >>> for tick in range(1, 1000):
    ...     one = np.ones((1, 1))
    ...     checkpoints = checkpoints.after(np.array([64 * tick]), np.array([tick + 0.0]), 64 * one, one)
    >>> len(checkpoints.rows), int(checkpoints.steps.sum()), int(checkpoints.rows[-1])
    (103, 63936, 63936)
    """

    rows: Ints
    times: Floats
    steps: Counts
    total: Counts
    start: Ints
    started: Floats

    @classmethod
    def fresh(cls, cells: int) -> "Checkpoints":
        """Build them without rows."""
        none = np.zeros((0, cells), dtype=np.float32)
        return cls(
            np.zeros(0, dtype=np.int64),
            np.zeros(0),
            none,
            none,
            np.zeros(cells, dtype=np.int64),
            np.full(cells, np.nan),
        )

    @property
    def most(self) -> int:
        """The number of checkpoints at which half of the older ones are dropped."""
        return int(np.clip(MOST_COUNTS // max(len(self.start), 1), FEWEST_CHECKPOINTS, MOST_CHECKPOINTS))

    @property
    def rows_per_second(self) -> float:
        """The model's rows a second of event time along the checkpoints; 0 while it is not known."""
        span = float(self.times[-1] - self.times[0]) if len(self.times) else 0.0
        return float(self.rows[-1] - self.rows[0]) / span if span > 0 else 0.0

    def after(self, rows: Ints, times: Floats, steps: Floats, total: Floats) -> "Checkpoints":
        """Return them after T more ticks: rows and times at their ends (T,), steps and sums of the cells (T, C)."""
        kept, done = self, 0
        while done < len(rows):
            part = slice(done, done + self.most - len(kept.rows))
            kept = replace(
                kept,
                rows=np.concatenate([kept.rows, rows[part]]),
                times=np.concatenate([kept.times, times[part]]),
                steps=np.concatenate([kept.steps, steps[part].astype(np.float32)]),
                total=np.concatenate([kept.total, total[part].astype(np.float32)]),
                started=np.where(np.isnan(kept.started), times[done], kept.started),
            )
            done = part.stop
            if len(kept.rows) >= self.most:
                kept = _thinned(kept)
        return kept

    def moved(self, cells: Ints) -> "Checkpoints":
        """The checkpoints of other cells: each from the one of this index; where it is -1, one that starts now."""
        new = cells < 0
        kept = replace(
            self,
            steps=np.where(new, np.float32(0), self.steps[:, cells]) if len(self.start) else self.steps,
            total=np.where(new, np.float32(0), self.total[:, cells]) if len(self.start) else self.total,
            start=np.where(new, self.rows[-1] if len(self.rows) else 0, self.start[cells]),
            started=np.where(new, self.times[-1] if len(self.times) else np.nan, self.started[cells]),
        )
        while len(kept.rows) >= kept.most:
            kept = _thinned(kept)
        return kept

    def restarted(self, cells: Bools, row: int, time: float) -> "Checkpoints":
        """Forget the counts of the masked cells (C,), which start at this row and event time."""
        return replace(
            self,
            steps=np.where(cells, np.float32(0), self.steps),
            total=np.where(cells, np.float32(0), self.total),
            start=np.where(cells, row, self.start),
            started=np.where(cells, time, self.started),
        )

    def counts_of(self, cell: int) -> tuple[Ints, Floats, Floats, Floats]:
        """The checkpoints of one cell from its start on: rows, event times, and steps and their sum since the start."""
        own = self.rows > self.start[cell]
        rows = np.concatenate([self.start[[cell]], self.rows[own]])
        times = np.concatenate([self.started[[cell]], self.times[own]])
        steps, total = (np.cumsum(np.append(0.0, part[own, cell])) for part in (self.steps, self.total))
        return rows, times, steps, total


def _thinned(checkpoints: Checkpoints) -> Checkpoints:
    """Drop every other checkpoint of the older half; its stretch joins the next one."""
    count = len(checkpoints.rows)
    older = count // 4 * 2
    ends = np.append(np.arange(1, older, 2), np.arange(older, count))
    steps, total = (
        np.concatenate([each[:older:2] + each[1:older:2], each[older:]])
        for each in (checkpoints.steps, checkpoints.total)
    )
    return replace(checkpoints, rows=checkpoints.rows[ends], times=checkpoints.times[ends], steps=steps, total=total)
