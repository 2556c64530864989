"""Cut a stream of rows into ticks that end where a request ends, and blocks of ticks that are judged together."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Bools, Floats, Ints

T = TypeVar("T", bound=np.generic)

MAX_BLOCK_TICKS = 128
"""Ticks that are judged together: enough for bulk arithmetic, few enough to repeat after a change of mode."""

MAX_TICK_STRETCH = 2
"""Ticks that are longer than this many times their size are judged alone: shorter ones are filled up to them."""


@dataclass(frozen=True, slots=True)
class Block:
    """Ticks of these ``sizes``, from row ``begin`` of a batch on.

    >>> Block(begin=64, sizes=(16, 17)).end
    97
    """

    begin: int
    sizes: tuple[int, ...]

    @classmethod
    def of_equal_ticks(cls, begin: int, ticks: int, rows: int) -> "Block":
        """Build a block of ``ticks`` ticks of ``rows`` rows each."""
        return cls(begin, (rows,) * ticks)

    @property
    def ticks(self) -> int:
        """The number of ticks."""
        return len(self.sizes)

    @property
    def rows(self) -> int:
        """The rows of the longest tick."""
        return max(self.sizes)

    @property
    def end(self) -> int:
        """The index after the last row."""
        return self.begin + sum(self.sizes)

    @property
    def tick_of_row(self) -> Ints:
        """The tick of each row, (N,)."""
        return np.repeat(np.arange(self.ticks), self.sizes)

    def rows_of(self, ticks: int) -> int:
        """The rows of the first ``ticks`` ticks."""
        return sum(self.sizes[:ticks])

    def shaped(self, values: NDArray[T]) -> NDArray[T]:
        """Reshape (N, …) to (T, rows, …); short ticks end with zeros."""
        if min(self.sizes) == self.rows:
            return values.reshape(self.ticks, self.rows, *values.shape[1:])
        filled = np.zeros((self.ticks, self.rows, *values.shape[1:]), dtype=values.dtype)
        filled[np.arange(self.rows) < np.array(self.sizes)[:, None]] = values
        return filled


def next_block(times: Floats, starts: Bools, begin: int, tick_rows: int, tick_seconds: float) -> Block | None:
    """Return the next complete ticks; None if the tick is still open.

    A tick ends at the first end of a request from ``tick_rows`` rows on, or before the row whose event time is
    ``tick_seconds`` after its first. ``starts`` (n,) marks the first row of each request; a batch holds whole requests.
    """
    if starts.all():
        return _block_of_single_rows(times, begin, tick_rows, tick_seconds)
    sizes: list[int] = []
    start_rows = np.append(np.flatnonzero(starts), len(times))
    while len(sizes) < MAX_BLOCK_TICKS:
        size = _next_size(times, start_rows, begin + sum(sizes), tick_rows, tick_seconds)
        if not size or (sizes and max(size, *sizes) > MAX_TICK_STRETCH * tick_rows):
            break
        sizes.append(size)
    return Block(begin, tuple(sizes)) if sizes else None


def _next_size(times: Floats, start_rows: Ints, begin: int, tick_rows: int, tick_seconds: float) -> int:
    """The size of the tick that begins at a row; 0 while it is open."""
    window = times[begin : begin + tick_rows]
    ended = np.flatnonzero(window - window[:1] >= tick_seconds)
    if len(ended):
        return int(ended[0])
    if begin + tick_rows > len(times):
        return 0
    return int(start_rows[np.searchsorted(start_rows, begin + tick_rows)]) - begin


def _block_of_single_rows(times: Floats, begin: int, tick_rows: int, tick_seconds: float) -> Block | None:
    """Find the ticks where every request has one row, all at once."""
    full = min((len(times) - begin) // tick_rows, MAX_BLOCK_TICKS)
    if full:
        shaped = times[begin : begin + full * tick_rows].reshape(full, tick_rows)
        late = (shaped - shaped[:, :1] >= tick_seconds).any(axis=1)
        full = int(late.argmax()) if late.any() else full
    if full:
        return Block.of_equal_ticks(begin, full, tick_rows)
    window = times[begin : begin + tick_rows]
    ended = np.flatnonzero(window - window[:1] >= tick_seconds)
    return Block(begin, (int(ended[0]),)) if len(ended) else None
