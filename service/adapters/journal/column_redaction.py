"""The values of input columns as a record has them: themselves, a digest, the bin of the search, or nothing.

The search for undeclared groups compares a value with the bounds of its slices and with nothing else, so a value from
the same bin leads to the same findings. Where the slices are not known before the first row, because no golden rows
fix them, the search needs the values themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np

from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.hunter.search import Search, SearchPlan
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Comparisons, Features, Floats

ColumnWay: TypeAlias = Literal["keep", "hash", "bin", "drop"]

OTHER_COLUMNS = "*"
"""The key of the way of all columns that have none of their own."""

DROP_ALL: Mapping[str, ColumnWay] = MappingProxyType({OTHER_COLUMNS: "drop"})
KEEP_ALL: Mapping[str, ColumnWay] = MappingProxyType({OTHER_COLUMNS: "keep"})

HASH_BYTES = 3
"""Bytes of the digest of a value: as many as a float of 32 bits holds exactly."""


def column_keys(column: InputColumn) -> tuple[str, ...]:
    """The keys by which the configuration may name a column: its title, its number, and that with the input's name."""
    return column.name, str(column.index), f"{column.input}:{column.index}"


@dataclass(frozen=True, slots=True)
class ColumnRedaction:
    """The ``ways`` of the columns of a plan, with the ``key`` of digests, and the ``bounds`` of bins of each column.
    ``repeats_search``: what is left is enough to repeat the search.
    """

    ways: tuple[ColumnWay, ...]
    bounds: tuple[Floats, ...]
    repeats_search: bool
    key: bytes = field(repr=False)

    @classmethod
    def of(cls, plan: Plan, written: Mapping[str, ColumnWay], key: bytes) -> "ColumnRedaction":
        """The ways of the columns of a plan."""
        search = (plan.base or plan).search
        other = written.get(OTHER_COLUMNS, "drop")
        if search is None:
            return cls((), (), other == "keep", key)
        ways = tuple(next((written[k] for k in column_keys(c) if k in written), other) for c in search.columns)
        used = {way for way, column in zip(ways, search.columns, strict=True) if column.searched}
        enough = used <= {"keep"} or (used <= {"keep", "bin"} and search.reference is not None)
        return cls(ways, tuple(_bounds(search, number) for number in range(len(ways))), enough, key)

    def is_same(self, other: "ColumnRedaction") -> bool:
        """Whether both redact alike."""
        if (self.ways, self.repeats_search) != (other.ways, other.repeats_search):
            return False
        return "bin" not in self.ways or all(map(np.array_equal, self.bounds, other.bounds))

    def rows(self, rows: Comparisons) -> Comparisons:
        """Rows with the values that are recorded; without any columns where all are dropped."""
        if set(self.ways) == {"keep"} or (not self.ways and self.repeats_search):
            return rows
        if set(self.ways) <= {"drop"} or rows.features.shape[1] != len(self.ways):
            return replace(rows, features=np.zeros((len(rows), 0), np.float32))
        values = rows.features.astype(np.float32)
        for number, way in enumerate(self.ways):
            if way != "keep":
                values[:, number] = self._redacted(values[:, number], number)
        return replace(rows, features=values)

    def search(self, search: Search) -> Search:
        """The state of the search with the bins of the values that it has learned."""
        if "bin" not in self.ways or not len(search.learned):
            return search
        learned = search.learned.copy()
        for number, way in enumerate(self.ways):
            if way == "bin":
                learned[:, number] = binned(learned[:, number], self.bounds[number])
        return replace(search, learned=learned)

    def _redacted(self, values: Features, number: int) -> Features:
        """The values (n,) of a column that is not kept as it is."""
        way = self.ways[number]
        if way == "drop":
            return np.full_like(values, np.nan)
        return self._hashed(values) if way == "hash" else binned(values, self.bounds[number])

    def _hashed(self, values: Features) -> Features:
        """A digest of each value as a whole number; NaN stays."""
        distinct, index = np.unique(values, return_inverse=True)
        hashed = [
            int.from_bytes(blake2b(each.tobytes(), key=self.key, digest_size=HASH_BYTES).digest()) for each in distinct
        ]
        return np.where(np.isnan(values), np.float32(np.nan), np.array(hashed, np.float32)[index]).astype(np.float32)


def binned(values: Features, bounds: Floats) -> Features:
    """Values (n,) by bins: a value that is a bound stays, one between two bounds becomes a value between them that does
    not depend on it, NaN stays.

    >>> binned(np.array([1, 17, 3.5, 40], np.float32), np.array([1.0, 3.0, 17.0])).tolist()
    [1.0, 17.0, 10.0, 18.0]
    """
    if not len(bounds):
        return np.where(np.isnan(values), values, np.float32(0))
    number = np.searchsorted(bounds, values)
    is_bound = bounds[np.minimum(number, len(bounds) - 1)] == values
    with np.errstate(over="ignore"):  # infinity lies beyond the largest number
        between = np.concatenate([[_below(bounds[0])], _between(bounds[:-1], bounds[1:]), [_above(bounds[-1])]])
    return np.where(np.isnan(values) | is_bound, values, between[number]).astype(np.float32)


def _between(low: Floats, high: Floats) -> Floats:
    """A value of 32 bits above ``low`` and below ``high``, where there is one."""
    middle = ((low + high) / 2).astype(np.float32)
    next_ = np.nextafter(low.astype(np.float32), np.float32(np.inf))
    return np.where((middle > low) & (middle < high), middle, next_).astype(np.float64)


def _below(bound: float) -> float:
    return min(float(np.floor(bound)) - 1, float(np.nextafter(np.float32(bound), np.float32(-np.inf))))


def _above(bound: float) -> float:
    return max(float(np.ceil(bound)) + 1, float(np.nextafter(np.float32(bound), np.float32(np.inf))))


def _bounds(search: SearchPlan, number: int) -> Floats:
    """The bounds of the slices in one column, sorted."""
    if search.reference is None:
        return np.zeros(0)
    own = search.reference.column == number
    values = np.concatenate([search.reference.low[own], search.reference.high[own]])
    return np.unique(values[np.isfinite(values)])
