"""Figures, times and limits in words that need no glossary."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from tightrope.service.api.overview.phrases import EVERYBODY, class_phrase, duration, scope_title

SECONDS_OF_HOUR = 3600.0
_MINUTE = 60.0
_EXACT, _COARSE = 100.0, 10.0
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SMALLEST_WHOLE = 1e-2
_NEAR, _EACH_UP_TO = 1e-6, 20


def date_words(day: date) -> str:
    """A date.

    >>> date_words(date(2026, 11, 29))
    '29 November 2026'
    """
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def span_words(first: date, last: date) -> str:
    """The dates from one to another.

    >>> span_words(date(2026, 11, 23), date(2026, 11, 29)), span_words(date(2026, 11, 30), date(2026, 12, 6))
    ('23 to 29 November 2026', '30 November to 6 December 2026')
    """
    if first.year != last.year:
        return f"{date_words(first)} to {date_words(last)}"
    month = "" if first.month == last.month else f" {_MONTHS[first.month - 1]}"
    return f"{first.day}{month} to {date_words(last)}"


def moment_words(seconds: float) -> str:
    """A time of the week (UTC).

    >>> moment_words(1795885049.0)
    'Saturday 28 November, 16:57'
    """
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{_DAYS[at.weekday()]} {at.day} {_MONTHS[at.month - 1]}, {at:%H:%M}"


def group_words(scope: str, model: str, asked: Sequence[str] = ()) -> str:
    """A group of requests in a sentence; ``scope`` "model" is all of them, or those on which the small model says one
    of the classes ``asked``.

    >>> group_words("residence=group_quarters", "m"), group_words("model", "credit").partition(" ")[2]
    ('group quarters (residence)', 'who asks credit')
    >>> group_words("model", "credit", ["3"])
    'requests to credit where the small one says “3”'
    """
    if asked:
        return f"requests to {model} {class_phrase(asked)}"
    title = scope_title(scope)
    return f"{EVERYBODY} who asks {model}" if title.lower() == EVERYBODY else title


def about(number: float) -> str:
    """A number that is an estimate, rounded to two digits from a hundred on.

    >>> about(17.9), about(4321), about(0.2), about(0)
    ('18', '4,300', 'fewer than 1', '0')
    """
    if 0 < number < 0.5:  # noqa: PLR2004 - it would be rounded to none
        return "fewer than 1"
    if number < _EXACT:
        return f"{number:.0f}"
    return f"{float(f'{number:.1e}'):,.0f}"


def compute_time(seconds: float) -> str:
    """Compute time in a unit that people think in.

    >>> compute_time(7560), compute_time(90_000), compute_time(400), compute_time(3.21), compute_time(0)
    ('2.1 hours', '25 hours', '6.7 minutes', '3.2 seconds', 'no time')
    """
    size = abs(seconds)
    if size >= SECONDS_OF_HOUR:
        return _counted(size / SECONDS_OF_HOUR, "hours")
    if size >= _MINUTE:
        return _counted(size / _MINUTE, "minutes")
    if size < 0.05:  # noqa: PLR2004 - it would be rounded to none
        return "under 0.1 seconds" if size else "no time"
    return _counted(size, "seconds")


def _counted(number: float, unit: str) -> str:
    return f"{number:.1f} {unit}" if number < _COARSE else f"{number:,.0f} {unit}"


def about_time(seconds: float) -> str:
    """Compute time that is an estimate.

    >>> about_time(7560), about_time(0.001), about_time(0)
    ('about 2.1 hours', 'under 0.1 seconds', 'no time')
    """
    words = compute_time(seconds)
    return f"about {words}" if words[0].isdigit() else words


def money(amount: float, currency: str) -> str:
    """An amount of money; small ones have as many digits as they need.

    >>> money(12.3456, "EUR"), money(0.00123, "EUR"), money(0, "EUR")
    ('12.35 EUR', '0.0012 EUR', '0 EUR')
    """
    size = abs(amount)
    if size == 0:
        return f"0 {currency}"
    return f"{size:,.2f} {currency}" if size >= SMALLEST_WHOLE else f"{size:.2g} {currency}"


def one_in(limit: float) -> str:
    """A tolerated share as a promise.

    >>> one_in(0.1), one_in(0.07), one_in(0.02), one_in(0.075), one_in(1 / 3), one_in(0.0015)
    ('1 in 10', '7 in 100', '1 in 50', '75 in 1,000', '1 in 3', '15 in 10,000')
    """
    single = round(1 / limit)
    if abs(1 / limit - single) < _NEAR and (single <= _EACH_UP_TO or single % 10 == 0):
        return f"1 in {single:,}"
    whole = next((size for size in (100, 1000, 10_000) if abs(size * limit - round(size * limit)) < _NEAR), 1000)
    return f"{round(whole * limit)} in {whole:,}"


def time_words(seconds: float) -> str:
    """A duration; "under a second" where it is too short to count.

    >>> time_words(0.2), time_words(28)
    ('under a second', '28 seconds')
    """
    return "under a second" if seconds < 0.5 else duration(seconds)  # noqa: PLR2004 - it would be rounded to none


def times(number: int) -> str:
    """How often.

    >>> times(1), times(2), times(5)
    ('once', 'twice', '5 times')
    """
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def range_words(least: str, most: str) -> str:
    """Two ends; a unit that both have stands once.

    >>> range_words("24 seconds", "40 seconds"), range_words("40 seconds", "2 minutes")
    ('24 to 40 seconds', '40 seconds to 2 minutes')
    """
    number, _, unit = least.partition(" ")
    return f"{number} to {most}" if unit and most.endswith(f" {unit}") else f"{least} to {most}"
