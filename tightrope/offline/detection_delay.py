"""How soon harm would be seen: multiples of a limit, turned into requests and time by the planning rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isinf, log

from tightrope.monitors import thresholds
from tightrope.monitors.catalogue import Kind
from tightrope.monitors.detector import HIGHEST_RATE, divergence
from tightrope.monitors.records import Floats

HARMS = (2.0, 3.0, 5.0, 10.0)
"""Multiples of a limit for which the time to an alarm is told."""


@dataclass(frozen=True, slots=True)
class Harm:
    """How soon a rate or mean of ``value``, ``times`` the limit, raises the alarm, about: own rows of the scope,
    requests of the model, seconds of its traffic. None for never: when nobody looks, when noise drowns it, and when
    it cannot be, with a value of 1 or more.
    """

    times: float
    value: float
    rows: float | None
    requests: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Clock:
    """What turns evidence into time. A request is a row that a cell counts with probability ``own``, and anybody's
    sample with probability ``samples``; ``log_budget`` is ln A less the log of the cell's share of it.
    """

    own: float
    samples: float
    log_budget: float
    per_second: float


def harms(kind: Kind, y: Floats, limit: float, clock: Clock) -> Iterator[Harm]:
    """Every multiple of a limit. ``y`` (n,) is what a scope's rows say now, n > 0 unless ``clock.own`` is 0."""
    for times in HARMS:
        rows = inf if times * limit >= 1 or not clock.own else _rows(kind, y, limit, times * limit, clock)
        if isinf(rows):
            yield Harm(times, times * limit, None, None, None)
        else:
            yield Harm(times, times * limit, rows, rows / clock.own, rows / clock.own / clock.per_second)


def _rows(kind: Kind, y: Floats, limit: float, value: float, clock: Clock) -> float:
    """Own rows to the alarm. Everybody's samples seed a cell: to each of its own rows come samples / own of them."""
    if kind is Kind.RATE:
        growth = float(divergence(min(value, HIGHEST_RATE), limit))
    else:
        growth = thresholds.growth_of_mean(y, limit, value)
    return thresholds.rows_to_alarm(growth, clock.log_budget + log(clock.own / clock.samples))


def spell(seconds: float | None) -> str:
    """A time in one or two short words: 45 s, 12 min, 1.4 h, 9 d, never."""
    if seconds is None:
        return "never"
    for unit, size, most in (("s", 1, 90), ("min", 60, 90), ("h", 3_600, 48)):
        if seconds < most * size:
            return f"{seconds / size:.{int(unit == 'h')}f} {unit}"
    return f"{seconds / 86_400:,.0f} d"
