"""Words of people: every monitor has its own, and each rate comes with its range and its limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.verdict import Interval
from tightrope.service.api.overview.phrases import MONITOR_TITLES, duration, finding, joined, oriented, percent, spread

NAMES = [getattr(each, "name", each) for each in CATALOGUE]
LESS = Interval(mean=-0.2, lower=-0.3, upper=0.1, rows=90)


@pytest.mark.parametrize("monitor", NAMES)
def test_every_monitor_has_words(monitor: str) -> None:
    """A title, and a clause with the rate, its range and its limit; no name of the program is in it."""
    assert monitor in MONITOR_TITLES
    text = finding(monitor, "class 1", LESS, 0.1)
    assert "20 % (0 to 30 %)" in text
    assert text.endswith(", 10 % tolerated")
    assert "_" not in text


def test_direction_of_a_mean_is_said() -> None:
    """A negative one is less."""
    assert finding("confidence", "", LESS, 0.04).startswith("the small model is less sure by 20 %")
    more = Interval(mean=0.2, lower=0.1, upper=0.3, rows=90)
    assert finding("mix", "yes", more, 0.04).startswith("the small model says “yes” more often, by 20 % (10 to 30 %)")
    assert finding("disagreement", "", None, 0.1) == "nothing compared yet"


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1))
def test_range_holds_the_rate_on_its_side_of_zero(mean: float, below: float, above: float) -> None:
    """Its ends are never negative, and the rate lies between them."""
    size, lower, upper = oriented(Interval(mean, mean - below, mean + above, 10))
    assert 0 <= lower <= size <= upper


def test_small_shares_are_not_nothing() -> None:
    """A share above zero is never shown as zero."""
    assert percent(0.0004) == "under 0.1 %"
    assert spread(Interval(0.0004, 0.0, 0.002, 9)) == "0 to 0.2 %"
    assert [duration(each) for each in (1, 89, 90, 5399, 5400, 172_800)] == [
        "1 second",
        "89 seconds",
        "1 minute",
        "89 minutes",
        "1 hour",
        "2 days",
    ]
    assert joined(["a"]) == "a"
