"""The size of a run, and the seconds to expect of a size that was not observed.

A size is made of two bit lengths: of all elements of a run's inputs, and of the elements of a row. Rows alone say
little: one row of 20,000 numbers may take a thousand times as long as one of 20. Work grows with the rows as they do
where rows are proven independent, but with the width of a row, or where rows are not, up to its third power.
"""

from collections.abc import Mapping
from math import inf

from tightrope.monitors.records import Tensors

WIDTH_BITS = 6
"""Bits of a size that hold the bit length of a row's elements."""

LINEAR, CUBIC = 2.0, 8.0
"""Growth of the seconds when the rows, or the elements of a row, double."""


def count_elements(inputs: Tensors) -> int:
    """The elements of all inputs; a text counts its characters."""
    count = 0
    for tensor in inputs.values():
        count += tensor.size
        if tensor.dtype.kind == "O":
            count += sum(map(len, tensor.ravel().tolist()))
    return count


def run_size(rows: int, elements: int) -> int:
    """The size of a run."""
    return elements.bit_length() << WIDTH_BITS | (elements // rows if rows else 0).bit_length()


def estimate_seconds(seconds_by_size: Mapping[int, float], size: int, rows_growth: float, width_growth: float) -> float:
    """Seconds of a size: its own, or an upper estimate from the others, and no less than a smaller one took; 0 before
    anything was observed.
    """
    if (own := seconds_by_size.get(size)) is not None:
        return own
    width, rows = _bits(size)
    upper, lower = inf, 0.0
    for known, seconds in seconds_by_size.items():
        known_width, known_rows = _bits(known)
        more_rows, more_width = max(rows - known_rows, 0), max(width - known_width, 0)
        upper = min(upper, seconds * rows_growth**more_rows * width_growth**more_width)
        if width >= known_width and rows >= known_rows:
            lower = max(lower, seconds)
    return max(upper, lower) if seconds_by_size else 0.0


def _bits(size: int) -> tuple[int, int]:
    """The bit lengths of a row's elements and, roughly, of the rows."""
    elements, width = size >> WIDTH_BITS, size & (1 << WIDTH_BITS) - 1
    return width, elements - width
