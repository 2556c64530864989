"""The latest rows of the search, as the predicates that each one satisfies: slices are chosen from them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.hunter.columns import Predicate
from tightrope.monitors.records import Bools, Floats, Ints

PredicateBits = NDArray[np.uint8]
RowUnits = NDArray[np.int16]

FIRST_LOOK = 256
"""The rows after which slots are chosen for the first time; the next times after twice as many each."""

MOST_ROWS, MOST_BYTES = 8_192, 262_144
"""The most rows that are kept, and the most bytes: the state of a model stays small."""

IN_FOUND_GROUP = -1
"""The units of loss of a row that is in a found group."""


@dataclass(frozen=True, slots=True)
class PastRows:
    """The latest n rows: ``held`` (n, ceil(P / 8)) the predicates of the lattice that each satisfies, as bits, and the
    ``units`` (n,) of its loss, or `IN_FOUND_GROUP`. ``ticks`` (t, 3) are their ticks: the number of rows, and the row
    number and event time before them. After ``next_look`` rows of the search, slots are chosen again; with 0
    they never are, and no row is kept.

    >>> past = PastRows().after(np.array([[True, False], [True, True]]), np.array([0, 1024]), [2], [(0, 5.0)])
    >>> past.satisfied(2).tolist(), past.units.tolist(), past.ticks.tolist()
    ([[True, False], [True, True]], [0, 1024], [[2.0, 0.0, 5.0]])
    """

    held: PredicateBits = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    units: RowUnits = field(default_factory=lambda: np.zeros(0, np.int16))
    ticks: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    next_look: int = FIRST_LOOK

    def __len__(self) -> int:
        return len(self.units)

    def is_due(self, rows: int) -> bool:
        """Whether slots are chosen after this number of rows of the search."""
        return 0 < self.next_look <= rows

    def anew(self) -> "PastRows":
        """No rows."""
        return PastRows(next_look=FIRST_LOOK if self.next_look else 0)

    def satisfied(self, predicates: int) -> Bools:
        """The rows that satisfy each of P predicates, (P, n)."""
        if not len(self):
            return np.zeros((predicates, 0), dtype=bool)
        octets = np.ascontiguousarray(self.held.T)[:, None]
        bits = octets >> np.arange(8, dtype=np.uint8)[:, None] & 1
        return bits.reshape(-1, len(self))[:predicates].view(bool)

    def after(
        self, satisfied: Bools, units: Ints, sizes: Ints | Sequence[int], begins: Floats | Sequence[tuple[float, float]]
    ) -> "PastRows":
        """Add rows: the predicates that they satisfy (P, n) and their units (n,), in ticks of these sizes (t,) with
        the row numbers and times before them (t, 2). The oldest ticks leave, whole, so that no order of rows matters.
        """
        if not self.next_look or not len(units):
            return self
        held = _octets(satisfied)
        ticks = np.column_stack([sizes, np.asarray(begins, np.float64).reshape(-1, 2)])
        if len(self):
            held, units = np.concatenate([self.held, held]), np.concatenate([self.units, units])
            ticks = np.concatenate([self.ticks, ticks])
        most = min(MOST_ROWS, MOST_BYTES // (held.shape[1] + self.units.itemsize))
        first = int((np.cumsum(ticks[::-1, 0]) > most).argmax()) if ticks[:, 0].sum() > most else len(ticks)
        ticks = ticks[len(ticks) - first :]
        begin = len(units) - int(ticks[:, 0].sum())
        return replace(self, held=held[begin:], units=units[begin:].astype(np.int16), ticks=ticks)

    def by_predicates(self, before: Sequence[Predicate], after: Sequence[Predicate]) -> "PastRows":
        """The rows by other predicates; no row is known to satisfy a new one."""
        number = {predicate: index for index, predicate in enumerate(before)}
        known = np.concatenate([self.satisfied(len(before)), np.zeros((1, len(self)), dtype=bool)])
        kept = known[[number.get(each, len(before)) for each in after]]
        return replace(self, held=_octets(kept))


def _octets(satisfied: Bools) -> PredicateBits:
    """The predicates that each of n rows satisfies (P, n), as bits: (n, ceil(P / 8)). Row after row, `numpy.packbits`
    takes a few times as long.
    """
    octets = np.zeros((-(-len(satisfied) // 8), satisfied.shape[1]), np.uint8)
    for bit in range(8):
        own = satisfied[bit::8]
        octets[: len(own)] |= own.view(np.uint8) << bit
    return octets.T


def look_after(rows: int) -> int:
    """The number of rows after which slots are chosen next, by the number of rows so far.

    >>> look_after(0), look_after(256), look_after(1_000)
    (256, 512, 1024)
    """
    return FIRST_LOOK << max(rows // FIRST_LOOK, 0).bit_length()
