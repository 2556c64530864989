"""A search without gradients for rows on which two models differ, from real rows, a value of another row at a time.

How it works. Each query puts the value of another row into one column of a start, at most two columns in all, and keeps
the change if the gap between both models' answers grows. A start ends when the gap is found. It climbs blindly,
so what it does not find may be there.

Sources: Guo et al., Simple Black-box Adversarial Attacks (ICML 2019), with values of the data in the place of steps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tightrope.monitors.qualification.gap_measures import FOUND_GAP
from tightrope.monitors.records import Bools, Floats, Ints

SEARCH_STARTS = 400
SEARCH_QUERIES = 64
MOST_CHANGED = 2
"""Columns of a start that may have a value of another row."""

NO_GAP_FOUND = -1


@dataclass(frozen=True, slots=True)
class GapsFound:
    """For each start the query at which the gap was found, (m,), 0 for the row itself and `NO_GAP_FOUND`; the starts'
    largest gaps, (m,).

    >>> GapsFound(np.array([3, NO_GAP_FOUND]), np.array([0.4, 0.1])).query.tolist()
    [3, -1]
    """

    query: Ints
    largest: Floats


def search_gaps(
    rows: Floats, gaps: Callable[[Floats], Floats], generator: np.random.Generator, found: float = FOUND_GAP
) -> GapsFound:
    """Search from at most `SEARCH_STARTS` of the rows (n, c); ``gaps`` gives the gap of each of some rows, (m,), and
    one of at least ``found`` ends a start.

    >>> rows = np.eye(6)
    >>> search = search_gaps(rows, lambda each: 0.2 * each[:, :2].sum(axis=1), np.random.default_rng(1))
    >>> int((search.query != NO_GAP_FOUND).sum()), round(float(search.largest.max()), 1)
    (4, 0.4)
    """
    total, columns = rows.shape
    starts = rows[generator.permutation(total)[:SEARCH_STARTS]]
    best, climbed = gaps(starts), starts.copy()
    query = np.where(best >= found, 0, NO_GAP_FOUND)
    each = np.arange(len(starts))
    for number in range(1, SEARCH_QUERIES + 1):
        changed = (climbed != starts) & ~(np.isnan(climbed) & np.isnan(starts))
        column = _columns_to_change(changed, generator.random((len(starts), columns)))
        candidates = climbed.copy()
        candidates[each, column] = rows[generator.integers(total, size=len(starts)), column]
        gap = gaps(candidates)
        better = (gap > best) & (query == NO_GAP_FOUND)
        climbed[better], best[better] = candidates[better], gap[better]
        query[better & (best >= found)] = number
    return GapsFound(query, best)


def _columns_to_change(changed: Bools, weights: Floats) -> Ints:
    """A column for each row by random weights, all (m, c); one of the changed ones where no other may change."""
    is_full = changed.sum(axis=1, keepdims=True) >= MOST_CHANGED
    return np.asarray(np.where(is_full & ~changed, -1.0, weights).argmax(axis=1))
