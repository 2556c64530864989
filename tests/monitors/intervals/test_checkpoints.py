"""Checkpoints: batches change nothing, no count is lost, and the newest stretch is the finest."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.monitors.intervals.checkpoints import FEWEST_CHECKPOINTS, MOST_CHECKPOINTS, Checkpoints
from tightrope.monitors.records import Floats


def folded(checkpoints: Checkpoints, steps: Floats, total: Floats, cuts: list[int], first: int = 0) -> Checkpoints:
    """Add ticks of 64 rows and one second, in batches that end at these cuts."""
    for begin, end in pairwise(cuts):
        at = np.arange(begin, end)
        checkpoints = checkpoints.after(first + 64 * (at + 1), 1.0 + at, steps[begin:end], total[begin:end])
    return checkpoints


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_batches_change_nothing(data: st.DataObject) -> None:
    """Ticks one by one or in batches give the same bits, and the sums of all ticks."""
    ticks = data.draw(st.integers(1, 600))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    steps = rng.integers(0, 65, (ticks, 2)).astype(float)
    total = steps * rng.random((ticks, 2))
    cuts = sorted({0, ticks, *data.draw(st.lists(st.integers(0, ticks), max_size=5))})
    at_once, cut, single = (
        folded(Checkpoints.fresh(2), steps, total, each) for each in ([0, ticks], cuts, list(range(ticks + 1)))
    )
    for name in Checkpoints.__slots__:
        values = [getattr(each, name).tobytes() for each in (at_once, cut, single)]
        assert values[0] == values[1] == values[2]
    rows, times, counted, summed = at_once.counts_of(1)
    assert (rows[0], rows[-1], times[-1]) == (0, 64 * ticks, ticks)
    assert counted[-1] == steps[:, 1].sum()
    assert summed[-1] == pytest.approx(total[:, 1].sum(), rel=1e-5)
    assert len(at_once.rows) < MOST_CHECKPOINTS


def test_the_newest_half_is_never_thinned() -> None:
    """Each of its stretches is one tick."""
    ticks = 5000
    ones = np.ones((ticks, 1))
    rows = folded(Checkpoints.fresh(1), 64 * ones, ones, [0, ticks]).rows
    stretches = np.diff(rows)
    assert set(stretches[-MOST_CHECKPOINTS // 2 + 1 :].tolist()) == {64}
    assert (np.diff(stretches) <= 0).all()


def test_many_cells_have_fewer_checkpoints() -> None:
    """Their memory is bounded."""
    assert Checkpoints.fresh(8).most == MOST_CHECKPOINTS
    assert Checkpoints.fresh(1_000).most == 65
    assert Checkpoints.fresh(100_000).most == FEWEST_CHECKPOINTS
    ones = np.ones((300, 1_000))
    assert len(folded(Checkpoints.fresh(1_000), ones, ones, [0, 300]).rows) < 65


def test_a_start_forgets_the_counts_of_its_cells() -> None:
    """They begin at the row and the time of the start; others keep theirs."""
    ones = np.ones((10, 2))
    checkpoints = folded(Checkpoints.fresh(2), 64 * ones, ones, [0, 10]).restarted(np.array([True, False]), 640, 10.5)
    checkpoints = folded(checkpoints, 64 * ones, ones, [0, 3], first=640)
    rows, times, steps, total = checkpoints.counts_of(0)
    assert (rows.tolist(), times[0]) == ([640, 704, 768, 832], 10.5)
    assert (steps.tolist(), total.tolist()) == ([0, 64, 128, 192], [0, 1, 2, 3])
    assert checkpoints.counts_of(1)[2][-1] == 13 * 64
    assert checkpoints.counts_of(1)[1][0] == 1.0
