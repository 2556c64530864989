"""A run of ticks changes no bit of what single ticks leave, and leaves ticks that decide something to them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.hunter.evidence import LOSS_UNITS, StepCounts
from tightrope.monitors.hunter.factor_tables import TABLE_ROWS
from tightrope.monitors.hunter.fold import TickRows, search_tick
from tightrope.monitors.hunter.lattice import Lattice
from tightrope.monitors.hunter.past_rows import PastRows
from tightrope.monitors.hunter.run import TickRun, search_run
from tightrope.monitors.hunter.search import Search, SearchPlan
from tightrope.monitors.records import Bools, Floats

LATTICE = replace(
    Lattice.of([(0, 1.0, 1.0), (0, 2.0, 2.0), (1, 1.0, 1.0)], [(0,), (1,), (2,), (0, 2)], 0.1),
    limits=np.array([0.1, 0.1, 0.2, 0.1]),
    is_complete=True,
)
PLAN = SearchPlan(tuple(InputColumn("x", index, str(index)) for index in range(2)), (), 0.1, LATTICE)
LOG_A = 19.6
SIZES = st.lists(st.integers(0, TABLE_ROWS - 1), min_size=1, max_size=90).filter(any)


def rows_of(sizes: list[int], rate: float, seed: int) -> tuple[Floats, Bools]:
    """Vectors of the rows of ticks, and whether each has a loss."""
    rng = np.random.default_rng(seed)
    vectors = np.column_stack([rng.integers(0, 4, (sum(sizes), 2)), np.full((sum(sizes), 2), np.nan)])
    return vectors.astype(np.float64), rng.random(sum(sizes)) < rate


def run_of(sizes: list[int], vectors: Floats, lost: Bools, time: float = 0.0) -> TickRun:
    """The ticks together; each has one row of the stream that does not count."""
    counted = np.array(sizes)
    row, times = np.cumsum(counted + 1), time + np.arange(len(sizes), dtype=np.float64)
    return TickRun.count(LATTICE, vectors, lost * LOSS_UNITS, counted, counted + 1, row, times)


def ticks_of(run: TickRun, vectors: Floats, lost: Bools) -> list[TickRows]:
    """Single ticks, of a run with these rows."""
    own = [slice(begin, end) for begin, end in pairwise([0, *np.cumsum(run.counted).tolist()])]
    ends = zip(own, run.seeds.tolist(), run.times.tolist(), run.row.tolist(), strict=True)
    alone = np.zeros(len(lost), dtype=bool)
    steps, units = np.arange(len(lost)), lost * LOSS_UNITS
    return [TickRows(vectors[a], units[a], steps[a], alone[a], seed, time, row) for a, seed, time, row in ends]


def folded(search: Search, ticks: list[TickRows]) -> Search:
    """The search after single ticks."""
    for tick in ticks:
        search = search_tick(search, PLAN, tick, LOG_A)
    return search


@settings(deadline=None)
@given(SIZES, st.floats(0, 0.1), st.integers(0, 1_000), st.integers(0, 500))
def test_run_is_its_ticks(sizes: list[int], rate: float, seed: int, waiting: int) -> None:
    """Ticks of any sizes, without a row too, over the end of a cohort, and after rows whose seed waits."""
    search = replace(Search.fresh(PLAN), waiting=waiting, cohort_rows=3_000, past=PastRows(next_look=1_000_000))
    run = run_of(sizes, *rows_of(sizes, rate, seed))
    after, expected = search_run(search, run, LOG_A), folded(search, ticks_of(run, *rows_of(sizes, rate, seed)))
    if after is None:
        assert expected.found
    else:
        assert bit_exact(after) == bit_exact(expected)
        more, longer = rows_of(sizes, rate, seed + 1), run_of(sizes, *rows_of(sizes, rate, seed + 1), time=99.0)
        further = search_run(after, longer, LOG_A)
        assert further is None or bit_exact(further) == bit_exact(folded(expected, ticks_of(longer, *more)))


@given(SIZES, st.integers(0, 1_000))
def test_rows_are_counted_as_alone(sizes: list[int], seed: int) -> None:
    """By slice and tick, however long the ticks are."""
    sizes = [3 * size for size in sizes]
    vectors, lost = rows_of(sizes, 0.3, seed)
    run = run_of(sizes, vectors, lost)
    for tick, rows, ones in zip(ticks_of(run, vectors, lost), run.rows, run.ones, strict=True):
        alone = StepCounts.of(LATTICE.members(LATTICE.satisfied(tick.vectors)), tick.units, tick.step, tick.shared)
        assert np.array_equal(rows, alone.rows)
        assert np.array_equal(LOSS_UNITS * ones, alone.lost)


@pytest.mark.parametrize(("size", "rate"), [(64, 1.0), (6 * TABLE_ROWS, 0.0)])
def test_ticks_that_decide_and_long_ticks_are_left_to_single_ones(size: int, rate: float) -> None:
    """An alarm changes what later rows count for; e-values of many rows are in no table."""
    sizes = [size] * 8
    assert search_run(Search.fresh(PLAN), run_of(sizes, *rows_of(sizes, rate, 0)), LOG_A) is None
