"""Tables have the e-values that detectors compute, entry by entry."""

import numpy as np
import pytest

from tightrope.monitors.dependence.cluster_bets import log_factors
from tightrope.monitors.detector import Bernoulli
from tightrope.monitors.hunter.factor_tables import FRACTIONS, MOST_TABLES, TABLE_ROWS, FactorTables, factor_tables

LIMITS = (0.05, 0.1, 0.3)
CASES = [(limit, rows, ones) for limit in range(3) for rows, ones in ((0, 0), (1, 1), (40, 3), (64, 64))]


@pytest.mark.parametrize(("limit", "rows", "ones"), CASES)
def test_entries_are_those_of_a_detector(limit: int, rows: int, ones: int) -> None:
    """By limit, rows, and ones; e-values stay finite."""
    tables, entry = factor_tables(LIMITS), (limit * TABLE_ROWS + rows) * TABLE_ROWS + ones
    expected = Bernoulli.above(LIMITS[limit]).log_e(np.int64(rows), np.int64(ones))
    assert tables.logs[:, entry] == pytest.approx(expected, abs=1e-12)
    assert np.log(tables.factors[:, entry]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("limit", "rows", "ones"), [each for each in CASES if each[1]])
def test_clusters_are_rounded_down(limit: int, rows: int, ones: int) -> None:
    """By less than a fraction, so that sums are exact in any order."""
    tables, entry = factor_tables(LIMITS), (limit * TABLE_ROWS + rows) * TABLE_ROWS + ones
    bernoulli = Bernoulli.above(LIMITS[limit])
    exact = log_factors(bernoulli.limit, bernoulli.alternative, np.float64(rows), np.float64(ones))
    found = tables.cluster_logs[:, entry]
    assert ((exact - found + 1e-12 >= 0) & (exact - found <= 1 / FRACTIONS + 1e-12)).all()
    assert np.array_equal(found * FRACTIONS, np.floor(found * FRACTIONS))


def test_many_limits_have_no_table() -> None:
    """It would be larger than the search itself."""
    assert FactorTables(tuple(np.linspace(0.05, 0.3, MOST_TABLES + 1))).logs.shape == (6, 0)
    assert FactorTables(tuple(np.linspace(0.05, 0.3, MOST_TABLES))).logs.shape == (6, MOST_TABLES * TABLE_ROWS**2)


def test_tables_of_limits_are_built_once() -> None:
    """A lattice with other slots has the same."""
    assert factor_tables(LIMITS) is factor_tables(tuple(LIMITS))
