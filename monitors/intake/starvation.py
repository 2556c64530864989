"""Evidence that the draw keeps fewer requests than it should: a judge cannot see what was never kept.

How it works. Each served request is kept with a probability that is known before. While it is kept with at least half
of that, a^kept exp((1 - a) expected / 2) has an expected value of at most 1 for each bet a, where ``expected`` sums the
probabilities: E[a^kept] = 1 - (1 - a) p <= exp(-(1 - a) p). The products restart at every expected row, a quarter each,
so that a draw that stops after weeks is seen as soon as one that never began. In N expected rows at most N divided by
the threshold false alarms are to be expected.

Where nothing is kept, that is seen after about thirty expected rows.
"""

from dataclasses import dataclass

import numpy as np

from tightrope.monitors.records import Bools, Floats, Ints

KEPT_BETS = np.array([0.1, 0.25, 0.5, 0.75])
"""The shares of the supposed half that are bet on."""

STARVED_NATS = float(np.log(1e6))
"""The evidence at which a scope is starved: a false alarm in a million expected rows."""


@dataclass(frozen=True, slots=True)
class ServedTotals:
    """Requests of a model and of each of its subgroups, (1 + subgroups,): the sum of their probabilities of being kept,
    and those that were kept.

    >>> ServedTotals(np.array([2.0]), np.array([1.0])).kept.tolist()
    [1.0]
    """

    expected: Floats
    kept: Floats


def no_evidence(scopes: int) -> Floats:
    """Start without evidence: the log of a mass of zero for each scope and bet, (scopes, bets)."""
    return np.full((scopes, len(KEPT_BETS)), -np.inf)


def add_requests(log_mass: Floats, expected: Floats, kept: Ints | Floats) -> Floats:
    """Add requests of each scope, (scopes,): how many should have been kept in the mean, and how many were.

    >>> float(add_requests(no_evidence(1), np.array([40.0]), np.array([0])).max()) > STARVED_NATS
    True
    """
    seeds = np.full(expected.shape, -np.inf)
    np.log(expected / len(KEPT_BETS), out=seeds, where=expected > 0)
    return np.asarray(np.logaddexp(log_mass, seeds[:, None]) + _log_e(expected, kept))


def mass_of_starts(seeds: Floats, expected: Floats, kept: Floats) -> Floats:
    """The log mass of each scope, (scopes, bets), from starts at several times, all (starts, scopes): what was expected
    in the interval that a start stands for, and what was expected and kept since the start. For counts that cannot be
    cut into steps, because what is kept comes later than it is expected.

    >>> since = np.array([[40.0], [20.0]])
    >>> starved_scopes(mass_of_starts(np.full((2, 1), 20.0), since, np.zeros((2, 1)))).tolist()
    [True]
    """
    log_seeds = np.full(seeds.shape, -np.inf)
    np.log(seeds / len(KEPT_BETS), out=log_seeds, where=seeds > 0)
    return np.asarray(np.logaddexp.reduce(log_seeds[..., None] + _log_e(expected, kept), axis=0))


def _log_e(expected: Floats, kept: Ints | Floats) -> Floats:
    """The log e-values of all bets, (…, bets)."""
    return np.asarray(kept[..., None] * np.log(KEPT_BETS) + (1 - KEPT_BETS) * expected[..., None] / 2)


def starved_scopes(log_mass: Floats) -> Bools:
    """Tell for each scope whether the evidence is enough, (scopes,)."""
    return np.asarray(np.logaddexp.reduce(log_mass, axis=1) >= STARVED_NATS)
