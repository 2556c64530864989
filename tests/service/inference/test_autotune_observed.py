"""Observed runs correct the measurements made at start."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.serving.fake_clock import FakeClock
from tightrope.service.inference.autotune import (
    BRIEF_SECONDS,
    LOOP_BAN_SECONDS,
    RUNS_PER_UPDATE,
    SHORT_SECONDS,
    RunProfile,
)


def test_profile_follows_observed_runs() -> None:
    """A size that takes too long leaves the event loop, and returns when it is fast again; other sizes are judged by
    the nearest one observed.
    """
    assert RunProfile().is_short(10**6), "nothing is known yet"
    profile = RunProfile(measured={1: SHORT_SECONDS / 100})
    assert profile.is_short(1)
    assert not profile.is_short(1000)
    for _ in range(2 * RUNS_PER_UPDATE):
        profile.observe(32, 2 * SHORT_SECONDS)
    assert [profile.is_short(rows) for rows in (1, 32, 33, 100)] == [True, False, False, False]
    for _ in range(2 * RUNS_PER_UPDATE):
        profile.observe(32, SHORT_SECONDS / 10)
    assert [profile.is_short(rows) for rows in (1, 32, 33, 100)] == [True, True, True, True]
    assert profile.expected_seconds(64) == pytest.approx(2 * SHORT_SECONDS / 10, rel=0.3)


def test_brief_runs_are_judged_by_the_latest_mean() -> None:
    """Only the caller itself waits for a run without contention."""
    profile = RunProfile(measured={1: BRIEF_SECONDS / 2})
    assert [profile.is_brief(rows) for rows in (1, 4)] == [True, False]
    for _ in range(RUNS_PER_UPDATE):
        profile.observe(1, 2 * BRIEF_SECONDS)
    assert not profile.is_brief(1)


def test_waiting_for_the_interpreter_does_not_move_a_fast_model_to_a_thread() -> None:
    """Nor does it keep the model there: the busier the event loop, the longer a thread waits for the interpreter."""
    profile = RunProfile(measured={1: SHORT_SECONDS / 100})
    for number in range(2 * RUNS_PER_UPDATE):
        profile.observe(1, SHORT_SECONDS / 50 if number % RUNS_PER_UPDATE == 5 else 20 * SHORT_SECONDS)
    assert profile.is_short(1)
    assert profile.expected_seconds(1) > 10 * SHORT_SECONDS


def test_several_threads_may_observe_runs() -> None:
    """The event loop does, and every scrape of the metrics."""
    before = sys.getswitchinterval()
    profile = RunProfile()

    def teach(rows: int) -> None:
        for count in range(5_000):
            profile.observe(1 + (rows + count) % 300, *[0.001] * 9)
            assert profile.expected_seconds(1) >= 0.0

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(teach, range(4)))
    finally:
        sys.setswitchinterval(before)
    assert profile.expected_seconds(1) == pytest.approx(0.001)


def test_wide_row_is_no_short_run_because_narrow_ones_are() -> None:
    """One row of 20,000 numbers is another size than one of 20; it returns to the event loop once it was seen to be
    short there.
    """
    profile = RunProfile(measured={1: SHORT_SECONDS / 20, 32: SHORT_SECONDS / 10}, width=20)
    assert profile.is_short(1)
    assert profile.is_short(32)
    assert not profile.is_short(1, 20_000)
    assert not profile.is_brief(1, 20_000)
    for _ in range(RUNS_PER_UPDATE):
        profile.observe(1, SHORT_SECONDS / 2, elements=20_000)
    assert profile.is_short(1, 20_000)
    assert not profile.is_short(1, 200_000)


def test_many_narrow_rows_tell_nothing_about_one_wide_row() -> None:
    """Although both have as many elements."""
    profile = RunProfile(measured={1: SHORT_SECONDS / 20})
    for _ in range(RUNS_PER_UPDATE):
        profile.observe(4096, SHORT_SECONDS / 2, elements=4096)
    assert profile.is_short(4096, 4096)
    assert not profile.is_short(1, 4096)


def test_rows_that_depend_on_each_other_may_take_their_third_power() -> None:
    """Rows that are proven independent take as many times as long as they are."""
    profile = RunProfile(measured={8: SHORT_SECONDS / 8})
    assert profile.is_short(32)
    profile.batchability.keep_apart("it mixes rows")
    profile.observe(1, *[SHORT_SECONDS / 8] * RUNS_PER_UPDATE)
    assert not profile.is_short(32)


def test_model_that_held_the_event_loop_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a while, and until a size is observed anew: a busy machine may have been the reason."""
    clock = FakeClock()
    monkeypatch.setattr("tightrope.service.inference.autotune.time", clock)
    profile = RunProfile(measured={1: SHORT_SECONDS / 100})
    assert profile.is_short(1)
    profile.leave_loop(LOOP_BAN_SECONDS)
    for seconds, is_short in ((LOOP_BAN_SECONDS - 1, False), (2, True)):
        clock.work(seconds)
        profile.observe(1, *[SHORT_SECONDS / 100] * RUNS_PER_UPDATE)
        assert (profile.is_short(1), profile.is_brief(1)) == (is_short, is_short)


def test_model_may_leave_the_event_loop_for_good() -> None:
    """Later observations do not bring it back."""
    profile = RunProfile(measured={1: SHORT_SECONDS / 100})
    profile.leave_loop()
    profile.observe(1, *[SHORT_SECONDS / 100] * RUNS_PER_UPDATE)
    assert not profile.is_short(1)
    assert not profile.is_brief(1)
