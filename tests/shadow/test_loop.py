import logging
import threading
import time
from collections.abc import Callable

import pytest

from tightrope.shadow import loop as module
from tightrope.shadow.loop import Loop, Stepper

SOON = 10.0


class Work:
    """A stepper that works off ``waiting``; an exception in the list is raised once."""

    def __init__(self, *waiting: int | Exception) -> None:
        self.waiting = list(waiting)
        self.done: list[int] = []
        self.made = 0
        self.patience: list[float] = []

    def make(self, _: threading.Event) -> Stepper:
        """Return this object, and count the calls."""
        self.made += 1
        return self

    def step(self, timeout: float) -> int:
        """Process the first item."""
        self.patience.append(timeout)
        if not self.waiting:
            time.sleep(0.001)
            return 0
        item = self.waiting.pop(0)
        if isinstance(item, Exception):
            raise item
        self.done.append(item)
        return 1

    def close(self) -> None:
        """Do nothing."""


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOP_RETRY_SECONDS", (0.01, 0.02, 0.04, 0.3))


def test_loop_keeps_one_stepper_without_failures() -> None:
    """Each step waits `STEP_TIMEOUT_SECONDS` for work."""
    work = Work(*range(50))
    loop = Loop("test", work.make)
    loop.start()
    until(lambda: len(work.done) == 50)
    assert loop.stop(SOON)
    assert (work.done, work.made, loop.failures) == (list(range(50)), 1, 0)
    assert set(work.patience) == {module.STEP_TIMEOUT_SECONDS, 0.0}


def test_failed_step_is_retried_with_a_new_stepper(caplog: pytest.LogCaptureFixture) -> None:
    """The failure is counted and logged with its cause, and the work continues."""
    work = Work(1, ValueError("no luck"), 2, OSError("again"), 3)
    reported: list[int] = []
    loop = Loop("worker", work.make, lambda: reported.append(loop.failures))
    with caplog.at_level(logging.ERROR):
        loop.start()
        until(lambda: work.done == [1, 2, 3])
    assert loop.stop(SOON)
    assert (work.made, loop.failures, reported) == (3, 2, [1, 2])
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info and record.exc_info[1]] == [
        ("no luck",),
        ("again",),
    ]
    assert all("worker failed" in record.getMessage() for record in caplog.records)


def test_failure_to_make_a_stepper_is_retried_too() -> None:
    """A store that cannot be opened at the start does not end the loop."""
    work, failing = Work(7), [OSError("not yet"), OSError("nor now")]

    def make(stopping: threading.Event) -> Stepper:
        if failing:
            raise failing.pop()
        return work.make(stopping)

    loop = Loop("test", make)
    loop.start()
    until(lambda: work.done == [7])
    assert loop.stop(SOON)
    assert loop.failures == 2


def test_pauses_grow_and_a_success_resets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fifth failure in a row waits as long as the fourth; after a success the pause is the first one again."""
    pauses: list[float] = []
    loop = Loop("test", Work(*[ValueError(str(n)) for n in range(5)], 1, ValueError("new"), 2).make)
    wait = loop._leaving.wait

    def noted(seconds: float | None = None) -> bool:
        pauses.append(seconds or 0.0)
        return wait(0)

    monkeypatch.setattr(loop._leaving, "wait", noted)
    loop.start()
    until(lambda: loop.failures == 6)
    assert loop.stop(SOON)
    assert pauses == [0.01, 0.02, 0.04, 0.3, 0.3, 0.01]


def test_stop_drains_the_work_that_has_arrived() -> None:
    """It does not wait for more, and a failure on the way changes nothing."""
    work = Work(*range(20), ValueError("late"), *range(20, 40))
    loop = Loop("test", work.make)
    loop._drained.set()
    loop.start()
    assert loop.stop(SOON)
    assert (work.done, work.waiting, loop.failures) == (list(range(40)), [], 1)
    assert set(work.patience) == {0.0}


def test_work_that_arrives_with_the_stop_is_done() -> None:
    """An empty step that began before the stop does not end the loop: work may have arrived since."""

    class Late(Work):
        def step(self, timeout: float) -> int:
            """Find nothing at first, while work and the stop arrive."""
            if timeout:
                self.waiting.append(1)
                loop._drained.set()
                return 0
            return super().step(timeout)

        def close(self) -> None:
            """Do nothing."""

    work = Late()
    loop = Loop("test", work.make)
    loop.start()
    assert loop.stop(SOON)
    assert (work.done, work.made) == ([1], 1)


def test_stop_returns_false_after_its_timeout() -> None:
    """The event `stopping` is set, and a stepper that hangs is reported."""
    reported, release = [], threading.Event()

    class Stuck:
        def __init__(self, stopping: threading.Event) -> None:
            self.stopping = stopping

        def step(self, timeout: float) -> int:
            """Hang until the test ends."""
            assert timeout >= 0
            release.wait(SOON)
            reported.append(self.stopping.is_set())
            return 1

        def close(self) -> None:
            """Do nothing."""

    loop = Loop("test", Stuck)
    loop.start()
    began = time.monotonic()
    assert not loop.stop(0.05)
    assert time.monotonic() - began < 5
    release.set()
    loop._thread.join(SOON)
    assert not loop._thread.is_alive()
    assert reported == [True]


def test_stop_ends_a_pause_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that only fails stops without waiting for the end of its pause."""
    monkeypatch.setattr(module, "LOOP_RETRY_SECONDS", (60.0,))

    def make(_: threading.Event) -> Stepper:
        raise OSError("never")

    loop = Loop("test", make)
    loop.start()
    until(lambda: loop.failures == 1)
    assert loop.stop(0.05)


def test_leaving_finishes_the_step_and_no_more() -> None:
    """Other records that have arrived are left to the group; the stepper is closed."""
    begun, release, closed = threading.Event(), threading.Event(), threading.Event()

    class Busy:
        def __init__(self, _: threading.Event) -> None:
            self.steps = 0

        def step(self, timeout: float) -> int:
            """Take one long step; more work always waits."""
            assert timeout >= 0
            self.steps += 1
            assert self.steps == 1
            begun.set()
            release.wait(SOON)
            return 1

        def close(self) -> None:
            """Note the call."""
            closed.set()

    loop = Loop("test", Busy)
    assert not loop.working
    loop.start()
    assert begun.wait(SOON)
    threading.Timer(0.05, release.set).start()
    assert loop.leave(SOON)
    assert closed.is_set()
    assert not loop.alive
    assert loop.failures == 0
