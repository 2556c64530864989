import numpy as np
import pytest

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.qualification.evidence import p_below
from tightrope.monitors.qualification.more_rows import rows_for_rate, rows_needed, rows_to_see
from tightrope.monitors.thresholds import log_tail, max_errors


@pytest.mark.parametrize(("limit", "rows"), [(0.01, 299), (0.02, 149), (0.05, 59), (0.07, 42), (0.1, 29), (0.2, 14)])
def test_a_rate_without_errors_needs_few_rows(limit: float, rows: int) -> None:
    """ln alpha / ln(1 - L), rounded up."""
    assert rows_for_rate(0.0, limit, 0.05) == rows


@pytest.mark.parametrize(("limit", "rows"), [(0.01, 470), (0.02, 234), (0.05, 92), (0.1, 45)])
def test_a_mean_without_movement_needs_more(limit: float, rows: int) -> None:
    """The bets win less on zeros than a count does."""
    assert rows_needed(Hypothesis.UPPER, np.zeros(10), limit, 0.05) == rows
    assert rows_needed(Hypothesis.MEAN, np.zeros(10), limit, 0.05) == rows


@pytest.mark.parametrize(
    ("limit", "part", "rows"),
    [
        (0.02, 2, 969), (0.02, 4, 386), (0.05, 2, 361), (0.05, 4, 153), (0.07, 2, 257), (0.07, 4, 109), (0.1, 2, 179),
        (0.1, 4, 61), (0.2, 2, 82), (0.2, 4, 30),
    ],
)  # fmt: skip
def test_rows_are_the_fewest_that_pass_four_times_in_five(limit: float, part: int, rows: int) -> None:
    """These rows have the power, and none of the numbers below does."""
    assert rows_for_rate(limit / part, limit, 0.05) == rows

    def power(number: int) -> float:
        errors = max_errors(number, limit, 0.05)
        return 0.0 if errors < 0 else float(np.exp(log_tail(errors, number, limit / part)))

    assert power(rows) >= 0.8
    assert max(power(number) for number in range(1, rows)) < 0.8


def test_a_rate_at_its_limit_never_passes() -> None:
    """No number of rows proves what is not so."""
    assert rows_for_rate(0.1, 0.1, 0.05) == np.inf
    assert rows_needed(Hypothesis.UPPER, np.full(10, 0.1), 0.1, 0.05) is None
    assert rows_needed(Hypothesis.MEAN, np.full(10, -0.2), 0.1, 0.05) is None


def test_needed_rows_of_a_mean_have_the_power() -> None:
    """Simulated draws of the needed rows pass about four times in five."""
    generator = np.random.default_rng(7)
    y = np.repeat([1.0, -1.0, 0.0], [20, 10, 970])
    rows = int(rows_needed(Hypothesis.UPPER, y, 0.03, 0.05) or 0)
    passed = [p_below(generator.choice(y, rows), 0.03) <= 0.05 for _ in range(400)]
    assert 0.72 <= np.mean(passed) <= 0.9


def test_large_harm_is_seen_in_few_rows() -> None:
    """The rows to see three times the limit fall as the limit rises, and grow with the number of cells."""
    seen = [rows_to_see(Hypothesis.RATE, limit, 5.0) for limit in (0.01, 0.05, 0.2)]
    assert seen == sorted(seen, reverse=True)
    assert rows_to_see(Hypothesis.UPPER, 0.1, np.log(77 / 0.05)) == pytest.approx(44.7, abs=0.1)
