"""One tick of the search: evidence of every slice, findings, and the rows from which the lattice is built.

How it works. Every slice has its share of the search's own part of the alarm budget, so over all slices and restarts
the promise on false alarms holds. An alarm names one slice; its rows leave the search, all slices start anew without
them, and the finding is followed until its rate is proved to be below the limit. Seeds of rows in an open window wait
for its end, as its rows do.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tightrope.monitors.hunter.evidence import (
    LOSS_UNITS,
    StepCounts,
    common_losses,
    common_rows,
    slice_test,
)
from tightrope.monitors.hunter.findings import FRESH_STEPS, FoundGroup, free_rows, name_slice
from tightrope.monitors.hunter.lattice import build_lattice
from tightrope.monitors.hunter.past_rows import IN_FOUND_GROUP
from tightrope.monitors.hunter.row_bits import RowBits, packed, row_counts
from tightrope.monitors.hunter.search import Search, SearchPlan, WindowCounts, known_rows
from tightrope.monitors.hunter.slots import with_chosen_slots, with_slots_of
from tightrope.monitors.records import Bools, Floats, Ints

COHORT_ROWS = 4_096
"""Compared rows after which the figures of every slice start anew."""

MAX_FINDINGS = 8
"""The largest number of groups that are followed at once."""


@dataclass(frozen=True, slots=True)
class TickRows:
    """The rows of a tick that count, all (n,): their vectors (n, width), units of loss, the number of the step, and
    whether another row may share it; ``seed`` rows of the stream, the event ``time`` and ``row`` number at its end.
    ``settles``: the steps end with the tick (always, without windows).

    >>> TickRows(np.zeros((0, 3)), *[np.zeros(0, int)] * 2, np.zeros(0, bool), 64, 0.0, 64).settles
    True
    """

    vectors: Floats
    units: Ints
    step: Ints
    shared: Bools
    seed: int
    time: float
    row: int
    settles: bool = True


def search_tick(search: Search, plan: SearchPlan, tick: TickRows, threshold: float, *, reuse: bool = False) -> Search:
    """Fold one tick; an evidence of ``threshold`` nats is an alarm. With ``reuse`` the arrays of ``search`` are
    overwritten: arrays that are mapped anew take most of the time of a tick.
    """
    after = _followed(search, tick) if search.findings else search
    after = (
        _counted(after, tick, reuse=reuse)
        if after.lattice is not None
        else replace(after, row=tick.row, time=tick.time)
    )
    if after.mass.size and after.mass.max() >= np.exp(threshold):
        after = _named(after, tick, threshold)
    return with_chosen_slices(after, plan, tick.vectors, tick.units, settles=tick.settles)


def with_chosen_slices(
    search: Search, plan: SearchPlan, vectors: Floats, units: Ints, *, settles: bool = True
) -> Search:
    """Choose slices where it is time, after rows of these vectors (n, width) and units of loss (n,): those of the
    lattice while it is not complete, and slots where the steps end.
    """
    after = search if search.is_complete else _learned(search, plan, vectors, units)
    return with_chosen_slots(after, plan) if settles else after


def _followed(search: Search, tick: TickRows) -> Search:
    """Count the rows of the findings; those that are proved to be below their limits end."""
    followed = []
    for finding in search.findings:
        own = finding.members(tick.vectors)
        counts = StepCounts.of(packed(own[None]), tick.units, tick.step, tick.shared)
        steps, total = (float(each[0]) for each in counts.steps) if not search.window.shape[1] else (0.0, 0.0)
        after = finding.after(int(own.sum()), len(own), steps, total)
        if not after.is_over:
            followed.append(after)
    return replace(search, findings=tuple(followed))


def _counted(search: Search, tick: TickRows, *, reuse: bool) -> Search:
    """Count the rows of a tick that are in no finding; the steps of a window when it ends."""
    assert search.lattice is not None  # noqa: S101 - the caller checks it
    satisfied, units, step, shared = search.lattice.satisfied(tick.vectors), tick.units, tick.step, tick.shared
    changes: dict[str, Any] = {"row": tick.row, "time": tick.time, "rows": search.rows + len(tick.units)}
    free = free_rows(search.findings, tick.vectors)
    if len(tick.units):
        begin = [search.begin_of(tick.row, tick.seed, tick.time)]
        past_units = np.where(free, units, IN_FOUND_GROUP)
        changes["past"] = search.past.after(satisfied, past_units, [len(units)], begin)
    if search.findings:
        satisfied, units, step, shared = satisfied[:, free], units[free], step[free], shared[free]
    member = search.lattice.members(satisfied)
    if not search.window.shape[1]:
        counts = StepCounts.of(member, units, step, shared)
        changes["support"] = search.support + (row_counts(member) if len(counts.slices) else counts.rows)
        return replace(search, **changes, **_stepped(search, tick, counts, reuse=reuse))
    window = _windowed(search.window, member, units, step)
    changes["support"] = search.support + row_counts(member)
    if not tick.settles:
        return replace(search, **changes, window=window, waiting=search.waiting + tick.seed)
    return replace(
        search, **changes, **_stepped(search, tick, _window_counts(window), reuse=reuse), window=np.zeros_like(window)
    )


def _stepped(search: Search, tick: TickRows, counts: StepCounts, *, reuse: bool) -> dict[str, Any]:
    """The fields that change with the steps of evidence of a tick, or of the window that ends with it."""
    assert search.lattice is not None  # noqa: S101 - the caller checks it
    test = slice_test(search.lattice)
    mass, excess, onset, cohorts = (
        each if reuse else each.copy() for each in (search.mass, search.excess, search.onset, search.cohorts)
    )
    begin = search.begin_of(tick.row, tick.seed, tick.time)
    onset[:, excess == 0] = np.array(begin)[:, None]
    mass += (search.waiting + tick.seed) * test.seeds
    excess += test.multiply(mass, counts)
    np.maximum(excess, 0.0, out=excess)
    cohorts, cohort_rows = add_to_cohorts(cohorts, search.cohort_rows + tick.seed, *counts.steps)
    return {
        "mass": mass, "waiting": 0, "excess": excess, "onset": onset, "cohorts": cohorts, "cohort_rows": cohort_rows,
    }  # fmt: skip


def add_to_cohorts(cohorts: Floats, rows: int, steps: Floats | Ints, total: Floats | Ints) -> tuple[Floats, int]:
    """Add steps and their losses (S,) to the open cohort, in place, which has this number of rows then; returns the
    cohorts and the rows of the open one.
    """
    cohorts[0, 0] += steps
    cohorts[0, 1] += total
    return (cohorts, rows) if rows < COHORT_ROWS else (np.stack([np.zeros_like(cohorts[0]), cohorts[0]]), 0)


def _named(search: Search, tick: TickRows, threshold: float) -> Search:
    """Note a finding if there is an alarm, and start all slices anew without its rows."""
    assert search.lattice is not None  # noqa: S101 - the caller checks it
    evidence = slice_test(search.lattice).evidence(search.mass)
    chosen = name_slice(search.lattice, evidence, search.support, threshold)
    if chosen is None:
        return search
    latest, before = search.cohorts[:, :, chosen].tolist()
    steps, total = latest if latest[0] >= FRESH_STEPS or not before[0] else before
    since_row, since_time = search.onset[:, chosen].tolist()
    finding = FoundGroup(
        search.found + 1, search.lattice.predicates(chosen), float(search.lattice.limits[chosen]), tick.row, tick.time,
        int(since_row), since_time, float(evidence[chosen]), steps, total,
        rows=int(search.support[chosen]), model_rows=search.rows - int(search.begun[chosen]),
    )  # fmt: skip
    kept = (*search.findings, finding) if len(search.findings) < MAX_FINDINGS else search.findings
    return replace(search.anew(), found=search.found + 1, findings=kept)


def _learned(search: Search, plan: SearchPlan, vectors: Floats, units: Ints) -> Search:
    """Keep rows until there are enough to build the lattice from."""
    known = known_rows(vectors, plan)
    rows = np.empty((len(vectors), vectors.shape[1] + 1), np.float32)
    rows[:, :-1], rows[:, -1] = vectors, units / LOSS_UNITS
    rows = rows if known.all() else rows[known]
    learned = np.concatenate([search.learned, rows]) if len(search.learned) else rows
    if len(learned) < plan.reference_rows:
        return replace(search, learned=learned)
    vectors, loss = learned[:, :-1].astype(np.float64), learned[:, -1].astype(np.float64)
    lattice = replace(build_lattice(plan.layout, vectors, loss, plan.limit, search.lattice), is_complete=True)
    past = search.past
    if search.lattice is not None:
        past = past.by_predicates(list(search.lattice.predicate_numbers()), list(lattice.predicate_numbers()))
        lattice = with_slots_of(search.lattice, lattice, plan.limit)
    return replace(search, learned=learned[:0, :0], past=past).with_lattice(lattice)


def _windowed(window: WindowCounts, member: RowBits, units: Ints, step: Ints) -> WindowCounts:
    """Add rows to the sums of the open window."""
    after, numbers = window.copy(), np.unique(step)
    in_step = numbers[:, None] == step
    after[:, numbers, 0] += common_rows(member, in_step).astype(np.int32)
    after[:, numbers, 1] += common_losses(member, in_step, units).astype(np.int32)
    return after


def _window_counts(window: WindowCounts) -> StepCounts:
    """The steps of a window that ends."""
    none = np.zeros(len(window))  # no row of a window is a step of its own
    slices, step = np.nonzero(window[:, :, 0])
    rows, lost = window[slices, step].T.astype(np.float64)
    return StepCounts(none, none, slices, rows, lost)
