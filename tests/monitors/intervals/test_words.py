"""Words of verdicts: each outcome says what is so now and what comes next."""

from dataclasses import replace
from typing import Any

import pytest

from tightrope.monitors.intervals import words
from tightrope.monitors.records import Outcome
from tightrope.monitors.verdict import Interval, Onset, Outlook, Verdict

NOW = Interval(mean=0.24, lower=0.15, upper=0.35, rows=200)
ONSET = Onset(number=420, earliest=260, latest=520, unit="request", time=0.0)
BASE = "disagreement 24 in 100 (15 to 35, last 200 rows), limit 10"
HOURS = Outlook(rows=1400.0, rows_at_upper=float("inf"), seconds=7200.0, seconds_at_upper=float("inf"), never=False)


def told(outcome: Outcome, **changes: Any) -> str:  # noqa: ANN401 - any field
    """Describe a verdict of a rate."""
    verdict = Verdict(
        scope="model",
        monitor="disagreement",
        outcome=outcome,
        count=200,
        needed=100.0,
        mean=0.24,
        recent=0.2,
        limit=0.1,
        evidence=3.4,
        threshold=8.5,
        recovery=None,
        recovery_threshold=5.0,
        errors=0,
        now=NOW,
    )
    return words.describe(replace(verdict, **changes), rate=True)


@pytest.mark.parametrize(
    ("outcome", "changes", "end"),
    [
        (Outcome.PASS, {}, ""),
        (Outcome.WATCH, {}, "; evidence 40 % of what an alarm needs"),
        (Outcome.INSUFFICIENT, {"more": 1234.0}, "; about 1,234 more rows to a pass"),
        (Outcome.INSUFFICIENT, {"more": float("inf")}, "; too near its limit to pass"),
        (Outcome.INSUFFICIENT, {"evidence": 6.8}, "; evidence 80 % of what an alarm needs"),
        (Outcome.INSUFFICIENT, {}, ""),
        (Outcome.ERROR, {"note": "a limit below its noise"}, "; a limit below its noise"),
        (
            Outcome.BREACH,
            {"since": ONSET, "outlook": HOURS},
            ", since about request 420 (260 to 520); returns after about 1,400 more rows (2 h, perhaps never)",
        ),
        (
            Outcome.BREACH,
            {"outlook": replace(HOURS, rows_at_upper=4e6, seconds_at_upper=float("nan"))},
            "; returns after about 1,400 more rows (2 h, at most about 4,000,000 rows)",
        ),
        (Outcome.BREACH, {"outlook": replace(HOURS, rows=float("inf"))}, "; no return at this rate"),
        (Outcome.BREACH, {"outlook": replace(HOURS, never=True)}, "; will not return at this rate"),
        (Outcome.BREACH, {}, ""),
    ],
)
def test_each_outcome_says_what_comes_next(outcome: Outcome, changes: dict[str, object], end: str) -> None:
    """After the value, its interval and its limit."""
    assert told(outcome, **changes) == f"{BASE}{end}"


def test_a_cell_without_rows_says_so() -> None:
    """With its limit in the same unit."""
    assert told(Outcome.INSUFFICIENT, now=None, more=100.0).startswith(
        "disagreement without rows, limit 10 in 100; about"
    )


@pytest.mark.parametrize(
    ("rate", "shown"),
    [(0.0, "0"), (0.00042, "0.042"), (0.0163, "1.6"), (0.02, "2"), (0.0999, "10"), (0.345, "34"), (1.0, "100")],
)
def test_rates_are_numbers_in_100(rate: float, shown: str) -> None:
    """With as many digits as they deserve."""
    now = Interval(rate, rate, rate, 5)
    assert (
        words.finding("d", "", now, 0.1, rate=True) == f"d {shown} in 100 ({shown} to {shown}, last 5 rows), limit 10"
    )


@pytest.mark.parametrize(("seconds", "shown"), [(30.0, "30 s"), (150.0, "2 min"), (7300.0, "2 h"), (3e5, "3 d")])
def test_durations_have_one_unit(seconds: float, shown: str) -> None:
    """The largest that they fill."""
    outlook = replace(HOURS, seconds=seconds)
    assert told(Outcome.BREACH, outlook=outlook).endswith(f"rows ({shown}, perhaps never)")
