"""The e-values of ticks and clusters with few rows and whole losses, in tables: few slices differ in their limits."""

from functools import cached_property, lru_cache

import numpy as np

from tightrope.monitors.dependence.cluster_bets import log_factors
from tightrope.monitors.detector import Bernoulli
from tightrope.monitors.records import Floats, Ints

TABLE_ROWS, MOST_TABLES = 65, 16
"""Ticks of fewer single rows have their e-values in a table, where there are no more limits."""

FRACTIONS = 2.0**36
"""Means and logarithms of factors of clusters are rounded down to this fraction: their sums are exact in any order."""

MOST_NATS = 300.0
"""The most evidence of one tick: an alarm needs about twenty."""


class FactorTables:
    """The e-values of L limits, of K alternatives each: ``logs`` (K, L TABLE_ROWS²) those of ticks by limit, single
    rows, and ones among them, as logarithms, and ``factors`` as they are; no entry where there are too many limits.

    >>> tables = FactorTables((0.1, 0.2))
    >>> tables.logs[2, TABLE_ROWS**2 + 3 * TABLE_ROWS + 1].round(3).item()  # the second limit, a one of three rows
    0.118
    """

    def __init__(self, limits: tuple[float, ...]) -> None:
        self.bernoulli = Bernoulli.above(np.array(limits))
        self.width = self.bernoulli.up.shape[-1]
        self.limits = len(limits)
        down, ratio = self.bernoulli.down.T, (self.bernoulli.up - self.bernoulli.down).T
        rows, ones = np.divmod(np.arange(TABLE_ROWS**2), TABLE_ROWS)
        tabled = len(limits) if len(limits) <= MOST_TABLES else 0
        logs = [ratio[:, [limit]] * ones + down[:, [limit]] * rows for limit in range(tabled)]
        self.logs = np.concatenate([np.zeros((self.width, 0)), *logs], axis=1)
        self.factors = np.exp(np.minimum(self.logs, MOST_NATS))

    def of_clusters(self, limit: Ints, rows: Floats, total: Floats) -> Floats:
        """The log factors of E clusters (K, E), by the number of their limit, rows, and sum of losses, all (E,);
        rounded down so that sums of them are exact in any order.
        """
        p, q = self.bernoulli.limit[limit], self.bernoulli.alternative[limit]
        logs = log_factors(p[:, None], q, rows[:, None], total[:, None])
        return np.ascontiguousarray((np.floor(logs * FRACTIONS) / FRACTIONS).T)

    @cached_property
    def cluster_logs(self) -> Floats:
        """The log factors of clusters with whole losses, as ``logs``."""
        rows, ones = np.divmod(np.arange(TABLE_ROWS**2, dtype=np.float64), TABLE_ROWS)
        possible = (rows > 0) & (ones <= rows)
        known = np.maximum(rows, 1.0), np.where(possible, ones, 0.0)
        logs = [self.of_clusters(np.full(len(rows), limit), *known) for limit in range(self.limits)]
        return np.concatenate(logs, axis=1)


@lru_cache(maxsize=16)
def factor_tables(limits: tuple[float, ...]) -> FactorTables:
    """The tables of some limits, which are built once: lattices that differ in slots alone have the same."""
    return FactorTables(limits)
