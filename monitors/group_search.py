"""The search for undeclared groups as a part of the fold: the rows of each tick, as all monitors count them."""

import numpy as np

from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.evidence import as_slice
from tightrope.monitors.hunter.block import SearchedTicks, search_ticks
from tightrope.monitors.hunter.evidence import loss_units
from tightrope.monitors.hunter.search import SEARCHED_MONITOR, Search, SearchPlan
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Bools, Floats, Stream
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
    if before.modes[0].whole or rule is None or not searched.any():
        return search, ticks
    is_window = plan.unit.is_window(warned=before.dependence.warned)
    search = search.in_unit(plan.unit.window_clusters if is_window else 0)
    rows = _searched_rows(plan.search, rule, view, searched, ends)
    after, number = search_ticks(search, plan.search, rows, plan.budget.threshold)
    becomes_scope = plan.search.arms and after.found > search.found
    return after, int(np.flatnonzero(searched)[number - 1]) + 1 if becomes_scope else ticks


def _searched_rows(plan: SearchPlan, rule: Rule, view: BlockView, searched: Bools, ends: Floats) -> SearchedTicks:
    """The rows of the ``searched`` ticks (T,) that the model's cells count."""
    valid, y = rule.monitor.observe(view.rows, 1)
    counted = view.counted[:, 0] & valid[:, 0]
    sizes = np.array(view.block.sizes[: len(searched)])
    stops, ticks = np.cumsum(sizes), np.flatnonzero(searched)
    own = np.flatnonzero(counted[: stops[-1]] & np.repeat(searched, sizes))
    step, shared = np.zeros(len(counted), dtype=np.int64), np.zeros(len(counted), dtype=bool)
    settles = np.ones(len(searched), dtype=bool)
    if view.shared is not None:
        shared[view.shared.rows], step[view.shared.rows] = True, view.shared.step
        if view.shared.ends is not None:
            settles = np.isin(np.arange(len(searched)), view.shared.ends)
    return SearchedTicks(
        plan.layout.vectors(view.rows)[as_slice(own)],
        loss_units(y[own, 0]),
        step[own],
        shared[own],
        counted=np.bincount(view.block.tick_of_row[own], minlength=len(searched))[ticks],
        seeds=sizes[ticks],
        row=view.first + stops[ticks],
        times=ends[ticks],
        settles=settles[ticks],
    )


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
