import logging
import threading
import time
from collections.abc import Callable

import pytest

from tightrope.shadow import loop as module
from tightrope.shadow.loop import Loop, Stepper

SOON = 10.0


class Work:
    """Steps through what lies in ``waiting``; an exception among it is raised, once."""

    def __init__(self, *waiting: int | Exception) -> None:
        self.waiting = list(waiting)
        self.done: list[int] = []
        self.made = 0
        self.patience: list[float] = []

    def make(self, _: threading.Event) -> Stepper:
        """A new stepper on the same work."""
        self.made += 1
        return self

    def step(self, timeout: float) -> int:
        """Do the first that waits."""
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
        """Nothing is held."""


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.01, 0.02, 0.04, 0.3))


def test_loop_steps_with_one_stepper_while_all_is_well() -> None:
    """Nothing is made anew without need; a step waits a little for work."""
    work = Work(*range(50))
    loop = Loop("test", work.make)
    loop.start()
    until(lambda: len(work.done) == 50)
    assert loop.stop(SOON)
    assert (work.done, work.made, loop.failures) == (list(range(50)), 1, 0)
    assert set(work.patience) == {module.PATIENCE, 0.0}


def test_failed_step_is_retried_with_a_new_stepper(caplog: pytest.LogCaptureFixture) -> None:
    """It is counted and logged with its cause, and the work goes on."""
    work = Work(1, ValueError("no luck"), 2, OSError("again"), 3)
    loop = Loop("worker", work.make)
    with caplog.at_level(logging.ERROR):
        loop.start()
        until(lambda: work.done == [1, 2, 3])
    assert loop.stop(SOON)
    assert (work.made, loop.failures) == (3, 2)
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info and record.exc_info[1]] == [
        ("no luck",),
        ("again",),
    ]
    assert all("worker failed" in record.getMessage() for record in caplog.records)


def test_failure_to_make_a_stepper_is_retried_too() -> None:
    """A broken store at start is no reason to give up."""
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
    """The fifth failure in a row waits as long as the fourth; after a success the first pause is short again."""
    pauses: list[float] = []
    loop = Loop("test", Work(*[ValueError(str(n)) for n in range(5)], 1, ValueError("new"), 2).make)
    wait = loop._stopping.wait

    def noted(seconds: float | None = None) -> bool:
        pauses.append(seconds or 0.0)
        return wait(0)

    monkeypatch.setattr(loop._stopping, "wait", noted)
    loop.start()
    until(lambda: loop.failures == 6)
    assert loop.stop(SOON)
    assert pauses == [0.01, 0.02, 0.04, 0.3, 0.3, 0.01]


def test_stop_drains_what_has_arrived() -> None:
    """Everything that waits is done first, without waiting for more, and a failure on the way changes nothing."""
    work = Work(*range(20), ValueError("late"), *range(20, 40))
    loop = Loop("test", work.make)
    loop._drained.set()
    loop.start()
    assert loop.stop(SOON)
    assert (work.done, work.waiting, loop.failures) == (list(range(40)), [], 1)
    assert set(work.patience) == {0.0}


def test_work_that_arrives_with_the_stop_is_done() -> None:
    """A step that found nothing does not end the loop if it began before the stop: something may have come since."""

    class Late(Work):
        def step(self, timeout: float) -> int:
            """Find nothing; by the time that is told, work has arrived, and then the stop."""
            if timeout:
                self.waiting.append(1)
                loop._drained.set()
                return 0
            return super().step(timeout)

        def close(self) -> None:
            """Nothing is held."""

    work = Late()
    loop = Loop("test", work.make)
    loop.start()
    assert loop.stop(SOON)
    assert (work.done, work.made) == ([1], 1)


def test_stop_that_takes_too_long_is_given_up() -> None:
    """The stepper is told to stop waiting; what hangs all the same is reported, not waited for."""
    told, release = [], threading.Event()

    class Stuck:
        def __init__(self, stopping: threading.Event) -> None:
            self.stopping = stopping

        def step(self, timeout: float) -> int:
            """Hang until the test is over."""
            assert timeout >= 0
            release.wait(SOON)
            told.append(self.stopping.is_set())
            return 1

        def close(self) -> None:
            """Nothing is held."""

    loop = Loop("test", Stuck)
    loop.start()
    began = time.monotonic()
    assert not loop.stop(0.05)
    assert time.monotonic() - began < 5
    release.set()
    loop._thread.join(SOON)
    assert not loop._thread.is_alive()
    assert told == [True]


def test_stop_ends_a_pause_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that only fails can be stopped: it does not sit out its pause."""
    monkeypatch.setattr(module, "PAUSES", (60.0,))

    def make(_: threading.Event) -> Stepper:
        raise OSError("never")

    loop = Loop("test", make)
    loop.start()
    until(lambda: loop.failures == 1)
    assert loop.stop(0.05)


def test_leaving_finishes_the_step_and_no_more() -> None:
    """What has arrived besides is for others; what the stepper holds is let go."""
    begun, release, closed = threading.Event(), threading.Event(), threading.Event()

    class Busy:
        def __init__(self, _: threading.Event) -> None:
            self.steps = 0

        def step(self, timeout: float) -> int:
            """One long step; there is always more."""
            assert timeout >= 0
            self.steps += 1
            assert self.steps == 1
            begun.set()
            release.wait(SOON)
            return 1

        def close(self) -> None:
            """Told."""
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
