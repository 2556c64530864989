"""The factor of a cluster equals numbers computed with mpmath, and its expectation is at most one at the limit."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from tightrope.monitors.dependence.cluster_bets import CORRELATION, cluster_bets, log_factors
from tightrope.monitors.detector import RATIOS, RECOVERY_RATIOS, Bernoulli, logsumexp

TICKS: tuple[tuple[int, list[tuple[int, int]]], ...] = (
    (64, [(1, 0)] * 30 + [(1, 1), (32, 2)]),
    (64, [(32, 0), (32, 9)]),
    (64, []),
    (64, [(1, 1), (1, 0), (8, 3), (54, 1)]),
)
MASSES = (4.147070976092308, 5.7862398854182535, 5.9655971696006205, 9.10308368581633)
LIMITS = (0.001, 0.02, 0.1, 0.3)


def test_detector_of_clusters_has_the_golden_masses() -> None:
    """Four ticks of 64 rows, in clusters of 1 to 54 rows: log M after each."""
    q, log_mass = 0.02 * np.asarray(RATIOS), np.full(6, -np.inf)
    for (seed, clusters), golden in zip(TICKS, MASSES, strict=True):
        log_mass = np.logaddexp(log_mass, np.log(seed))
        for rows, ones in clusters:
            log_mass = log_mass + log_factors(np.array(0.02), q, np.array(float(rows)), np.array(float(ones)))
        assert float(logsumexp(log_mass) - np.log(6)) == pytest.approx(golden, abs=1e-9)


def test_bets_have_the_golden_values() -> None:
    """Three times a limit of 2 %, in clusters of 1, 8 and 32 rows."""
    golden = [2.0408163265306123, 8.342022940563087, 12.465913517724971]
    assert cluster_bets(0.02, 0.06, np.array([1.0, 8.0, 32.0])) == pytest.approx(golden, abs=1e-12)


def exact_bet(limit: str, alternative: Fraction, rows: int) -> Fraction:
    """The bet in exact fractions, written as a convex combination of the two extreme ones' inverses."""
    p, gap = Fraction(limit), alternative - Fraction(limit)
    worth = Fraction(rows) / (1 + (rows - 1) * Fraction("0.1"))
    single, largest = gap / (p * (1 - p)), 1 / p
    return 1 / (1 / (single * worth) + (1 - 1 / worth) / largest)


@pytest.mark.parametrize(("limit", "rows"), [*product(("0.004", "0.02", "0.15"), (1, 2, 17, 1000))])
def test_bet_equals_exact_fractions(limit: str, rows: int) -> None:
    """Between the Kelly bet of one row, times what the rows are worth, and the largest admissible bet."""
    alternative = Fraction(limit) * 2
    wanted = float(exact_bet(limit, alternative, rows))
    assert cluster_bets(float(limit), float(alternative), float(rows)) == pytest.approx(wanted, rel=1e-12)


def test_cluster_of_one_row_is_the_likelihood_ratio() -> None:
    """Upward and, for a return, downward."""
    for limit in LIMITS:
        for test in (Bernoulli.above(limit), Bernoulli.below(limit)):
            assert float(test.limit) == pytest.approx(limit, rel=1e-12)
            one, zero = (log_factors(test.limit, test.alternative, np.array(1.0), np.array(k)) for k in (1.0, 0.0))
            assert one == pytest.approx(test.up, abs=1e-12)
            assert zero == pytest.approx(test.down, abs=1e-12)


@pytest.mark.parametrize("rows", [1, 2, 64, 4096])
def test_expectation_is_at_most_one_at_the_limit_for_any_dependence(rows: int) -> None:
    """A cluster whose rows are all alike is the most dependent one; its factor stays positive."""
    for limit, ratio in product(LIMITS, (*RECOVERY_RATIOS, *RATIOS)):
        alternative = np.array(min(limit * ratio, 0.95))
        none, every = (
            np.exp(log_factors(np.array(limit), alternative, np.array(rows), np.array(k))) for k in (0, rows)
        )
        assert min(float(none), float(every)) > 0
        assert float((1 - limit) * none + limit * every) == pytest.approx(1.0, abs=1e-12)


def test_alternative_at_the_limit_has_no_bet() -> None:
    """Alternatives that a detector drops stay without effect."""
    assert cluster_bets(0.3, 0.3, np.array([1.0, 50.0])).tolist() == [0.0, 0.0]
    assert CORRELATION == 0.1
