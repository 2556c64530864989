"""The labels of reviewers under a daily cap keep the promise; labels without a row's own probability do not."""

import numpy as np
import pytest

from benchmarks.situations import capped_reviews
from benchmarks.situations.capped_reviews import DIFFERING, WEEK, CappedTraffic, FoldWay, measured

RIGHT, WRONG = FoldWay(samples=1e3), FoldWay(own=False)


def most(way: FoldWay, rows: int, *monitors: str) -> float:
    """Return the false alarms that monitors may raise: what they promise, and what chance adds to that."""
    promise = sum(capped_reviews.promised(way, rows)[name] for name in monitors)
    return promise + 2 * np.sqrt(promise)


def test_monitors_are_at_their_limits_on_busy_days() -> None:
    """Accuracy of the model and of the small group, and excess risk; on quiet days the model is below them."""
    rows = CappedTraffic.draw_rows(0, 1_000_000)
    gap = np.where(rows.disagree, np.where(rows.truth, -1.0, 1.0), 0.0)
    busy = np.array([share for _, share in WEEK])[rows.day % len(WEEK)] == 0.3
    assert gap[busy].mean() == pytest.approx(0.01, abs=0.001)
    assert gap[~busy].mean() < 0.01
    assert gap[rows.few].mean() == pytest.approx(DIFFERING, abs=0.002)
    assert gap[busy & rows.disagree].mean() == pytest.approx(0.3, abs=0.02)


def test_reviewed_labels_under_a_daily_cap_keep_the_promise() -> None:
    """With each row's own probability, and excess risk at the least one; they show the gap that there is."""
    found, n = measured(RIGHT, 1, 32_768), 32_768
    assert found.labels > 250
    assert found.alarms["accuracy"] <= most(RIGHT, n, "accuracy")
    assert sum(found.alarms.values()) <= most(RIGHT, n, "accuracy", "excess_risk", "brier", "calibration")
    assert 0.006 < found.total / found.rows < 0.013


def test_one_probability_for_all_rows_breaks_the_promise() -> None:
    """The labels of the small group weigh too much: the gap looks larger than it is on any day."""
    found, n = measured(WRONG, 0, 65_536), 65_536
    assert found.total / found.rows > 0.014
    assert found.alarms["accuracy"] > most(WRONG, n, "accuracy")
