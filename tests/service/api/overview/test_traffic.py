"""Requests a second are those of the last half minute, and unknown until there are two moments."""

from tightrope.service.api.overview.traffic import TrafficWindow


def test_rates_are_those_of_the_window() -> None:
    """Moments before it are forgotten; with a single one the rate is not known."""
    window = TrafficWindow()
    counted = {second: {"rows": {("m", "baseline"): 10.0 * second}} for second in range(100)}
    assert window.observe(counted[0], 0.0).per_second("rows", "m", "baseline") is None
    for second in range(1, 50):
        rates = window.observe(counted[second], float(second))
    assert rates.per_second("rows", "m", "baseline") == 10.0
    assert rates.seconds == 30.0
    assert rates.total("rows", "m", "baseline") == 490.0
    assert rates.per_second("rows", "m", "compressed") == 0.0


def test_counter_that_began_anew_has_no_negative_rate() -> None:
    """After another process took its place."""
    window = TrafficWindow()
    window.observe({"rows": {("m",): 9.0}}, 0.0)
    assert window.observe({"rows": {("m",): 1.0}}, 5.0).per_second("rows", "m") == 0.0


def test_long_pause_leaves_the_rate_over_it() -> None:
    """There is no nearer moment to compare with."""
    window = TrafficWindow()
    window.observe({"rows": {("m",): 0.0}}, 0.0)
    assert window.observe({"rows": {("m",): 600.0}}, 600.0).per_second("rows", "m") == 1.0
