"""Lines of a table: a method, the false alarms that it promises, those that it raised, and its delays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM

PROMISED = 1e5 / SAMPLES_PER_FALSE_ALARM
"""False alarms that Tightrope promises at most, per 100,000 rows."""


@dataclass(frozen=True)
class Size:
    """The number of streams and of their rows: quiet ones, and ones with harm."""

    quiet_runs: int
    quiet_rows: int
    runs: int
    rows: int


def delays_text(delays: Sequence[float]) -> str:
    """The median and the 95th percentile of delays, which are infinite where the harm is missed.

    >>> delays_text([100.0, 2000.0, float("inf")])
    '2,000 / never, 33 % missed'
    """
    half, most = np.quantile(delays, [0.5, 0.95], method="higher").tolist()
    missed = float(np.mean(np.isinf(delays)))
    note = f", {missed:.0%} missed".replace("%", " %") if missed else ""
    return f"{_rows(half)} / {_rows(most)}{note}"


def _rows(delay: float) -> str:
    return "never" if np.isinf(delay) else f"{delay:,.0f}"


def rate_text(alarms: int, rows: int) -> str:
    """False alarms per 100,000 rows.

    >>> rate_text(3, 200_000), rate_text(0, 10)
    ('1.50', '0')
    """
    return f"{alarms * 1e5 / rows:.2f}" if alarms else "0"


def promise_text(promised: float | None) -> str:
    """Promised false alarms per 100,000 rows; a dash for a method that promises none.

    >>> promise_text(0.05), promise_text(None)
    ('0.05', '-')
    """
    return "-" if promised is None else f"{promised:g}"


def is_budgeted(method: str) -> bool:
    """Whether another method has been given Tightrope's budget, for independent rows.

    >>> is_budgeted("window of 50 at Tightrope's budget"), is_budgeted("ADWIN (river)")
    (True, False)
    """
    return "at Tightrope's budget" in method
