"""Weeks of the calendar (ISO 8601, UTC): their names, days and times.

Source: ISO 8601-1:2019, 4.3.7.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self

from tightrope.service.errors import UnknownModelError, quote

WEEK_DAYS = 7
_FORM = re.compile(r"(\d{4})-W(\d{2})")


class WeekNameError(UnknownModelError):
    """A week's name that cannot be read, or a week that is still to come: there is nothing under it."""


@dataclass(frozen=True, slots=True)
class Week:
    """A week by its Monday.

    >>> Week.parse("2026-W48").first, Week.parse("2026-W48").name
    (datetime.date(2026, 11, 23), '2026-W48')
    """

    first: date

    @classmethod
    def parse(cls, name: str) -> Self:
        """The week of a name such as 2026-W48.

        Raises:
            WeekNameError: when it is no name of a week.
        """
        found = _FORM.fullmatch(name)
        try:
            first = date.fromisocalendar(int(found[1]), int(found[2]), 1) if found else None
        except ValueError:
            first = None
        if first is None:
            raise WeekNameError(f"week: is {quote(name)}; it must be a year and a week, such as 2026-W48")
        return cls(first)

    @classmethod
    def of_time(cls, seconds: float) -> Self:
        """The week of a time, in seconds since the epoch."""
        day = datetime.fromtimestamp(seconds, UTC).date()
        return cls(day - timedelta(days=day.weekday()))

    @property
    def name(self) -> str:
        """The year and the number of the week."""
        year, number, _ = self.first.isocalendar()
        return f"{year:04d}-W{number:02d}"

    @property
    def last(self) -> date:
        """The Sunday."""
        return self.first + timedelta(days=WEEK_DAYS - 1)

    @property
    def days(self) -> Sequence[date]:
        """All seven days."""
        return [self.first + timedelta(days=number) for number in range(WEEK_DAYS)]

    @property
    def since(self) -> float:
        """The beginning of the Monday, in seconds since the epoch."""
        return datetime.combine(self.first, time(), UTC).timestamp()

    @property
    def until(self) -> float:
        """The end of the Sunday, in seconds since the epoch."""
        return self.since + timedelta(days=WEEK_DAYS).total_seconds()

    def shifted(self, weeks: int) -> "Week":
        """The week that is this many weeks later."""
        return Week(self.first + timedelta(weeks=weeks))
