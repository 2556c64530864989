"""The beginning of a change: golden numbers, coverage, and agreement with the slow way."""

import numpy as np
import pytest

from tightrope.monitors.detector import RATIOS, RECOVERY_RATIOS
from tightrope.monitors.intervals.onset import evidence_since, locate

ONES = np.array([1, 0, 1, 1, 0, 2, 1, 0, 5, 6, 4, 7, 6, 5])
LIMIT = 0.02


def cumulated(ones: np.ndarray[tuple[int], np.dtype[np.int64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Sum the ones up to each checkpoint."""
    return np.append(0.0, np.cumsum(ones))


def test_evidence_has_the_golden_values() -> None:
    """From checkpoints 7, 8 and 9 to the alarm."""
    evidence = evidence_since(64.0 * np.arange(15), cumulated(ONES), LIMIT)
    assert evidence[7:10] == pytest.approx([17.4414930807, 21.6146404838, 18.5903303687], rel=1e-9)


def test_location_has_the_golden_values() -> None:
    """Checkpoint 8, and a set of 0 to 9."""
    assert locate(64.0 * np.arange(15), cumulated(ONES), LIMIT) == (8, 0, 9)


def ratio(n: float, k: float, ratios: tuple[float, ...]) -> float:
    """Average the likelihood ratios of k ones in n rows."""
    return float(np.mean([r**k * ((1 - r * LIMIT) / (1 - LIMIT)) ** (n - k) for r in ratios]))


@pytest.mark.parametrize("seed", range(5))
def test_location_equals_the_slow_way(seed: int) -> None:
    """Each pair of checkpoints on its own."""
    rng = np.random.default_rng(seed)
    ones = np.concatenate([rng.binomial(64, 0.01, 12), rng.binomial(64, 0.08, 8)])
    steps, total = 64.0 * np.arange(21), cumulated(ones)
    possible = [
        s
        for s in range(20)
        if all(ratio(steps[s] - steps[t], total[s] - total[t], RATIOS) < 40 for t in range(s))
        and all(ratio(steps[t] - steps[s], total[t] - total[s], RECOVERY_RATIOS) < 40 for t in range(s + 1, 21))
    ]
    since = [ratio(steps[-1] - steps[s], total[-1] - total[s], RATIOS) for s in range(20)]
    assert locate(steps, total, LIMIT) == (int(np.argmax(since)), possible[0], possible[-1])


def test_set_holds_the_true_beginning() -> None:
    """In at least 95 of 100 runs that begin at checkpoint 30."""
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        ones = np.concatenate([rng.binomial(64, 0.01, 30), rng.binomial(64, 0.06, 12)])
        _, first, last = locate(64.0 * np.arange(43), cumulated(ones), LIMIT)
        held += first <= 30 <= last + 1
    assert held >= 95


def test_harm_from_the_start_begins_there() -> None:
    """The only checkpoint before the alarm is the start."""
    assert locate(np.array([0.0, 64.0]), np.array([0.0, 60.0]), LIMIT) == (0, 0, 0)


def test_an_empty_set_is_the_estimate() -> None:
    """Two changes in one stretch can exclude every checkpoint."""
    ones = np.array([64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64])
    estimate, first, last = locate(64.0 * np.arange(14), cumulated(ones), LIMIT)
    assert first <= estimate <= last + 1
