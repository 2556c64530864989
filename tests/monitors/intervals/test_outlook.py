"""The outlook of a return: golden numbers, and the rate that allows no return."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.detector import Bernoulli, Signed
from tightrope.monitors.intervals.outlook import mean_recovery_growth, project, recovery_growth


def test_growth_has_the_golden_values() -> None:
    """A rate of .4 % against 1.5 %, and the rate at which it ends."""
    growth = recovery_growth(np.array([0.004, 0.015 * 0.869093930759]), 0.015)
    assert growth[0] == pytest.approx(0.00576598513213, rel=1e-9)
    assert growth[1] == pytest.approx(0.0, abs=1e-14)


@given(rate=st.floats(0, 0.5), disproved=st.floats(1e-3, 0.5))
def test_growth_is_that_of_the_recovery_detector(rate: float, disproved: float) -> None:
    """Its best alternative counts, on rows at that rate."""
    log_e = Bernoulli.below(disproved).log_e(np.array(1000.0), np.array(1000 * rate))
    assert recovery_growth(np.array(rate), disproved) == pytest.approx(log_e.max() / 1000, rel=1e-9, abs=1e-12)


def test_projection_divides_the_missing_evidence() -> None:
    """At the rate, and at the upper end of its interval; the seconds follow from the traffic."""
    outlook = project(2.0, np.array([0.01, 0.0, 0.02]), 0.5)
    assert (outlook.rows, outlook.seconds) == (200.0, 400.0)
    assert (outlook.rows_at_upper, outlook.seconds_at_upper, outlook.never) == (np.inf, np.inf, False)


def test_no_projection_where_even_the_lower_end_has_no_growth() -> None:
    """And none of evidence that is there already; without traffic the time is not known."""
    assert project(2.0, np.array([-0.2, -0.3, 0.0]), 1.0).never
    done = project(-1.0, np.array([0.01, 0.01, 0.01]), 0.0)
    assert (done.rows, np.isnan(done.seconds)) == (0.0, True)


@pytest.mark.parametrize("deviation", [0.01, 0.05])
def test_growth_of_a_mean_is_close_to_that_of_the_detector(deviation: float) -> None:
    """For values that spread a little; to second order."""
    y = np.random.default_rng(1).normal(0.002, deviation, 20_000)
    exact = Signed.inside(0.015).log_e(y).mean(axis=0)[:7].max()
    shown = mean_recovery_growth(np.array(0.002), deviation**2, 0.015, 1.0)
    assert shown == pytest.approx(exact, rel=0.05)


def test_a_mean_beyond_its_tolerance_does_not_return() -> None:
    """However quiet it is."""
    assert mean_recovery_growth(np.array(0.02), 0.0, 0.015, 1.0) < 0
