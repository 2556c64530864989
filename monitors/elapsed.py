"""Stored wall-clock times and how long they are ago, on clocks that jump.

A clock that ran ahead leaves times that lie in the future once it is corrected, also over a restart. Every stored time
that is later subtracted goes through `not_after`: a time in the future counts as now. So a duration is never negative,
and never waits for the clock to catch up.
"""

from typing import TypeVar

import numpy as np

from tightrope.monitors.records import Floats

Time = TypeVar("Time", float, Floats)


def not_after(stored: Time, now: float) -> Time:
    """Return stored times (s), each no later than ``now``.

    >>> not_after(5.0, 9.0), not_after(50.0, 9.0)
    (5.0, 9.0)
    """
    if isinstance(stored, np.ndarray):
        return np.minimum(stored, now)
    return min(stored, now)


def elapsed(stored: float, now: float) -> float:
    """Return the seconds from a stored time to ``now``: 0 for a time in the future.

    >>> elapsed(5.0, 9.0), elapsed(50.0, 9.0)
    (4.0, 0.0)
    """
    return now - not_after(stored, now)
