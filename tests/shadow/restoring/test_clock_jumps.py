"""Records with times in the future: they count as now, and people are told once an hour."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource
from tightrope.monitors.records import Order, Traffic
from tightrope.shadow.restoring.clock_jumps import (
    CLOCK_AHEAD,
    CLOCK_REPEAT_SECONDS,
    CLOCK_TOLERANCE_SECONDS,
    ClockJumps,
    at_most_now,
)

NOW = 1_000_000.0


def test_row_of_a_clock_ahead_counts_as_now() -> None:
    """Other rows of its batch keep their times."""
    rows = RowSource(time=NOW - 3).rows(4)
    rows.time[2] = NOW + 500
    timed, ahead = at_most_now(rows, NOW)
    assert (timed.time - NOW).tolist() == [-3.0, -2.0, 0.0, 0.0]
    assert ahead == 500.0


@pytest.mark.parametrize("ahead", [-1e9, 0.0, CLOCK_TOLERANCE_SECONDS])
def test_past_and_small_differences_are_left(ahead: float) -> None:
    """Hosts' clocks differ a little."""
    rows = RowSource(time=NOW + ahead).rows(1)
    order = Order("o", NOW + ahead, "m", "model", "release", "ann", "")
    assert at_most_now(rows, NOW) == (rows, 0.0)
    assert at_most_now(order, NOW) == (order, 0.0)


def test_notice_of_a_clock_ahead_is_shifted() -> None:
    """Its duration is kept."""
    assert at_most_now(Traffic("m", NOW + 500, 7, NOW + 490), NOW) == (Traffic("m", NOW, 7, NOW - 10), 500.0)


def test_order_of_a_clock_ahead_is_given_now() -> None:
    """Its dwell begins now."""
    timed, ahead = at_most_now(Order("o", NOW + 500, "m", "model", "release", "ann", ""), NOW)
    assert (timed.time, ahead) == (NOW, 500.0)


def test_empty_batch_has_no_time() -> None:
    """It is returned as it is."""
    rows = RowSource().rows(4).take(np.zeros(4, dtype=bool))
    assert at_most_now(rows, NOW) == (rows, 0.0)


def test_people_are_told_once_an_hour() -> None:
    """For each model, by an event."""
    time = [0.0]
    jumps = ClockJumps(lambda: time[0])
    (event,) = jumps.events({"m": 500.2}, NOW)
    assert (event.kind, event.model, event.time) == (CLOCK_AHEAD, "m", NOW)
    assert event.reason == "times up to 500 s in the future count as now: a clock is, or was, ahead"
    assert jumps.events({"m": 900.0}, NOW + 1) == []
    assert [event.model for event in jumps.events({"n": 900.0}, NOW + 1)] == ["n"]
    time[0] += CLOCK_REPEAT_SECONDS
    assert len(jumps.events({"m": 900.0}, NOW + CLOCK_REPEAT_SECONDS)) == 1
    assert jumps.events({}, NOW) == []
