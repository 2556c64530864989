"""The search for undeclared groups as a part of the fold: the rows of each tick, as all monitors count them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.hunter.evidence import LOSS_UNITS, loss_units
from tightrope.monitors.hunter.fold import TickRows, search_tick
from tightrope.monitors.hunter.run import TickRun, search_run
from tightrope.monitors.hunter.search import SEARCHED_MONITOR, Search
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Bools, Floats, Ints, Stream
from tightrope.monitors.ticks import BlockView

ALL_SEARCHED_ROWS = 20_000
"""The rows of a model that are all searched, from its first one on."""

SEARCHED_ROWS_PER_SECOND = 500.0
"""The rate above which whole ticks are left out later, so that the cost of the search is bounded."""


def search_after(
    plan: Plan, before: State, view: BlockView, stream: Stream, ticks: int, ends: Floats
) -> tuple[Search, int]:
    """The search after the first ``ticks`` ticks of a block, in the modes and the unit of the state before it; ``ends``
    are the event times of the ticks' ends. While the baseline answers for the whole model, nothing is searched.

    Returns the number of ticks as well: it stops after one that finds a group which becomes a scope.
    """
    if stream is not Stream.COMPARISONS or plan.search is None:
        return before.search, ticks
    search = before.search if before.search.key == plan.search.key else Search.fresh(plan.search)
    rule, searched = _searched_rule(plan), searched_ticks(view, ticks)
    if before.modes[0].safe or rule is None or not searched.any():
        return search, ticks
    is_window = plan.unit.is_window(warned=before.dependence.warned)
    search = search.in_unit(plan.unit.window_clusters if is_window else 0)
    valid, y = rule.monitor.observe(view.rows, 1)
    counted = view.counted[:, 0] & valid[:, 0]
    vectors, units = plan.search.layout.vectors(view.rows), loss_units(np.where(counted, y[:, 0], 0.0))
    stops = np.cumsum(view.block.sizes[:ticks])
    own_rows = [
        np.flatnonzero(counted[begin:stop]) + begin if is_searched else np.zeros(0, dtype=np.int64)
        for (begin, stop), is_searched in zip(pairwise([0, *stops.tolist()]), searched, strict=True)
    ]
    searched_rows = _SearchedRows(vectors, units, own_rows, np.flatnonzero(searched), view.first + stops, ends)
    after = _after_run(plan, search, view, searched_rows)
    return _after_ticks(plan, search.copied(), view, searched_rows, ticks) if after is None else (after, ticks)


@dataclass(frozen=True, slots=True)
class _SearchedRows:
    """The rows of a block with their ``vectors`` (n, width) and ``units`` of loss (n,); of each tick those that are
    searched; the searched ``ticks`` (t,), and at the ends of all ticks ``row`` numbers and event ``times``.
    """

    vectors: Floats
    units: Ints
    own: Sequence[Ints]
    ticks: Ints
    row: Ints
    times: Floats


def _after_run(plan: Plan, search: Search, view: BlockView, rows: _SearchedRows) -> Search | None:
    """Search all ticks at once, which saves time; None where one of them decides something, or rows share steps."""
    own = np.concatenate(rows.own)
    units = rows.units[own]
    if view.shared is not None or search.lattice is None or not search.is_complete or search.findings or not len(own):
        return None
    if not ((units == 0) | (units == LOSS_UNITS)).all():
        return None
    ticks = rows.ticks
    counted = np.array([len(rows.own[tick]) for tick in ticks.tolist()])
    seeds = np.array(view.block.sizes)[ticks]
    run = TickRun.count(search.lattice, rows.vectors[own], units, counted, seeds, rows.row[ticks], rows.times[ticks])
    return search_run(search, run, plan.budget.threshold)


def _after_ticks(plan: Plan, search: Search, view: BlockView, rows: _SearchedRows, ticks: int) -> tuple[Search, int]:
    """Search tick by tick, up to one that finds a group which becomes a scope; returns the number of ticks as well."""
    assert plan.search is not None  # noqa: S101 - the caller checks it
    found = search.found
    shared, step = np.zeros(len(view.rows), dtype=bool), np.zeros(len(view.rows), dtype=np.int64)
    settling = set(rows.ticks.tolist())
    if view.shared is not None:
        shared[view.shared.rows], step[view.shared.rows] = True, view.shared.step
        settling = settling if view.shared.ends is None else set(view.shared.ends.tolist())
    for tick in rows.ticks.tolist():
        own = rows.own[tick]
        tick_rows = TickRows(
            rows.vectors[own],
            rows.units[own],
            step[own],
            shared[own],
            seed=view.block.sizes[tick],
            time=float(rows.times[tick]),
            row=int(rows.row[tick]),
            settles=tick in settling,
        )
        search = search_tick(search, plan.search, tick_rows, plan.budget.threshold, reuse=True)
        if plan.search.arms and search.found > found:
            return search, tick + 1
    return search, ticks


def searched_ticks(view: BlockView, ticks: int) -> Bools:
    """Mask the first ``ticks`` ticks that are searched: at a high rate of rows every k-th, by the times and numbers of
    its rows alone, so that no outcome has a part in the choice. Windows are searched whole.
    """
    sizes = np.asarray(view.block.sizes[:ticks])
    ends = np.cumsum(sizes)
    last = view.first + ends
    if last[-1] <= ALL_SEARCHED_ROWS or (view.shared is not None and view.shared.ends is not None):
        return np.ones(ticks, dtype=bool)
    times, begins = view.rows.time[: ends[-1]], ends - sizes
    seconds = np.maximum.reduceat(times, begins) - np.minimum.reduceat(times, begins)
    stride = np.where(seconds > 0, np.ceil(sizes / np.maximum(seconds * SEARCHED_ROWS_PER_SECOND, 1e-9)), 1.0)
    return np.asarray((last <= ALL_SEARCHED_ROWS) | ((last // sizes) % np.maximum(stride, 1.0) < 1))


def _searched_rule(plan: Plan) -> Rule | None:
    return next((rule for rule in plan.rules if rule.monitor.name == SEARCHED_MONITOR), None)
