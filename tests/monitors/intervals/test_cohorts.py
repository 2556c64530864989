"""Cohorts: they begin every half width, do not depend on batches, and start anew where a cell does."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.monitors.intervals.cohorts import RUNGS, SPREAD, STEPS, TOTAL, Cohorts, Steps
from tightrope.monitors.records import Floats


def steps_of(count: Floats, values: Floats) -> Steps:
    """Build ticks (T, C) of equal values."""
    return Steps(count, count * values, count * values**2)


def reference(count: Floats, values: Floats) -> list[list[list[float]]]:
    """Fold the ticks (T,) of one cell the slow way: the older and the younger cohort of each rung."""
    rungs = []
    for width in RUNGS:
        age, opened = 0.0, [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
        for n, y in zip(count.tolist(), values.tolist(), strict=True):
            for cohort in opened:
                mean = cohort[1] / cohort[0] if cohort[0] else 0.5
                cohort[2] += n * (y - mean) ** 2
                cohort[0] += n
                cohort[1] += n * y
            begun = (age + n) // (width / 2) > age // (width / 2)
            age += n
            if begun:
                opened = [opened[1], [0.0, 0.0, 0.0]]
        rungs.append(opened)
    return rungs


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_batches_change_nothing(data: st.DataObject) -> None:
    """Ticks one by one, all at once, or cut anywhere give the same bits, which are those of the slow fold."""
    ticks = data.draw(st.integers(1, 90))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    count = rng.integers(0, data.draw(st.sampled_from([2, 65, 300, 3000])), (ticks, 3)).astype(float)
    values = rng.random((ticks, 3))
    at_once = Cohorts.fresh(3).after(steps_of(count, values))
    cuts = sorted({0, ticks, *data.draw(st.lists(st.integers(0, ticks), max_size=5))})
    cut = Cohorts.fresh(3)
    for begin, end in pairwise(cuts):
        cut = cut.after(steps_of(count[begin:end], values[begin:end]))
    assert cut.sums.tobytes() == at_once.sums.tobytes()
    assert cut.age.tobytes() == at_once.age.tobytes()
    for cell in range(3):
        slow = reference(count[:, cell], values[:, cell])
        assert at_once.sums[cell] == pytest.approx(np.array(slow), rel=1e-9, abs=1e-8)


def test_the_older_cohort_holds_half_a_width_to_a_width() -> None:
    """Once it has run that long; before, it holds everything."""
    cohorts, held = Cohorts.fresh(1), []
    for _ in range(40):
        cohorts = cohorts.after(steps_of(np.full((1, 1), 64.0), np.zeros((1, 1))))
        held.append(cohorts.older[0, 0, STEPS])
    assert held[:8] == [64, 128, 192, 256, 320, 384, 448, 256]
    assert min(held[7:]) == 256
    assert max(held) == 448
    assert cohorts.older[0, 1, STEPS] == 40 * 64 - 0


def test_a_start_keeps_the_sums_that_were_shown() -> None:
    """Only in the cells that start, and only if they were worth showing."""
    total = np.array([[3.0, 4.0, 5.0]])
    ticks = Steps(np.array([[64.0, 64.0, 20.0]]), total, total)
    cohorts = Cohorts.fresh(3).after(ticks).restarted(np.array([True, False, True]), np.zeros(3, dtype=np.int64))
    assert cohorts.before[:, :SPREAD].tolist() == [[64, 3], [0, 0], [0, 0]]
    assert cohorts.older[:, 0, :SPREAD].tolist() == [[0, 0], [64, 4], [0, 0]]
    assert cohorts.age.tolist() == [0, 64, 0]
    again = cohorts.after(ticks).restarted(np.array([True, False, False]), np.full(3, 2))
    assert again.before[0, :SPREAD].tolist() == [64, 3]


def test_ticks_without_steps_change_nothing() -> None:
    """A cell that is not touched costs nothing."""
    cohorts = Cohorts.fresh(2)
    assert cohorts.after(steps_of(np.zeros((3, 2)), np.zeros((3, 2)))) is cohorts


def test_untouched_cells_stay() -> None:
    """While others go on."""
    first = Cohorts.fresh(2).after(steps_of(np.full((4, 2), 64.0), np.full((4, 2), 0.5)))
    second = first.after(steps_of(np.array([[64.0, 0.0]]), np.full((1, 2), 0.5)))
    assert np.array_equal(second.sums[1], first.sums[1])
    assert second.older[0, 2, TOTAL] == 160
    assert second.age.tolist() == [320, 256]


def test_spread_is_that_of_means_alone() -> None:
    """Cells of rates have the same counts and sums without it."""
    rng = np.random.default_rng(0)
    steps = steps_of(rng.integers(0, 200, (40, 4)).astype(float), rng.random((40, 4)))
    everything, part = (Cohorts.fresh(4).after(steps, means) for means in (None, np.array([True, False, True, False])))
    assert part.sums[::2].tobytes() == everything.sums[::2].tobytes()
    assert part.sums[..., :SPREAD].tobytes() == everything.sums[..., :SPREAD].tobytes()
    assert not part.sums[1::2, ..., SPREAD].any()
    assert everything.sums[1::2, ..., SPREAD].any()
