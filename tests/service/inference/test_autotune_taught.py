"""What runs took corrects what was tried at start."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tightrope.service.inference.autotune import BRIEF, RUNS, SHORT, Pace


def test_pace_follows_what_runs_take() -> None:
    """A size that takes too long leaves the event loop, and comes back when it is quick again; others are judged by the
    nearest size that is known.
    """
    assert Pace().is_short(10**6), "nothing is known yet"
    pace = Pace(tried={1: SHORT / 100})
    assert pace.is_short(1)
    assert not pace.is_short(1000)
    for _ in range(2 * RUNS):
        pace.took(32, 2 * SHORT)
    assert [pace.is_short(rows) for rows in (1, 32, 33, 100)] == [True, False, False, False]
    for _ in range(2 * RUNS):
        pace.took(32, SHORT / 10)
    assert [pace.is_short(rows) for rows in (1, 32, 33, 100)] == [True, True, True, True]
    assert pace.takes(64) == pytest.approx(2 * SHORT / 10, rel=0.3)


def test_brief_is_what_was_quick_of_late() -> None:
    """On the average: a caller who is alone is held up by nobody else."""
    pace = Pace(tried={1: BRIEF / 2})
    assert [pace.is_brief(rows) for rows in (1, 4)] == [True, False]
    for _ in range(RUNS):
        pace.took(1, 2 * BRIEF)
    assert not pace.is_brief(1)


def test_waiting_for_the_interpreter_does_not_send_a_quick_model_into_a_thread() -> None:
    """Nor keep it there: the busier the event loop, the longer a thread waits for it."""
    pace = Pace(tried={1: SHORT / 100})
    for number in range(2 * RUNS):
        pace.took(1, SHORT / 50 if number % RUNS == 5 else 20 * SHORT)
    assert pace.is_short(1)
    assert pace.takes(1) > 10 * SHORT


def test_several_threads_may_teach_it() -> None:
    """Runs are counted by the event loop, and by whoever looks at the metrics."""
    before = sys.getswitchinterval()
    pace = Pace()

    def teach(rows: int) -> None:
        for count in range(5_000):
            pace.took(1 + (rows + count) % 300, *[0.001] * 9)
            assert pace.takes(1) >= 0.0

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(teach, range(4)))
    finally:
        sys.setswitchinterval(before)
    assert pace.takes(1) == pytest.approx(0.001)
