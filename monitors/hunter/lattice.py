"""The lattice of slices: single predicates, pairs, and triples of declared values that have enough rows.

It is fixed from reference rows before it is used, so a slice is never chosen by the outcomes that it is judged by.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tightrope.monitors.catalogue import SEARCH_SHARE, SLOT_SHARE, SLOTS
from tightrope.monitors.hunter.columns import Layout, Predicate
from tightrope.monitors.hunter.row_bits import RowBits, losses_of, packed, row_counts, satisfied
from tightrope.monitors.intervals.sequences import proof_needed, upper_rate
from tightrope.monitors.records import Bools, Floats, Ints

MAX_SLICES = 2048
"""The largest number of slices, those with the most rows: with more the judge would lose half of its speed."""

MAX_PREDICATES = 512
"""The largest number of predicates that are combined."""

MAX_VALUES = 25
"""A column with more values than this is cut at quantiles."""

QUANTILES = (0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9)
CONFIDENCE_EDGES = (0.0, 0.6, 0.75, 0.9, 1.0)
DOUBTFUL = 0.75
"""Below this confidence, answers that differ are expected: a slice of such a band has a limit of its own."""

MIN_SLICE_SHARE, MIN_TRIPLE_SHARE, MAX_SHARE = 0.01, 0.005, 0.95
"""The shares of the reference rows that a slice may have."""

LARGEST_PART = 0.9
"""A pair with this share of either part is that part."""

SAME_ROWS = 0.8
"""A slice with a larger Jaccard index with a declared subgroup is that subgroup, which is watched already."""

PART_SLICES = 512
"""Slices whose rows are found together."""

MAX_LIMIT = 0.7
CONFIDENCE_OF_LIMIT = 0.05
LIMIT_STEP = 1.25
"""Limits of doubtful slices are rounded up by this factor, so that few differ."""


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no truth; two lattices differ, a cache knows each
class Lattice:
    """P predicates and S slices. ``column`` (P,), ``low`` and ``high`` (P,); ``slices`` (S, 3) the predicates of each
    slice, P where it has fewer; ``limits`` (S,). ``is_complete``: slices by the compressed model's answer are among
    them, if there are any. The last ``slots`` slices are those that were chosen from rows; all others are fixed.

    >>> lattice = Lattice.of([(0, 1.0, 1.0), (1, -np.inf, 5.0)], [(0,), (0, 1)], limit=0.1)
    >>> lattice.members(lattice.satisfied(np.array([[1.0, 9.0], [1.0, 2.0]]))).tolist()
    [[3], [2]]
    """

    column: Ints
    low: Floats
    high: Floats
    slices: Ints
    limits: Floats
    is_complete: bool = False
    slots: int = 0

    @classmethod
    def of(cls, predicates: Sequence[Predicate], slices: Sequence[Sequence[int]], limit: float) -> "Lattice":
        """Build a lattice of slices, each given by the indices of its predicates, with one limit."""
        columns = np.array(predicates, np.float64).reshape(-1, 3).T
        padded = [(*each, *(len(predicates),) * (3 - len(each))) for each in slices]
        indices = np.array(padded, np.int64).reshape(-1, 3)
        return cls(columns[0].astype(np.int64), columns[1], columns[2], indices, np.full(len(padded), limit))

    def __len__(self) -> int:
        return len(self.slices)

    @property
    def depth(self) -> Ints:
        """The number of predicates of each slice, (S,)."""
        return np.asarray((self.slices < len(self.column)).sum(axis=1))

    @property
    def shares(self) -> Floats:
        """The part of the alarm budget that each slice has, (S,): of that of the fixed ones half for single predicates,
        half for the rest; of that of the slots an equal part for each that there can be.
        """
        single = self.depth[: self.fixed] == 1
        parts = 1 if single.all() or not single.any() else 2
        fixed = np.where(single, 1 / max(single.sum(), 1), 1 / max((~single).sum(), 1)) / parts
        return np.concatenate([SEARCH_SHARE * fixed, np.full(self.slots, SLOT_SHARE / SLOTS)])

    @property
    def fixed(self) -> int:
        """The number of slices that are not slots."""
        return len(self.slices) - self.slots

    def predicates(self, index: int) -> tuple[Predicate, ...]:
        """The predicates of a slice."""
        own = self.slices[index][self.slices[index] < len(self.column)]
        return tuple((int(self.column[p]), float(self.low[p]), float(self.high[p])) for p in own)

    def predicate_numbers(self) -> dict[Predicate, int]:
        """The number of each predicate."""
        return {predicate: number for number, predicate in enumerate(self.all_predicates)}

    @property
    def all_predicates(self) -> list[Predicate]:
        """The predicates of all slices, (P,)."""
        return [*zip(self.column.tolist(), self.low.tolist(), self.high.tolist(), strict=True)]

    def with_slots(self, slices: Sequence[Sequence[int]], limit: float) -> "Lattice":
        """The lattice with its fixed slices and these slots, each given by the indices of its predicates."""
        indices = np.array([self.padded(each) for each in slices], np.int64).reshape(-1, 3)
        limits = np.concatenate([self.limits[: self.fixed], np.full(len(slices), limit)])
        slices_now = np.concatenate([self.slices[: self.fixed], indices])
        return replace(self, slices=slices_now, limits=limits, slots=len(slices))

    def padded(self, own: Sequence[int]) -> tuple[int, ...]:
        """A slice by the indices of its predicates, as in ``slices``."""
        return (*own, *(len(self.column),) * (3 - len(own)))

    def holds(self, own: Sequence[int]) -> bool:
        """Whether a slice, by the indices of its predicates, is one of the fixed ones."""
        first, second, third = (
            slices == each for slices, each in zip(self.slices[: self.fixed].T, self.padded(own), strict=True)
        )
        return bool((first & second & third).any())

    @property
    def slot_indices(self) -> list[tuple[int, ...]]:
        """The indices of the predicates of every slot, as in ``slices``."""
        return [tuple(each) for each in self.slices[self.fixed :].tolist()]

    def satisfied(self, vectors: Floats) -> Bools:
        """The rows (n, width) that satisfy each predicate, (P, n)."""
        return satisfied(vectors, self.column, self.low, self.high)

    def members(self, rows: Bools) -> RowBits:
        """The rows of each slice by those of each predicate (P, n), as bits of words: (S, ceil(n / 64))."""
        return np.concatenate([*self.member_parts(packed(rows))])

    def member_parts(self, words: RowBits) -> Iterator[RowBits]:
        """The rows of each slice by those of each predicate (P, words), some slices at a time (…, words): those of many
        rows and all slices would not fit the caches.
        """
        known = np.concatenate([words, np.full((1, words.shape[1]), ~np.uint64(0))])
        for begin in range(0, max(len(self), 1), PART_SLICES):
            first, *others = self.slices[begin : begin + PART_SLICES].T
            member = known.take(first, axis=0)
            for own in others:
                member &= known.take(own, axis=0)
            yield member


def common_slices(after: Lattice, before: Lattice) -> tuple[Ints, Ints]:
    """The numbers of the slices that two lattices have, in each of them: those with the same predicates in their order.

    >>> predicates = [(0, 1.0, 1.0), (1, 2.0, 2.0)]
    >>> lattices = Lattice.of(predicates[::-1], [(0,), (1,)], 0.1), Lattice.of(predicates, [(0,), (0, 1)], 0.1)
    >>> [each.tolist() for each in common_slices(*lattices)]
    [[1], [0]]
    """
    if after.column is before.column and after.fixed == before.fixed:  # they differ in slots alone
        slots = {own: index for index, own in enumerate(after.slot_indices, after.fixed)}
        stay = [(slots[own], index) for index, own in enumerate(before.slot_indices, before.fixed) if own in slots]
        fixed = np.arange(after.fixed)
        new, kept = (np.append(fixed, each) for each in np.array(stay, np.int64).reshape(-1, 2).T)
        return new, kept
    number = after.predicate_numbers()
    known = np.array([*(number.get(each, -1) for each in before.all_predicates), len(after.column)])
    slices, base = known[before.slices], (len(after.column) + 1) ** np.arange(3)
    usable = np.flatnonzero((slices >= 0).all(axis=1))
    codes = after.slices @ base, slices[usable] @ base
    _, new, kept = np.intersect1d(*codes, assume_unique=True, return_indices=True)
    return new, usable[kept]


def build_lattice(layout: Layout, vectors: Floats, loss: Floats, limit: float, fixed: Lattice | None = None) -> Lattice:
    """Build the lattice from reference rows: vectors (n, width) and losses (n,), NaN where they are not known.

    The input predicates of a ``fixed`` lattice stay.
    """
    declared = [(layout.declared + index, 1.0, 1.0) for index in range(len(layout.scopes))]
    if fixed is None:
        inputs = [each for column in range(len(layout.columns)) for each in _cuts(column, vectors[:, column])]
    else:
        singles = np.flatnonzero(fixed.depth[: fixed.fixed] == 1).tolist()
        inputs = [fixed.predicates(index)[0] for index in singles]
    answers = _answer_cuts(layout, vectors)
    predicates = [*declared, *inputs[: MAX_PREDICATES - len(declared)], *answers][: MAX_PREDICATES + len(answers)]
    builder = _Builder(layout, predicates, vectors)
    slices = builder.slices(keep=set(inputs) if fixed else set())
    lattice = replace(Lattice.of(predicates, [], limit), slices=slices, limits=np.full(len(slices), limit))
    return replace(lattice, limits=_limits(layout, lattice, vectors, loss, limit))


def _cuts(column: int, values: Floats) -> Iterator[Predicate]:
    """The predicates of one input column: its frequent values, or thresholds at its quantiles."""
    known = values[~np.isnan(values)]
    found, counts = np.unique(known, return_counts=True)
    if len(found) <= MAX_VALUES:
        enough = (counts >= MIN_SLICE_SHARE * len(values)) & (counts <= MAX_SHARE * len(values))
        yield from ((column, float(value), float(value)) for value in found[enough])
        return
    for cut in np.unique(np.quantile(known, QUANTILES, method="inverted_cdf")).tolist():
        yield column, -np.inf, cut
        yield column, float(np.nextafter(cut, np.inf)), np.inf


def _answer_cuts(layout: Layout, vectors: Floats) -> list[Predicate]:
    """The frequent classes that the compressed model says, and the bands of its confidence."""
    first = len(layout.columns)
    known = vectors[:, first + 1]
    known = known[~np.isnan(known)]
    cuts = list(_cuts(first, vectors[:, first])) if len(np.unique(vectors[:, first])) <= MAX_VALUES else []
    if not len(known):
        return cuts
    edges = [*CONFIDENCE_EDGES[:-1], np.nextafter(1.0, 2)]
    bands = [(first + 1, low, float(np.nextafter(high, 0))) for low, high in pairwise(edges)]
    shares = [np.mean((known >= low) & (known <= high)) for _, low, high in bands]
    return cuts + [band for band, share in zip(bands, shares, strict=True) if MIN_SLICE_SHARE <= share <= MAX_SHARE]


def _limits(layout: Layout, lattice: Lattice, vectors: Floats, loss: Floats, limit: float) -> Floats:
    """The limit of each slice: of one in a doubtful band at least twice the upper end of its rate there."""
    limits, known = lattice.limits.copy(), np.isfinite(loss)
    confidence = len(layout.columns) + 1
    doubtful = np.append((lattice.column == confidence) & (lattice.high < DOUBTFUL), False)
    own = np.flatnonzero(doubtful[lattice.slices].any(axis=1))
    if len(own) and known.any():
        members = lattice.members(lattice.satisfied(vectors[known]))[own]
        upper = upper_rate(row_counts(members), losses_of(members, loss[known]), proof_needed(CONFIDENCE_OF_LIMIT))
        steps = np.ceil(np.log(np.maximum(2 * upper / limit, 1.0)) / np.log(LIMIT_STEP))
        raised = np.where(upper > limit / 2, limit * LIMIT_STEP**steps, limit)
        limits[own] = np.minimum(raised, max(MAX_LIMIT, limit))
    return limits


class _Builder:
    """Chooses the slices of predicates by their reference rows."""

    def __init__(self, layout: Layout, predicates: Sequence[Predicate], vectors: Floats) -> None:
        columns = np.array(predicates, np.float64).reshape(-1, 3).T
        self._words = packed(satisfied(vectors, columns[0].astype(np.int64), columns[1], columns[2]))
        self._predicates = predicates
        self._rows = max(len(vectors), 1)
        self._attribute = layout.attributes[columns[0].astype(np.int64)]
        self._declared = columns[0] >= layout.declared
        common = [row_counts(self._words & each) for each in self._words]
        self._common = np.array(common).reshape(len(predicates), len(predicates))
        self._count = np.diag(self._common)

    def slices(self, keep: set[Predicate]) -> Ints:
        """The slices in the order of their rows, singles first, (S, 3) as in a lattice; the single predicates of
        ``keep`` are among them.
        """
        same = self._is_declared(self._common[:, self._declared], self._count)
        kept = np.array([each in keep for each in self._predicates], dtype=bool)
        singles = np.flatnonzero(~self._declared & (kept | ~same))
        pairs = self._pairs(np.concatenate([np.flatnonzero(self._declared), singles]))
        parts = [
            np.pad(each, ((0, 0), (0, 3 - each.shape[1])), constant_values=len(self._predicates))
            for each in (singles[:, None], pairs, self._triples())
        ]
        return np.concatenate(parts)[:MAX_SLICES]

    def _pairs(self, allowed: Ints) -> Ints:
        """Pairs of predicates, the most frequent first, (S, 2)."""
        first, second = np.triu_indices(len(self._count), 1)
        rows = self._common[first, second]
        usable = np.isin(first, allowed) & np.isin(second, allowed)
        usable &= self._attribute[first] != self._attribute[second]
        usable &= rows >= MIN_SLICE_SHARE * self._rows
        usable &= rows < LARGEST_PART * np.minimum(self._count[first], self._count[second])
        order = np.flatnonzero(usable)
        order = order[np.argsort(-rows[order], kind="stable")][:MAX_SLICES]
        first, second = first[order], second[order]
        new = ~self._are_declared(self._words[first] & self._words[second], rows[order])
        return np.stack([first[new], second[new]], axis=1)

    def _triples(self) -> Ints:
        """Triples of declared values, the most frequent first, (S, 3)."""
        own, least = np.flatnonzero(self._declared), MIN_TRIPLE_SHARE * self._rows
        first, second = (own[each] for each in np.triu_indices(len(own), 1))
        usable = (self._attribute[first] != self._attribute[second]) & (self._common[first, second] >= least)
        first, second = first[usable], second[usable]
        both = self._words[first] & self._words[second]
        rows = np.array([row_counts(both & self._words[third]) for third in own]).reshape(len(own), len(first)).T
        enough = (own > second[:, None]) & (rows >= least) & (self._attribute[own] != self._attribute[second][:, None])
        found = enough.sum(axis=1)
        pair, third = np.nonzero(enough & (np.cumsum(found) - found < MAX_SLICES)[:, None])
        triples = np.stack([first[pair], second[pair], own[third]], axis=1)
        return triples[np.argsort(-rows[pair, third], kind="stable")]

    def _is_declared(self, shared: Floats, rows: Floats) -> Bools:
        """Whether slices have almost the rows of a declared subgroup, by their common rows (S, declared)."""
        together = rows[:, None] + self._count[self._declared] - shared
        return np.asarray((shared > SAME_ROWS * together).any(axis=1))

    def _are_declared(self, words: RowBits, rows: Floats) -> Bools:
        """Whether slices, by their rows in words (S, words), have almost those of a declared subgroup: only of one of
        about their size.
        """
        count, shared = self._count[self._declared], np.zeros((len(rows), int(self._declared.sum())))
        own, subgroup = np.nonzero((rows[:, None] > SAME_ROWS * count) & (count > SAME_ROWS * rows[:, None]))
        shared[own, subgroup] = row_counts(words[own] & self._words[self._declared][subgroup])
        return self._is_declared(shared, rows)
