"""Words of figures: nothing is rounded to none, and units are those of people."""

import pytest

from tightrope.service.api.week.iso_week import Week
from tightrope.service.api.week.words import (
    about,
    compute_time,
    money,
    one_in,
    range_words,
    span_words,
    time_words,
    times,
)


def test_small_figures_are_not_said_to_be_none() -> None:
    """None is said of 0 alone."""
    assert (about(0.3), compute_time(0.01), time_words(0.1)) == ("fewer than 1", "under 0.1 seconds", "under a second")
    assert (about(0.0), compute_time(0.0), money(0.0, "EUR")) == ("0", "no time", "0 EUR")


def test_time_that_was_lost_has_the_size_of_one_that_was_saved() -> None:
    """The sentence around it says which it is."""
    assert compute_time(-7200) == compute_time(7200) == "2.0 hours"
    assert money(-2, "EUR") == "2.00 EUR"


@pytest.mark.parametrize("limit", [0.001, 0.004, 0.015, 0.05, 0.1, 0.2, 0.25, 0.5])
def test_promise_has_the_limit_itself(limit: float) -> None:
    """The two numbers of the words give it back."""
    part, whole = (float(word.replace(",", "")) for word in one_in(limit).split(" in "))
    assert part / whole == pytest.approx(limit)


def test_span_over_the_end_of_a_year_has_both_years() -> None:
    """And ranges name a common unit once."""
    week = Week.parse("2026-W53")
    assert span_words(week.first, week.last) == "28 December 2026 to 3 January 2027"
    assert range_words("under a second", "2 minutes") == "under a second to 2 minutes"
    assert [times(number) for number in (1, 2, 3)] == ["once", "twice", "3 times"]
