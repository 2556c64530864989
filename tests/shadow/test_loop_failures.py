"""A loop whose steppers fail again and again is failing, whether or not the latest step succeeded."""

import logging
import time

import pytest

from tests.shadow.test_loop import SOON, Work, until
from tests.support.serving.fake_clock import SetClock
from tightrope.service.adapters.ports import NotPermittedError
from tightrope.shadow import loop as module
from tightrope.shadow.loop import FAILING_SECONDS, MAX_REBIRTHS, Loop, RecentFailures


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOP_RETRY_SECONDS", (0.01,))


def test_more_than_three_failures_in_a_minute_are_too_many() -> None:
    """They are counted over all steppers of a loop, and forgotten after a minute."""
    clock = SetClock()
    recent = RecentFailures(clock)
    for _ in range(MAX_REBIRTHS):
        recent.add()
        clock.now += 10
    assert not recent.is_failing()
    recent.add()
    assert recent.is_failing()
    clock.now = FAILING_SECONDS + 1
    assert not recent.is_failing()


def test_failures_with_pauses_between_them_are_none_too_many() -> None:
    """Three in any minute are a bad day, not a judge that cannot work."""
    clock = SetClock()
    recent = RecentFailures(clock)
    for _ in range(20):
        recent.add()
        clock.now += FAILING_SECONDS / MAX_REBIRTHS + 1
        assert not recent.is_failing()


def test_loop_that_fails_again_and_again_does_not_work() -> None:
    """Not even after a step that succeeds: the next record may be the same."""
    work = Work(*[ValueError(str(n)) for n in range(MAX_REBIRTHS + 1)], 1, 2, 3)
    recent = RecentFailures()
    loop = Loop("test", work.make, recent=recent)
    loop.start()
    until(lambda: work.done == [1, 2, 3])
    assert recent.is_failing()
    assert not loop.working
    assert loop.stop(SOON)


def test_missing_permission_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """It has no trace, is not repeated with every attempt, and is not counted as a failure that may come again: the
    loop works as soon as the permission is granted.
    """
    denials = [NotPermittedError("grant it")] * (MAX_REBIRTHS + 1)
    work = Work(*denials, NotPermittedError("and this"), 1)
    loop = Loop("judge", work.make)
    with caplog.at_level(logging.ERROR):
        loop.start()
        until(lambda: work.done == [1])
    assert caplog.messages == ["judge: grant it", "judge: and this"]
    assert [record.exc_info for record in caplog.records] == [None, None]
    assert loop.failures == MAX_REBIRTHS + 2
    until(lambda: loop.working)
    assert loop.stop(SOON)


def test_failing_loop_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for no other attempt: the records stay with the group."""
    monkeypatch.setattr(module, "LOOP_RETRY_SECONDS", (600.0,))
    work = Work(OSError("no luck"), 1)
    loop = Loop("worker", work.make)
    loop.start()
    until(lambda: loop.failures == 1)
    began = time.monotonic()
    assert loop.leave(SOON)
    assert time.monotonic() - began < SOON / 2
    assert (work.done, loop.failures) == ([], 1)
