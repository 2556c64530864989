"""The factor of a cluster: rows that may depend on each other are one step of a detector, however many they are.

How it works. A cluster of m rows of a cell with the mean ybar has the e-value ``1 + lambda (ybar - p)``. Its
expectation is at most 1 whenever the mean of ybar is at most p, with any dependence inside the cluster. The bet on the
alternative q grows with the number of rows that m rows are worth, ``m / (1 + (m - 1) rho)`` at a correlation of rho:

    lambda(m) = (q - p) / (p ((1 - p) / m_e + (q - p) (1 - 1 / m_e)))

A cluster of one row has exactly the likelihood ratio of q and p, and ``lambda p < 1`` always. For an alternative below
the limit, which a return has to prove, the same holds of ``1 - y``.
"""

import numpy as np

from tightrope.monitors.records import Floats

CORRELATION = 0.1
"""The correlation of the rows of a cluster that the bets are made for; the guarantee does not depend on it."""


def cluster_bets(limit: Floats | float, alternative: Floats | float, rows: Floats | float) -> Floats:
    """The bets on a mean above (below: negative) ``limit``, for clusters of ``rows`` rows; any shapes that broadcast.

    An alternative that equals the limit has no bet.

    >>> cluster_bets(0.02, 0.06, np.array([1.0, 8.0, 32.0])).round(8).tolist()
    [2.04081633, 8.34202294, 12.46591352]
    """
    p, q = np.asarray(limit, dtype=np.float64), np.asarray(alternative, dtype=np.float64)
    worth = rows / (1 + (np.asarray(rows, dtype=np.float64) - 1) * CORRELATION)
    share, tolerated, excess = np.where(q < p, -1.0, 1.0), np.where(q < p, 1 - p, p), np.abs(q - p)
    spread = tolerated * ((1 - tolerated) / worth + excess * (1 - 1 / worth))
    return np.asarray(share * np.divide(excess, spread, out=np.zeros_like(spread), where=spread > 0))


def log_factors(limit: Floats, alternative: Floats, rows: Floats, total: Floats) -> Floats:
    """Log e-values of clusters of ``rows`` rows with the sum ``total``, observations in [0, 1]; shapes broadcast.

    >>> limit, alternative, ones = np.array(0.02), np.array(0.06), np.array([0.0, 1.0])
    >>> np.exp(log_factors(limit, alternative, np.ones(2), ones)).round(4).tolist()
    [0.9592, 3.0]
    """
    return np.asarray(np.log1p(cluster_bets(limit, alternative, rows) * (total / rows - limit)))
