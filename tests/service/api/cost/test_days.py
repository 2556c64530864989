"""The JSON of what a model cost by day."""

from collections.abc import Sequence
from datetime import date

import pytest

from tightrope.monitors.cost.days import RoleCounts
from tightrope.monitors.cost.shares import ModelCpu
from tightrope.service.adapters.ledger.day_cost import DayCost
from tightrope.service.api.cost.days import cost_days
from tightrope.service.errors import CallerError

TODAY = date(2026, 11, 30)


class Days:
    """Days that a test sets, and the range that was asked for."""

    def __init__(self, *days: DayCost) -> None:
        self.days = days
        self.asked: tuple[date, date] | None = None

    def between(self, model: str, first: date, last: date) -> Sequence[DayCost]:
        """The days."""
        assert model == "m"
        self.asked = first, last
        return self.days


def test_day_has_all_parts() -> None:
    """Counts by role, seconds by part, and the parts that counted."""
    cpu = ModelCpu(4.0, 2.0, 1.0, 0.5, 6.0, 1.5)
    day = DayCost(
        day=TODAY,
        requests=RoleCounts(3, 1),
        rows=RoleCounts(30, 10),
        cpu=cpu,
        blind_seconds=7.5,
        estimate=True,
        parts=("gateway", "worker"),
    )
    document = cost_days(Days(day), "m", None, None, lambda: TODAY)
    assert document == {
        "model": "m",
        "days": [
            {
                "day": "2026-11-30",
                "requests": {"compressed": 3, "baseline": 1},
                "rows": {"compressed": 30, "baseline": 10},
                "cpu_seconds": {"answer": 4.0, "fallback": 2.0, "escalation": 1.0, "shadow": 0.5},
                "other_model_cpu_seconds": {"answer": 6.0, "fallback": 1.5},
                "blind_seconds": 7.5,
                "estimate": True,
                "parts": ["gateway", "worker"],
            }
        ],
        "parts": ["gateway", "worker"],
        "missing": [],
    }


def test_parts_that_do_not_count_here_are_named() -> None:
    """The gateway of a cluster says that the worker is missing; without any day both are."""
    day = DayCost(day=TODAY, cpu=ModelCpu(shadow=None), parts=("gateway",))
    document = cost_days(Days(day), "m", None, None, lambda: TODAY)
    assert (document["parts"], document["missing"]) == (["gateway"], ["worker"])
    assert document["days"][0]["cpu_seconds"]["shadow"] is None
    assert cost_days(Days(), "m", None, None, lambda: TODAY)["missing"] == ["gateway", "worker"]


@pytest.mark.parametrize(
    ("first", "last", "asked"),
    [
        (None, None, (date(2026, 11, 24), TODAY)),
        (None, "2026-11-10", (date(2026, 11, 4), date(2026, 11, 10))),
        ("2026-11-29", None, (date(2026, 11, 29), TODAY)),
        ("2026-11-01", "2026-11-01", (date(2026, 11, 1), date(2026, 11, 1))),
        (None, "0001-01-02", (date(1, 1, 1), date(1, 1, 2))),
    ],
)
def test_week_up_to_today_is_the_default(first: str | None, last: str | None, asked: tuple[date, date]) -> None:
    """Seven days, both ends included."""
    days = Days()
    cost_days(days, "m", first, last, lambda: TODAY)
    assert days.asked == asked


@pytest.mark.parametrize(
    ("first", "last", "error"),
    [
        ("yesterday", None, "from: 'yesterday' is no day; write it as YYYY-MM-DD"),
        (None, "2026-02-30", "to: '2026-02-30' is no day"),
        ("2026-11-30", "2026-11-29", "from: 2026-11-30 is after to: 2026-11-29"),
    ],
)
def test_mistake_in_a_day_is_named(first: str | None, last: str | None, error: str) -> None:
    """With the parameter, its value and what would be right."""
    with pytest.raises(CallerError, match=error):
        cost_days(Days(), "m", first, last, lambda: TODAY)
