"""A block of ticks: in runs up to each choice of slices; tick by tick where one of a run decides something."""

from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors.hunter.evidence import LOSS_UNITS
from tightrope.monitors.hunter.fold import TickRows, search_tick, with_chosen_slices
from tightrope.monitors.hunter.run import TickRun, search_run
from tightrope.monitors.hunter.search import Search, SearchPlan, known_rows
from tightrope.monitors.records import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class SearchedTicks:
    """T ticks of n rows that count, in order: ``vectors`` (n, width), ``units`` of loss (n,), the number of the
    ``step`` (n,), and whether another row may share it, ``shared`` (n,). ``counted`` (T,) are the rows of each tick,
    ``seeds`` (T,) the rows of the stream; ``row`` numbers (T,) and event ``times`` (T,) are those at its end, and
    ``settles`` (T,) tells whether its steps end with it.

    >>> rows, flags = np.arange(4), np.zeros(4, bool)
    >>> ticks = SearchedTicks(np.zeros((4, 3)), rows, rows, flags, *[np.array([1, 3])] * 4, np.ones(2, bool))
    >>> ticks.take(slice(1, 2)).units.tolist(), ticks.tick(1).units.tolist()
    ([1, 2, 3], [1, 2, 3])
    """

    vectors: Floats
    units: Ints
    step: Ints
    shared: Bools
    counted: Ints
    seeds: Ints
    row: Ints
    times: Floats
    settles: Bools

    def __len__(self) -> int:
        return len(self.counted)

    def take(self, ticks: slice) -> "SearchedTicks":
        """Some ticks, with their rows."""
        begin = int(self.counted[: ticks.start].sum())
        own = slice(begin, begin + int(self.counted[ticks].sum()))
        rows = self.vectors[own], self.units[own], self.step[own], self.shared[own]
        return SearchedTicks(
            *rows, self.counted[ticks], self.seeds[ticks], self.row[ticks], self.times[ticks], self.settles[ticks]
        )

    def tick(self, number: int) -> TickRows:
        """One of the ticks."""
        own = self.take(slice(number, number + 1))
        seed, row, time = int(own.seeds[0]), int(own.row[0]), float(own.times[0])
        return TickRows(own.vectors, own.units, own.step, own.shared, seed, time, row, bool(own.settles[0]))

    @property
    def is_plain(self) -> bool:
        """Whether every row is a step of its own, with a loss of 0 or 1."""
        return not self.shared.any() and bool(((self.units == 0) | (self.units == LOSS_UNITS)).all())


def search_ticks(search: Search, plan: SearchPlan, ticks: SearchedTicks, threshold: float) -> tuple[Search, int]:
    """Search ticks as `search_tick` does one by one, up to one that finds a group, where groups become scopes. Returns
    the number of ticks as well.
    """
    after: Search | None
    done, found, are_plain = 0, search.found, ticks.is_plain and not search.window.shape[1]
    while done < len(ticks):
        to_come = ticks.take(slice(done, len(ticks)))
        if not are_plain or search.findings:
            after, number = _one_by_one(search, plan, to_come, threshold)
            return after, done + number
        part = to_come.take(slice(0, _until_choice(search, plan, to_come)))
        after, number = _at_once(search, plan, part, threshold), len(part)
        if after is None:
            after, number = _one_by_one(search, plan, part, threshold)
        search, done = after, done + number
        if plan.arms and search.found > found:
            break
    return search, done


def _one_by_one(search: Search, plan: SearchPlan, ticks: SearchedTicks, threshold: float) -> tuple[Search, int]:
    """Search tick by tick, up to one that finds a group which becomes a scope; returns the number of ticks as well."""
    found, search = search.found, search.copied()
    for number in range(len(ticks)):
        search = search_tick(search, plan, ticks.tick(number), threshold, reuse=True)
        if plan.arms and search.found > found:
            return search, number + 1
    return search, len(ticks)


def _until_choice(search: Search, plan: SearchPlan, ticks: SearchedTicks) -> int:
    """The number of ticks up to the first one after which the lattice is built, or slots are chosen; else all."""
    ends = np.cumsum(ticks.counted)
    due = np.zeros(len(ticks), dtype=bool)
    if search.lattice is not None and search.past.next_look:
        due |= search.rows + ends >= search.past.next_look
    if not search.is_complete:
        known = np.cumsum(np.append(0, known_rows(ticks.vectors, plan)))
        due |= len(search.learned) + known[ends] >= plan.reference_rows
    return int(due.argmax()) + 1 if due.any() else len(ticks)


def _at_once(search: Search, plan: SearchPlan, ticks: SearchedTicks, threshold: float) -> Search | None:
    """Search ticks at once; slices are chosen after the last one alone. None where one of them decides something."""
    after: Search | None = replace(search, row=int(ticks.row[-1]), time=float(ticks.times[-1]))
    if search.lattice is not None:
        run = TickRun.count(
            search.lattice, ticks.vectors, ticks.units, ticks.counted, ticks.seeds, ticks.row, ticks.times
        )
        after = search_run(search, run, threshold)
    return None if after is None else with_chosen_slices(after, plan, ticks.vectors, ticks.units)
