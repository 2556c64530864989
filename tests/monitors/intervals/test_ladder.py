"""The ladder of cohorts: the rung that is shown, a pass that is earned, and the rows to it."""

import numpy as np
import pytest

from tightrope.monitors.intervals import ladder
from tightrope.monitors.intervals.cohorts import RUNGS, Cohorts, Steps
from tightrope.monitors.intervals.ladder import Bounds, interval, shown_rungs, shown_sums, standing, steps_to_pass

LIMIT = np.array([0.02])
RATE = Bounds(LIMIT, np.zeros(1))
MEAN = Bounds.of_mean(LIMIT, 1.0, two_sided=True)


def cohorts_of(*stretches: tuple[int, float], offset: float = 0.0) -> Cohorts:
    """Fold ticks of 64 rows of one cell: stretches of ticks at a value, alternating around it by an offset."""
    cohorts = Cohorts.fresh(1)
    for ticks, value in stretches:
        count = np.full((ticks, 1), 64.0)
        cohorts = cohorts.after(Steps(count, value * count, (value**2 + offset**2) * count))
    return cohorts


@pytest.mark.parametrize("bounds", [RATE, MEAN])
def test_no_rows_pass_nothing(bounds: Bounds) -> None:
    """Nor are they over a limit; a pass takes what the formula says."""
    found = standing(Cohorts.fresh(1), bounds)
    assert (found.within.tolist(), found.beyond.tolist(), found.rung.tolist()) == ([False], [False], [2])
    assert 0 < steps_to_pass(Cohorts.fresh(1), bounds)[0] < np.inf


def test_a_rate_passes_once_its_upper_end_is_below_the_limit() -> None:
    """Not a tick before."""
    outcomes = []
    for ticks in range(1, 20):
        cohorts = cohorts_of((ticks, 0.005))
        upper = interval(cohorts.older[:, 2], means=False)[1][0]
        outcomes.append((bool(standing(cohorts, RATE).within[0]), bool(upper < LIMIT[0])))
    assert all(passed == below for passed, below in outcomes)
    assert [passed for passed, _ in outcomes] == sorted(passed for passed, _ in outcomes)
    assert outcomes[-1][0]


def test_rows_to_pass_are_those_after_which_it_passes() -> None:
    """To the tick, at a rate that stays."""
    rows = steps_to_pass(cohorts_of((4, 0.005)), RATE)[0]
    ticks = 4 + int(np.ceil(rows / 64))
    assert standing(cohorts_of((ticks, 0.005)), RATE).within[0]
    assert not standing(cohorts_of((ticks - 1, 0.005)), RATE).within[0]


@pytest.mark.parametrize("rate", [0.0185, 0.02, 0.06])
def test_a_rate_too_near_its_limit_never_passes(rate: float) -> None:
    """More rows than the largest rung holds do not come together."""
    assert steps_to_pass(cohorts_of((64, rate)), RATE)[0] == np.inf


def test_three_times_the_limit_is_beyond() -> None:
    """After a few hundred rows."""
    found = standing(cohorts_of((16, 0.06)), RATE)
    assert (found.within[0], found.beyond[0]) == (False, True)


def test_a_change_shows_the_smallest_rung_that_differs() -> None:
    """The interval is of the new rate; without a change the largest rung is shown."""
    changed = cohorts_of((100, 0.005), (8, 0.1))
    rung = shown_rungs(changed.older, means=False)
    lower, upper = interval(shown_sums(changed, rung), means=False)
    assert rung.tolist() == [0]
    assert lower[0] < 0.1 < upper[0]
    assert lower[0] > 0.02
    assert shown_rungs(cohorts_of((200, 0.005)).older, means=False).tolist() == [len(RUNGS) - 1]
    moved = cohorts_of((100, 0.5), (8, 0.6), offset=0.05)
    assert shown_rungs(moved.older, means=True).tolist() == [0]


@pytest.mark.parametrize(("value", "within", "beyond"), [(0.5, True, False), (0.53, False, True), (0.47, False, True)])
def test_a_mean_has_two_ends(value: float, *, within: bool, beyond: bool) -> None:
    """Both must lie within the tolerance."""
    found = standing(cohorts_of((32, value), offset=0.02), MEAN)
    assert (bool(found.within[0]), bool(found.beyond[0])) == (within, beyond)


def test_a_one_sided_mean_passes_far_below() -> None:
    """Only its upper end counts."""
    bounds = Bounds.of_mean(LIMIT, 1.0, two_sided=False)
    assert standing(cohorts_of((32, 0.3), offset=0.02), bounds).within[0]
    assert not standing(cohorts_of((32, 0.3), offset=0.02), MEAN).within[0]


def test_sums_from_before_a_start_are_shown_while_the_new_ones_are_few() -> None:
    """Until the new cohort holds as many steps as are worth showing."""
    started = cohorts_of((10, 0.5)).restarted(np.array([True]), np.array([2]))
    one = np.array([[ladder.SHOWN_STEPS / 2]])
    young = started.after(Steps(one, one, one))
    old = young.after(Steps(one, one, one))
    assert shown_sums(young, np.array([2]))[0, 0] == 640
    assert shown_sums(old, np.array([2]))[0, 0] == 64
