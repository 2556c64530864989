"""Bounds of means, found by Newton's steps: against bisection."""

import numpy as np
import pytest

from tightrope.monitors import thresholds
from tightrope.monitors.detector import logsumexp
from tightrope.monitors.records import Floats
from tightrope.monitors.thresholds import mean_bounds, rows_of_zeros


def bisected_bound(y: Floats, delta: float) -> float:
    """The upper bound of E y by 40 bisections of [-1, 1]: how it was computed up to 0.1."""
    bets = 0.98 * np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0])
    low, high = -1.0, 1.0
    for _ in range(40):
        mean = (low + high) / 2
        wealth = np.log1p(bets * ((mean - y) / (1 - mean))[:, None]).sum(axis=0)
        low, high = (low, mean) if np.logaddexp.reduce(wealth) - np.log(7) >= -np.log(delta) else (mean, high)
    return high


@pytest.mark.parametrize("rows", [1, 30, 4000])
@pytest.mark.parametrize("kind", ["noise", "zeros", "ends", "signs", "wide"])
def test_bounds_of_means_are_those_of_bisection(monkeypatch: pytest.MonkeyPatch, kind: str, rows: int) -> None:
    """Newton's steps find the numbers of bisection to 1e-9, in half of the evaluations, which are 80.

    A bound next to 1, of one row or of rows that all are 1, takes more: no slope is of use there.
    """
    rng = np.random.default_rng(rows)
    made = {
        "noise": rng.normal(0, 0.02, rows),
        "zeros": np.zeros(rows),
        "ends": np.ones(rows),
        "signs": rng.choice([-1.0, 0.0, 1.0], rows, p=[0.05, 0.9, 0.05]),
        "wide": rng.uniform(-1, 1, rows),
    }
    evaluated: list[int] = []

    def counted(wealth: Floats) -> Floats:
        evaluated.append(1)
        return logsumexp(wealth)

    monkeypatch.setattr(thresholds, "logsumexp", counted)
    y = made[kind]
    most, least = bisected_bound(y, 0.025), -bisected_bound(-y, 0.025)
    assert mean_bounds(y, 0.05) == pytest.approx((max(0.0, least, -most), max(most, -least)), abs=1e-9)
    assert len(evaluated) <= (40 if rows == 4000 and kind != "ends" else 60)


@pytest.mark.parametrize("mean", [0.0066, 0.02, 0.3, 0.7])
def test_rows_of_zeros_are_the_fewest(mean: float) -> None:
    """As many zeros bound the mean, one fewer do not."""
    rows = rows_of_zeros(mean, 0.05)
    bounds = [mean_bounds(np.zeros(each), 0.05)[1] for each in (rows, rows - 1)]
    assert bounds[0] <= mean < bounds[1]
