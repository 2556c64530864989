"""A run of ticks without findings, folded at once: the common case, at a fraction of the time of single ticks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.hunter.evidence import slice_test
from tightrope.monitors.hunter.fold import COHORT_ROWS, add_to_cohorts
from tightrope.monitors.hunter.lattice import Lattice
from tightrope.monitors.hunter.row_bits import RowBits, packed
from tightrope.monitors.hunter.search import Search
from tightrope.monitors.records import Bools, Floats, Ints

TickCounts = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class TickRun:
    """T ticks of rows that are each a step of its own, with a loss of 0 or 1: in each of S slices ``rows`` (T, S), and
    ``ones`` (T, S) of them with a loss; ``counted`` (T,) rows in any slice or none, ``seeds`` (T,) rows of the stream,
    and at the ends of the ticks ``row`` numbers (T,) and event ``times`` (T,). ``satisfied`` (P, n) and ``units`` (n,)
    are those of the rows themselves.

    >>> lattice = Lattice.of([(0, 1.0, 1.0)], [(0,)], 0.1)
    >>> vectors, units = np.array([[1.0], [2.0], [1.0]]), np.array([0, 1024, 1024])
    >>> run = TickRun.count(lattice, vectors, units, np.array([2, 1]), np.full(2, 64), np.arange(2), np.arange(2.0))
    >>> run.rows.tolist(), run.ones.tolist()
    ([[1], [1]], [[0], [1]])
    """

    rows: TickCounts
    ones: TickCounts
    counted: Ints
    seeds: Ints
    row: Ints
    times: Floats
    satisfied: Bools
    units: Ints

    @classmethod
    def count(
        cls, lattice: Lattice, vectors: Floats, units: Ints, counted: Ints, seeds: Ints, row: Ints, times: Floats
    ) -> "TickRun":
        """Count rows by slice and tick: vectors (n, width) and units of loss (n,) of all ticks."""
        words, satisfied = max(-(-int(counted.max()) // 64), 1), lattice.satisfied(vectors)
        bits, lost = satisfied, units > 0
        if (counted != 64 * words).any():  # every tick begins with a word of its own
            starts = np.cumsum(counted) - counted
            bits = np.zeros((len(satisfied), 64 * words * len(counted)), dtype=bool)
            lost = np.zeros(bits.shape[1], dtype=bool)
            positions = np.arange(len(units)) + np.repeat(64 * words * np.arange(len(counted)) - starts, counted)
            bits[:, positions], lost[positions] = satisfied, units > 0
        lost_rows, parts = packed(lost), lattice.member_parts(packed(bits))
        counts = [[_counts_of_words(each, words) for each in (member, member & lost_rows)] for member in parts]
        rows, ones = (np.concatenate(each, axis=1) for each in zip(*counts, strict=True))
        return cls(rows, ones, counted, seeds, row, times, satisfied, units)


def _counts_of_words(member: RowBits, words: int) -> TickCounts:
    """Count the rows of each tick by membership (S, T words), each tick having the same number of ``words``: (T, S)."""
    ones = np.bitwise_count(member)
    counts = ones if words == 1 else ones.reshape(len(ones), -1, words).sum(axis=2, dtype=np.int32)
    return np.ascontiguousarray(counts.T, np.int32)


def search_run(search: Search, run: TickRun, threshold: float) -> Search | None:
    """Fold the ticks of a run as `search_tick` does one by one, but for the choice of slices; None if an evidence of
    ``threshold`` nats is an alarm in one of them, or a tick is too long.
    """
    assert search.lattice is not None  # noqa: S101 - the caller checks it
    test = slice_test(search.lattice)
    if not test.has_table(run.rows):
        return None
    entries = test.entries(run.rows, run.ones)
    waiting = np.zeros(len(run.seeds), np.int64)
    waiting[0] = search.waiting
    mass = test.mass_after(search.mass, run.seeds + waiting, entries, np.exp(threshold))
    if mass is None:
        return None
    own = run.counted > 0
    excess, onset = _excess_after(search, run, test.onset_logs(entries))
    cohorts, cohort_rows, support = search.cohorts.copy(), search.cohort_rows, search.support
    for part in _until_full(run.seeds, cohort_rows):
        added = run.rows[part].sum(axis=0), run.ones[part].sum(axis=0)
        support = support + added[0]
        cohorts, cohort_rows = add_to_cohorts(cohorts, cohort_rows + int(run.seeds[part].sum()), *added)
    return replace(
        search,
        row=int(run.row[-1]),
        time=float(run.times[-1]),
        rows=search.rows + int(run.counted.sum()),
        support=support,
        mass=mass,
        waiting=0,
        excess=excess,
        onset=onset,
        cohorts=cohorts,
        cohort_rows=cohort_rows,
        past=search.past.after(run.satisfied, run.units, run.counted[own], _begins(search, run).T[own]),
    )


def _until_full(seeds: Ints, rows: int) -> Iterator[slice]:
    """The ticks up to the end of each cohort, whose first one has this number of rows already."""
    begin = 0
    for end, seed in enumerate(seeds.tolist(), 1):
        rows += seed
        if rows >= COHORT_ROWS or end == len(seeds):
            yield slice(begin, end)
            begin, rows = end, 0


def _excess_after(search: Search, run: TickRun, logs: Floats) -> tuple[Floats, Floats]:
    """Excess (S,) and its onset (2, S) after the ticks, from the log e-values (T, S) of the alternative by which the
    onset is estimated; overwrites these with the excess after each tick.
    """
    excess = search.excess
    for log_e in logs:
        excess = np.maximum(np.add(excess, log_e, out=log_e), 0.0, out=log_e)
    numbers = np.arange(2, len(logs) + 1, dtype=np.int16)
    latest = ((logs[:-1] == 0) * numbers[:, None]).max(axis=0, initial=0)  # the latest tick that began without excess
    latest = np.where((latest == 0) & (search.excess == 0), 1, latest)
    begins = _begins(search, run)
    return excess.copy(), np.where(latest > 0, begins[:, latest - 1], search.onset)


def _begins(search: Search, run: TickRun) -> Floats:
    """The row number and event time before each tick, (2, T)."""
    rows, times = np.append(search.row, run.row[:-1]), np.append(search.time, run.times[:-1])
    return np.stack([np.where(rows == 0, run.row - run.seeds, rows), np.where(times == 0, run.times, times)])
