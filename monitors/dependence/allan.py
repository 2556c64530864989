"""The Allan variance of a stream over blocks of several sizes: a warning that its rows depend on each other.

How it works. For independent rows the means of neighbouring blocks of B rows differ by the variance of a row over B, so

    D = B mean((b[i+1] - b[i])^2) / (2 v),    z = (D - 1) / sqrt((3 + 2 / (B p)) / n)

with n differences, the variance v of a row and its mean p stays near 1. Bursts and interleaved callers raise it at the
block size of their length, without an id to go by. Slow cycles do not: neighbouring blocks share them. Nor does one
sudden change of the rate, which is no dependence: it is in two differences at most, and the largest ones of large
blocks do not count for the warning. The sums are updated, and looked at, once in 1,024 rows; when they span 64 blocks
of that size they are halved.

Source: Allan, "Statistics of atomic frequency standards", Proc. IEEE 1966.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from tightrope.monitors.records import Floats

BLOCK_ROWS = (4, 16, 64, 256, 1024)
"""The sizes of blocks whose means are compared."""

STRIDE_ROWS = BLOCK_ROWS[-1]
"""Rows between two looks."""

MAX_BLOCKS = 64
"""The number of differences of the largest blocks above which all sums are halved."""

LEFT_OUT = (0, 0, 0, 1, 2)
"""The number of largest differences of each block size that do not count for the warning: with small blocks a change
of the rate weighs nothing. More of them would delay the warning of bursts (simulated).
"""

MIN_DIFFERENCES = 8
"""The number of differences from which a block size is judged."""

MAX_DESIGN_EFFECT, MIN_SCORE = 1.3, 5.0
"""The rows depend on each other where D and z are above these; independent ones never were, in 180 simulated runs."""


def _no_sums() -> Floats:
    return np.zeros(len(BLOCK_ROWS))


@dataclass(frozen=True, slots=True)
class AllanSums:
    """Sums over the rows of a stream, which are losses between 0 and 1.

    ``tail`` holds the rows since the last look, (fewer than 1,024,); ``rows``, ``total`` and ``squares`` are the number
    of earlier rows, their sum and that of their squares; per block size (5,) ``differences`` counts neighbouring
    blocks, ``distance`` sums their squared differences, ``last`` is the mean of the last block (NaN: there is
    none), and ``largest`` (5, 2) has the largest squared differences that do not count, or 0.

    >>> sums = AllanSums().add(np.tile([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0], 128))
    >>> sums.design_effects()[:2].round(6).tolist()
    [8.0, 0.0]
    """

    tail: Floats = field(default_factory=lambda: np.zeros(0))
    rows: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    differences: Floats = field(default_factory=_no_sums)
    distance: Floats = field(default_factory=_no_sums)
    last: Floats = field(default_factory=lambda: np.full(len(BLOCK_ROWS), np.nan))
    largest: Floats = field(default_factory=lambda: np.zeros((len(BLOCK_ROWS), max(LEFT_OUT))))

    @property
    def rows_to_look(self) -> int:
        """The rows until the next look, at least 1."""
        return STRIDE_ROWS - len(self.tail)

    def add(self, y: Floats) -> "AllanSums":
        """Add rows (n,), in order; at most up to the next look.

        Raises:
            ValueError: when there are more.
        """
        tail = np.concatenate([self.tail, y])
        if len(tail) > STRIDE_ROWS:
            raise ValueError(f"at most {self.rows_to_look} rows until the next look; got {len(y)}")
        if len(tail) < STRIDE_ROWS:
            return replace(self, tail=tail)
        differences, distance = self.differences.copy(), self.distance.copy()
        largest, last = self.largest.copy(), self.last.copy()
        for index, size in enumerate(BLOCK_ROWS):
            means = tail.reshape(-1, size).mean(axis=1)
            known = means[1:] - means[:-1]
            if np.isfinite(last[index]):
                known = np.append(means[0] - last[index], known)
            differences[index] += len(known)
            distance[index] += known @ known
            kept = LEFT_OUT[index]
            if kept:
                ordered = np.sort(np.concatenate([largest[index], known**2]))
                largest[index, :kept] = ordered[: -1 - kept : -1]
            last[index] = means[-1]
        share = 0.5 if differences[-1] > MAX_BLOCKS else 1.0
        return AllanSums(
            np.zeros(0),
            share * (self.rows + len(tail)),
            share * (self.total + float(tail.sum())),
            share * (self.squares + float(tail @ tail)),
            share * differences,
            share * distance,
            last,
            share * largest,
        )

    def without_largest(self) -> "AllanSums":
        """The sums without the largest differences of large blocks."""
        differences = np.maximum(self.differences - LEFT_OUT, 0.0)
        return replace(
            self, differences=differences, distance=np.maximum(self.distance - self.largest.sum(axis=1), 0.0)
        )

    def design_effects(self) -> Floats:
        """D of every block size, (5,): 1 for independent rows, and while it is unknown."""
        mean = self.total / self.rows if self.rows else 0.0
        variance = self.squares / self.rows - mean**2 if self.rows else 0.0
        known = (self.differences >= MIN_DIFFERENCES) & (variance > 0)
        squared = np.divide(self.distance, self.differences, out=_no_sums(), where=known)
        return np.where(known, np.asarray(BLOCK_ROWS) * squared / (2 * variance if variance > 0 else 1.0), 1.0)

    def scores(self) -> Floats:
        """z of every block size, (5,): by how many standard deviations D is above 1."""
        mean = self.total / self.rows if self.rows else 0.0
        rate = (self.squares / self.rows - mean**2) / (1 - mean) if 0 < mean < 1 else 0.0  # of zeros and ones, the mean
        if rate <= 0:
            return _no_sums()
        spread = (3 + 2 / (np.asarray(BLOCK_ROWS) * rate)) / np.maximum(self.differences, 1)
        return np.asarray((self.design_effects() - 1) / np.sqrt(spread))

    @property
    def warned_block(self) -> int:
        """The block size with the largest score among those that show dependence; 0 without any."""
        counted = self.without_largest()
        scores = counted.scores()
        dependent = (counted.design_effects() > MAX_DESIGN_EFFECT) & (scores > MIN_SCORE)
        return BLOCK_ROWS[int(np.where(dependent, scores, -np.inf).argmax())] if dependent.any() else 0
