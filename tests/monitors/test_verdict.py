"""A pass needs enough rows, all of them measured, and no breach."""

from itertools import product

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors import verdict
from tightrope.monitors.detector import LOG_ZERO, Signed, advance
from tightrope.monitors.records import Outcome
from tightrope.monitors.verdict import decide_outcome, rows_to_see_mean, rows_to_see_rate


@pytest.mark.parametrize(("breached", "faulty", "enough"), list(product((True, False), repeat=3)))
def test_breach_outweighs_error_outweighs_lack_of_rows(*, breached: bool, faulty: bool, enough: bool) -> None:
    """A pass is the outcome when no other applies."""
    worst = [Outcome.BREACH] * breached + [Outcome.ERROR] * faulty + [Outcome.INSUFFICIENT] * (not enough)
    outcome = decide_outcome(breached=breached, faulty=faulty, count=100 if enough else 99, needed=100.0)
    assert outcome is (worst[0] if worst else Outcome.PASS)


@given(count=st.integers(0, 10**12), needed=st.floats(0, 1e15) | st.just(np.inf) | st.just(np.nan))
def test_pass_takes_as_many_rows_as_are_needed(count: int, needed: float) -> None:
    """Never fewer, and never if the number needed is unknown."""
    passed = decide_outcome(breached=False, faulty=False, count=count, needed=needed) is Outcome.PASS
    assert passed == (count >= needed)


def test_no_rows_are_insufficient() -> None:
    """Missing evidence is no health."""
    assert decide_outcome(breached=False, faulty=False, count=0, needed=1e-9) is Outcome.INSUFFICIENT


@pytest.mark.parametrize(("rate", "expected"), [(0.03, 3790.37), (0.05, 638.31), (0.1, 142.76)])
def test_rows_to_see_a_rate_give_the_golden_numbers(
    rate: float, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ln(A KL) / KL of 3, 5 and 10 % at limit 2 % and one false alarm in two million."""
    monkeypatch.setattr(verdict, "HARM_FACTOR", rate / 0.02)
    assert rows_to_see_rate(np.array([0.02]), np.log([2e6])) == pytest.approx([expected], abs=0.005)


@pytest.mark.parametrize(("limit", "harmful"), [(0.02, 0.06), (0.1, 0.3), (0.4, 0.9), (0.7, 0.9)])
def test_rows_to_see_are_for_three_times_the_limit(limit: float, harmful: float) -> None:
    """Or for the highest rate in the grid, in arbitrary precision."""
    q, p = mpmath.mpf(str(harmful)), mpmath.mpf(str(limit))
    information = q * mpmath.log(q / p) + (1 - q) * mpmath.log((1 - q) / (1 - p))
    expected = float(mpmath.log(mpmath.mpf("3.15e8") * information) / information)
    assert rows_to_see_rate(np.array([limit]), np.log([3.15e8])) == pytest.approx([expected], rel=1e-9)


@pytest.mark.parametrize("tolerance", [0.01, 0.02, 0.2, 0.4])
def test_rows_to_see_a_mean_are_those_at_which_the_detector_alarms(tolerance: float) -> None:
    """A constant difference of three times the tolerance (or of the bound) alarms within a tenth of that row."""
    signed, threshold = Signed.outside(tolerance), np.log(3.15e8)
    log_e = signed.log_e(np.array([min(3 * tolerance, 1.0)])).sum(axis=0)
    log_mass, rows = np.full(14, LOG_ZERO), 0
    while signed.evidence(log_mass) < threshold:
        log_mass, rows = advance(log_mass, 1.0, log_e), rows + 1
    needed = rows_to_see_mean(np.array([tolerance]), 1.0, np.array([threshold]))
    assert needed == pytest.approx([rows], rel=0.1)


def test_smaller_limits_and_larger_budgets_take_more_rows() -> None:
    """For rates and for means."""
    limits, budgets = np.array([0.01, 0.02, 0.02]), np.log([1e6, 1e6, 1e5])
    for needed in (rows_to_see_rate(limits, budgets), rows_to_see_mean(limits, 1.0, budgets)):
        assert needed[0] > needed[1] > needed[2] > 0
