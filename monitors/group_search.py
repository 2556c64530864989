"""The search for undeclared groups as a part of the fold: the rows of each tick, as all monitors count them."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.hunter.evidence import StepCounts, counts_of_ticks, loss_units
from tightrope.monitors.hunter.fold import TickRows, search_tick
from tightrope.monitors.hunter.search import Search
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Bools, Floats, Ints, Stream
from tightrope.monitors.ticks import BlockView

SEARCHED_MONITOR = "disagreement"
"""The monitor whose observations are searched."""

ALL_SEARCHED_ROWS = 20_000
"""The rows of a model that are all searched, from its first one on."""

SEARCHED_ROWS_PER_SECOND = 500.0
"""The rate above which whole ticks are left out later, so that the cost of the search is bounded."""


def search_after(plan: Plan, before: State, view: BlockView, stream: Stream, ticks: int, ends: Floats) -> Search:
    """The search after the first ``ticks`` ticks of a block, in the modes and the unit of the state before it; ``ends``
    are the event times of the ticks' ends. While the baseline answers for the whole model, nothing is searched.
    """
    if stream is not Stream.COMPARISONS or plan.search is None:
        return before.search
    search = before.search if before.search.key == plan.search.key else Search.fresh(plan.search)
    rule, searched = _searched_rule(plan), searched_ticks(view, ticks)
    if before.modes[0].safe or rule is None or not searched.any():
        return search
    is_window = plan.unit.is_window(warned=before.dependence.warned)
    search = search.in_unit(plan.unit.window_clusters if is_window else 0)
    valid, y = rule.monitor.observe(view.rows, 1)
    counted = view.counted[:, 0] & valid[:, 0]
    vectors, units = plan.search.layout.vectors(view.rows), loss_units(np.where(counted, y[:, 0], 0.0))
    shared, step = np.zeros(len(counted), dtype=bool), np.zeros(len(counted), dtype=np.int64)
    settling = set(range(ticks))
    if view.shared is not None:
        shared[view.shared.rows], step[view.shared.rows] = True, view.shared.step
        settling = settling if view.shared.ends is None else set(view.shared.ends.tolist())
    stops = np.cumsum(view.block.sizes[:ticks]).tolist()
    own_rows = [
        np.flatnonzero(counted[begin:stop]) + begin if is_searched else np.zeros(0, dtype=np.int64)
        for (begin, stop), is_searched in zip(pairwise([0, *stops]), searched, strict=True)
    ]
    counts = _counts_of_block(search, vectors, units, own_rows) if view.shared is None else None
    search = search.copied()
    for tick in np.flatnonzero(searched).tolist():
        own = own_rows[tick]
        rows = TickRows(
            vectors[own],
            units[own],
            step[own],
            shared[own],
            seed=view.block.sizes[tick],
            time=float(ends[tick]),
            row=view.first + stops[tick],
            settles=tick in settling,
            counts=counts[tick] if counts else None,
        )
        search = search_tick(search, plan.search, rows, plan.budget.threshold, reuse=True)
    return search


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


def _counts_of_block(
    search: Search, vectors: Floats, units: Ints, own_rows: Sequence[Ints]
) -> Sequence[StepCounts] | None:
    """Count the rows of all ticks at once, which saves time; None where the lattice changes, or rows are left out."""
    own = np.concatenate(own_rows)
    if search.lattice is None or not search.is_complete or search.findings or not len(own):
        return None
    return counts_of_ticks(search.lattice, vectors[own], units[own], [len(each) for each in own_rows])


def _searched_rule(plan: Plan) -> Rule | None:
    return next((rule for rule in plan.rules if rule.monitor.name == SEARCHED_MONITOR), None)
