"""Operators see the rows of today by group, and the probabilities of today and tomorrow."""

from pathlib import Path

import numpy as np
import pytest

from tightrope.monitors.records import Comparisons
from tightrope.monitors.review.daily_cap import SECONDS_PER_DAY, DailyCap
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.service.adapters.review.daily_chances import DailyChances
from tightrope.service.adapters.sqlite.review_table import ReviewTable
from tightrope.service.api.review.daily import daily_review

CAP = DailyCap(LabelDraw(disagreements=0.5, random=0.02, floor=0.05), rows=20)


@pytest.fixture
def daily(tmp_path: Path) -> DailyChances:
    """The morning of 30 November 2026."""
    return DailyChances(ReviewTable(tmp_path / "review.db"), {"m": CAP}, lambda: 20_787.3 * SECONDS_PER_DAY)


def test_day_without_rows_has_the_probabilities_without_a_cap(daily: DailyChances) -> None:
    """It has the model alone, for no group is known yet."""
    assert daily_review(daily, "m") == {
        "day": "2026-11-30",
        "per_group_daily": 20,
        "least_probability": 0.05,
        "random": 0.02,
        "random_tomorrow": 0.02,
        "groups": [{"name": "model", "drawn": 0, "probability": 0.5, "tomorrow": 0.5, "tomorrow_rows": 0.0}],
    }


def test_groups_show_what_was_drawn_and_what_follows_from_it(daily: DailyChances) -> None:
    """The model first; a group with few disagreements stays as it is."""
    member = np.column_stack([np.arange(200) < 180, np.arange(200) >= 180])
    rows = Comparisons.from_columns(
        200, model="m", scopes=("b=1", "a=1"), member=member, disagree=True, draw=np.arange(200) / 200 * 2.0**-27
    )
    daily.stamp(rows)
    shown = daily_review(daily, "m")
    assert [(each["name"], each["drawn"], each["probability"], each["tomorrow"]) for each in shown["groups"]] == [
        ("model", 100, 0.5, 0.1),
        ("a=1", 0, 0.5, 0.5),
        ("b=1", 100, 0.5, 20 / 180),
    ]
    assert [each["tomorrow_rows"] for each in shown["groups"]] == [20.0, 10.0, 20.0]
    assert shown["random_tomorrow"] == pytest.approx(0.02 * 20 / 100)
