"""The rows from which slots are chosen: bounded, in whole ticks, and the same by other predicates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact
from tightrope.monitors.hunter.columns import Predicate
from tightrope.monitors.hunter.past_rows import FIRST_LOOK, MOST_BYTES, MOST_ROWS, PastRows, look_after


def after_ticks(past: PastRows, sizes: list[int], predicates: int, *, seed: int = 0) -> PastRows:
    """The rows after ticks of random rows, one by one."""
    rng = np.random.default_rng(seed)
    for number, size in enumerate(sizes):
        past = past.after(rng.random((predicates, size)) < 0.5, np.full(size, number), [size], [(number, 0.5)])
    return past


def test_the_oldest_ticks_leave_whole() -> None:
    """At most 8,192 rows; a part of a tick would depend on the order of its rows."""
    past = after_ticks(PastRows(), [100] * 90, 9)
    assert len(past) == MOST_ROWS // 100 * 100
    assert past.units[0] == 90 - MOST_ROWS // 100
    assert past.ticks[0].tolist() == [100.0, 90.0 - MOST_ROWS // 100, 0.5]


def test_rows_of_many_predicates_are_fewer() -> None:
    """The state of a model stays small."""
    past = after_ticks(PastRows(), [64] * 128, 512)
    assert MOST_BYTES - 64 * 66 < past.held.nbytes + past.units.nbytes <= MOST_BYTES


def test_tick_that_is_too_large_is_not_kept() -> None:
    """Nor are the ticks before it."""
    assert len(after_ticks(PastRows(), [64, MOST_ROWS + 1], 9)) == 0
    assert len(after_ticks(PastRows(), [64, MOST_ROWS + 1, 64], 9)) == 64


@settings(deadline=None)
@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=12), st.integers(0, 1_000))
def test_ticks_together_are_the_ticks_one_by_one(sizes: list[int], seed: int) -> None:
    """Every bit."""
    rng = np.random.default_rng(seed)
    satisfied, units = rng.random((11, sum(sizes))) < 0.5, rng.integers(-1, 1_025, sum(sizes))
    begins = [(number, 0.5 * number) for number in range(len(sizes))]
    alone = PastRows()
    for end, size, begin in zip(np.cumsum(sizes).tolist(), sizes, begins, strict=True):
        alone = alone.after(satisfied[:, end - size : end], units[end - size : end], [size], [begin])
    assert bit_exact(PastRows().after(satisfied, units, sizes, begins)) == bit_exact(alone)


def test_predicates_come_back() -> None:
    """Also under other numbers; no row is known to satisfy a new one."""
    satisfied = np.random.default_rng(0).random((10, 70)) < 0.5
    past = PastRows().after(satisfied, np.zeros(70, np.int64), [70], [(0, 0.0)])
    assert np.array_equal(past.satisfied(10), satisfied)
    assert np.array_equal(past.held, np.packbits(satisfied, axis=0, bitorder="little").T)  # as it is stored
    before: list[Predicate] = [(number, 0.0, 1.0) for number in range(10)]
    other = past.by_predicates(before, [before[7], (99, 0.0, 1.0), before[2]])
    assert np.array_equal(other.satisfied(3), [satisfied[7], np.zeros(70, dtype=bool), satisfied[2]])


@pytest.mark.parametrize(
    ("rows", "look"), [(0, 256), (255, 256), (256, 512), (511, 512), (512, 1_024), (9_000, 16_384)]
)
def test_looks_double(rows: int, look: int) -> None:
    """After 256 rows, and twice as many each time."""
    assert look_after(rows) == look


def test_nothing_is_kept_where_slots_are_not_chosen() -> None:
    """The search can be without them."""
    past = after_ticks(PastRows(next_look=0), [64], 9)
    assert len(past) == 0
    assert not past.is_due(10**9)
    assert past.anew().next_look == 0
    assert PastRows(next_look=4 * FIRST_LOOK).anew().next_look == FIRST_LOOK
