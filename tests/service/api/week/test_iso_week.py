"""Weeks are those of ISO 8601, in UTC."""

from datetime import UTC, date, datetime

import pytest

from tightrope.service.api.week.iso_week import Week, WeekNameError


def test_week_begins_on_monday_and_ends_on_sunday() -> None:
    """Its times are those of the UTC days; the years' ends belong to the week's own year."""
    week = Week.parse("2026-W53")
    assert (week.first, week.last, week.name) == (date(2026, 12, 28), date(2027, 1, 3), "2026-W53")
    assert week.since == datetime(2026, 12, 28, tzinfo=UTC).timestamp()
    assert week.until - week.since == 7 * 86_400
    assert len(week.days) == 7
    assert week.shifted(1).name == "2027-W01"


@pytest.mark.parametrize("offset", [0.0, 3.5 * 86_400, 7 * 86_400 - 0.001])
def test_time_belongs_to_its_week(offset: float) -> None:
    """From the first moment of the Monday to the last of the Sunday."""
    week = Week.parse("2026-W48")
    assert Week.of_time(week.since + offset) == week
    assert Week.of_time(week.until) == week.shifted(1)


@pytest.mark.parametrize("name", ["48", "2026-48", "2026-W60", "2026-W00", "0000-W01", "2026-W48 ", "2025-W53"])
def test_name_of_no_week_is_refused_with_what_is_right(name: str) -> None:
    """2025 has 52 weeks."""
    with pytest.raises(WeekNameError, match="such as 2026-W48"):
        Week.parse(name)
