import threading
from collections.abc import Callable

import pytest

from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.shadow.intake.gathering import (
    BUSY_POLL_SECONDS,
    GATHER_SECONDS,
    JUDGE_POLL_RECORDS,
    MAX_GATHER_SECONDS,
    GatheredPolls,
)


class SteppedPause(threading.Event):
    """A clock that only moves when it is waited for; ``during`` happens in each pause."""

    def __init__(self, during: Callable[[], None]) -> None:
        super().__init__()
        self.now = 0.0
        self._during = during

    def wait(self, timeout: float | None = None) -> bool:
        """Let the time pass at once."""
        self.now += timeout or 0.0
        self._during()
        return False


class World:
    """Polls of a bus to which ``arriving`` records come in each pause."""

    def __init__(self, arriving: int = 0) -> None:
        self.arriving = arriving
        self.bus = MemoryBus()
        self.pause = SteppedPause(lambda: self.publish(self.arriving))
        self._polls = GatheredPolls(self.bus.subscribe("t", group="g"), self.pause, lambda: self.pause.now)

    def publish(self, number: int) -> None:
        """Publish records."""
        for _ in range(number):
            self.bus.publish("t", b"x")

    def poll(self, timeout: float, *, has_work: bool = False) -> int:
        """The number of records of one poll."""
        return len(self._polls.poll(timeout, has_work=has_work))


def test_records_that_come_one_after_another_are_one_round() -> None:
    """The first is polled at once, those within the pause after it together."""
    world = World(arriving=5)
    world.publish(1)
    assert (world.poll(1.0), world.pause.now) == (1, 0.0)
    assert (world.poll(1.0), world.pause.now) == (5, GATHER_SECONDS)


def test_record_after_a_quiet_time_is_polled_at_once() -> None:
    """The pause is counted from the round before."""
    world = World()
    world.publish(1)
    world.poll(1.0)
    assert world.poll(0.0) == 0
    world.pause.now += GATHER_SECONDS
    before = world.pause.now
    world.publish(1)
    assert (world.poll(1.0), world.pause.now) == (1, before)


@pytest.mark.parametrize(("seconds", "paused"), [(0.001, GATHER_SECONDS), (0.015, 0.15), (0.1, MAX_GATHER_SECONDS)])
def test_rounds_with_few_records_take_a_tenth_of_the_time(seconds: float, paused: float) -> None:
    """The longer a round takes, the more records the next one has, but it waits a quarter of a second at most."""
    world = World(arriving=5)
    world.publish(1)
    world.poll(1.0)
    world.pause.now += seconds
    assert (world.poll(1.0), world.pause.now) == (5, pytest.approx(paused))


def test_judge_that_is_behind_makes_no_pause() -> None:
    """After a large round the next one follows at once."""
    world = World()
    world.publish(3 * JUDGE_POLL_RECORDS)
    assert [world.poll(1.0) for _ in range(3)] == [JUDGE_POLL_RECORDS] * 3
    assert world.pause.now == 0.0


@pytest.mark.parametrize(("timeout", "has_work", "paused"), [(0.0, False, 0.0), (1.0, True, BUSY_POLL_SECONDS)])
def test_pause_is_no_longer_than_the_poll(timeout: float, has_work: bool, paused: float) -> None:  # noqa: FBT001
    """A judge that ends, or has other work, does not wait for more."""
    world = World()
    world.publish(1)
    world.poll(1.0)
    world.publish(1)
    assert (world.poll(timeout, has_work=has_work), world.pause.now) == (1, paused)
