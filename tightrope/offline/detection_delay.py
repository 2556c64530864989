"""Expected detection delay: rows, requests and seconds until a rate beyond its limit raises the alarm."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isinf, log

from tightrope.monitors import thresholds
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.detector import HIGHEST_RATE, divergence
from tightrope.monitors.records import Floats

HARM_MULTIPLES = (2.0, 3.0, 5.0, 10.0)
"""Multiples of a limit for which the delay is computed."""


@dataclass(frozen=True, slots=True)
class Harm:
    """Approximate delay until a rate or mean of ``value``, ``times`` the limit, raises the alarm: rows of the scope,
    requests to the model, seconds of its traffic. None if it never does: no row is sampled, noise hides the harm, or
    the value is 1 or more, which is impossible.
    """

    times: float
    value: float
    rows: float | None
    requests: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class EvidenceRates:
    """Rates that convert evidence into time. A request gives a row of the cell with probability ``own`` and a sample of
    any scope with probability ``samples``; ``log_budget`` is ln(A / share) of the alarm budget A and the cell's share
    of it; ``per_second`` counts requests.
    """

    own: float
    samples: float
    log_budget: float
    per_second: float


def harms(hypothesis: Hypothesis, y: Floats, limit: float, rates: EvidenceRates) -> Iterator[Harm]:
    """Yield the delay for each multiple of a limit. ``y`` (n,) are a scope's observations; n > 0 unless own is 0."""
    for times in HARM_MULTIPLES:
        rows = inf if times * limit >= 1 or not rates.own else _rows(hypothesis, y, limit, times * limit, rates)
        if isinf(rows):
            yield Harm(times, times * limit, None, None, None)
        else:
            yield Harm(times, times * limit, rows, rows / rates.own, rows / rates.own / rates.per_second)


def _rows(hypothesis: Hypothesis, y: Floats, limit: float, value: float, rates: EvidenceRates) -> float:
    """Return the scope's rows until the alarm. Samples of all scopes seed a cell: samples / own for each row."""
    if hypothesis is Hypothesis.RATE:
        growth = float(divergence(min(value, HIGHEST_RATE), limit))
    else:
        growth = thresholds.growth_of_mean(y, limit, value)
    return thresholds.rows_to_alarm(growth, rates.log_budget + log(rates.own / rates.samples))


def format_duration(seconds: float | None) -> str:
    """Format seconds for people: 45 s, 12 min, 1.4 h, 9 d, or never for None."""
    if seconds is None:
        return "never"
    for unit, size, most in (("s", 1, 90), ("min", 60, 90), ("h", 3_600, 48)):
        if seconds < most * size:
            return f"{seconds / size:.{int(unit == 'h')}f} {unit}"
    return f"{seconds / 86_400:,.0f} d"
