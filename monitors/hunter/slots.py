"""Slots: slices of up to three input predicates that the lattice does not hold, chosen from the rows so far.

How it works. After 256 rows, and twice as many each time, the eight best proposals of the past rows take the slots. A
slice that stays keeps its evidence, a new one starts without any. So all slots together alarm at most once in A / share
rows: an e-value of a slice that was chosen from the past has an expectation of at most 1, and to start anew only takes
mass away. Slices are chosen at the end of a window, where windows are the unit, because its rows belong together.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tightrope.monitors.catalogue import SLOTS
from tightrope.monitors.detector import Bernoulli
from tightrope.monitors.hunter.columns import Layout
from tightrope.monitors.hunter.evidence import LOSS_UNITS, ONSET_BET
from tightrope.monitors.hunter.findings import FoundGroup
from tightrope.monitors.hunter.lattice import SAME_ROWS, Lattice
from tightrope.monitors.hunter.past_rows import IN_FOUND_GROUP, PastRows, look_after
from tightrope.monitors.hunter.proposals import Proposer, rows_in
from tightrope.monitors.hunter.row_bits import RowBits, packed, row_counts
from tightrope.monitors.hunter.search import Search, SearchPlan
from tightrope.monitors.records import Bools


def with_chosen_slots(search: Search, plan: SearchPlan) -> Search:
    """Return the search with the slots that its past rows propose, if it is time to choose them."""
    if search.lattice is None or not search.past.is_due(search.rows):
        return search
    lattice, past = search.lattice, search.past
    satisfied = past.satisfied(len(lattice.column))
    slices = _chosen(lattice, past, satisfied, search.findings, plan)
    after = search.with_lattice(lattice.with_slots(slices, plan.limit))
    kept, free = lattice.slot_indices, past.units != IN_FOUND_GROUP
    for index, own in enumerate(slices, lattice.fixed):
        if lattice.padded(own) not in kept:
            _describe_past(after, index, rows_in(satisfied, own) & free, plan.limit)
    return replace(after, past=replace(past, next_look=look_after(search.rows)))


def _chosen(
    lattice: Lattice, past: PastRows, satisfied: Bools, findings: Sequence[FoundGroup], plan: SearchPlan
) -> list[tuple[int, ...]]:
    """The slices for the slots: the best proposals that no fixed slice, no subgroup and no found group is already."""
    layout = plan.layout
    searched = np.flatnonzero(lattice.column < len(layout.columns))
    free = past.units != IN_FOUND_GROUP
    attribute = layout.attributes[lattice.column[searched]]
    rows = satisfied[searched] if free.all() else satisfied[searched][:, free]
    proposed = Proposer(rows, past.units[free].astype(np.int64), attribute, plan.limit).proposals()
    words = packed(satisfied)
    watched = _watched(lattice, words, findings, layout)
    found = (tuple(searched[list(each)].tolist()) for each in proposed)
    new = (own for own in found if not lattice.holds(own))
    return [own for own in new if not _is_one_of(_common(words, own), watched)][:SLOTS]


def _watched(lattice: Lattice, words: RowBits, findings: Sequence[FoundGroup], layout: Layout) -> RowBits:
    """The past rows of each declared subgroup and each found group whose predicates are known, (W, words), from those
    of each predicate (P, words).
    """
    number = lattice.predicate_numbers()
    groups: list[tuple[int, ...]] = [(index,) for index in np.flatnonzero(lattice.column >= layout.declared).tolist()]
    known = [each.predicates for each in findings if all(one in number for one in each.predicates)]
    groups += [tuple(number[one] for one in predicates) for predicates in known]
    return np.array([_common(words, own) for own in groups], np.uint64).reshape(-1, words.shape[1])


def _common(words: RowBits, own: Sequence[int]) -> RowBits:
    """The rows that satisfy all of these predicates, (words,)."""
    return np.asarray(np.bitwise_and.reduce(words[[*own]]))


def _is_one_of(own: RowBits, watched: RowBits) -> bool:
    """Whether rows (words,) are almost those of a watched group (W, words)."""
    shared, together = row_counts(watched & own), row_counts(watched | own)
    return bool((shared > SAME_ROWS * together).any())


def _describe_past(search: Search, index: int, own: Bools, limit: float) -> None:
    """Give a new slot, in place, what people are told of its rows so far, counted row by row: how many there were, and
    since when they are over the limit. None of it is evidence.
    """
    past, bets = search.past, Bernoulli.above(np.array([limit]))
    one, none = bets.up[0, ONSET_BET], bets.down[0, ONSET_BET]
    begins = np.cumsum(past.ticks[:, 0], dtype=np.int64) - past.ticks[:, 0].astype(np.int64)
    rows = np.add.reduceat(own.astype(np.int64), begins)  # whole numbers: their sums are exact in any order
    units = np.add.reduceat(np.where(own, past.units, 0).astype(np.int64), begins)
    logs = rows * none + units / LOSS_UNITS * (one - none)
    excess, onset = 0.0, (float(search.row), search.time)
    for log_e, (_, row, time) in zip(logs.tolist(), past.ticks.tolist(), strict=True):
        onset = onset if excess > 0 else (row, time)
        excess = max(excess + log_e, 0.0)
    search.support[index], search.begun[index] = own.sum(), search.rows - len(past)
    search.excess[index], search.onset[:, index] = excess, onset


def with_slots_of(before: Lattice, after: Lattice, limit: float) -> Lattice:
    """The lattice ``after`` with those slots of the one before whose predicates it has, and which it does not hold."""
    number = after.predicate_numbers()
    slots: list[tuple[int, ...]] = []
    for index in range(before.fixed, len(before)):
        predicates = before.predicates(index)
        own = tuple(sorted(number[each] for each in predicates if each in number))
        if len(own) == len(predicates) and not after.holds(own):
            slots.append(own)
    return after.with_slots(slots, limit)
