"""Nobody waits for what is not there, and nobody but a thread of its own looks whether it is back."""

import logging
import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.support.serving.service_harness import eventually
from tightrope.service.adapters.open_inference.circuit_breaker import Breaker
from tightrope.service.adapters.ports import UnreachableError


def passes(breaker: Breaker) -> bool:
    """Whether a call goes through."""
    try:
        breaker.check()
    except UnreachableError:
        return False
    return True


def gone() -> None:
    """A probe that finds nobody."""
    raise UnreachableError("nobody home")


def broken(probe: Callable[[], None] = gone, pause: float = 0.01) -> Breaker:
    """A breaker after three failures."""
    breaker = Breaker("far", probe, 3, pause)
    for _ in range(3):
        assert passes(breaker)
        breaker.failed("refused")
    return breaker


def test_calls_are_refused_after_failures_in_a_row() -> None:
    """With the reason of the last one."""
    breaker = broken(pause=60.0)
    with pytest.raises(UnreachableError, match="away: refused"):
        breaker.check()


def test_success_in_between_counts_from_the_start() -> None:
    """Now and then a failure is no outage."""
    breaker = Breaker("far", gone, 3, 60.0)
    for _ in range(10):
        breaker.failed("slow")
        breaker.failed("slow")
        breaker.succeeded()
    assert passes(breaker)


def test_callers_do_not_wait_for_the_probe() -> None:
    """It may take as long as it likes, and there is one at a time."""
    begun, go_on = [], threading.Event()

    def slow() -> None:
        begun.append(threading.current_thread())
        assert go_on.wait(10.0)

    breaker = broken(slow, pause=0.0)
    began = time.monotonic()
    assert not any(passes(breaker) for _ in range(100))
    assert time.monotonic() - began < 5.0
    eventually(lambda: begun)
    assert len(begun) == 1
    assert begun[0] is not threading.current_thread()
    go_on.set()
    eventually(lambda: passes(breaker))


def test_probe_is_not_run_more_often_than_asked_for() -> None:
    """Whoever comes back is not overrun by those who look for it; the newest reason is told."""
    seen: list[float] = []

    def look() -> None:
        seen.append(time.monotonic())
        raise UnreachableError("still nobody")

    breaker = broken(look, pause=0.1)
    eventually(lambda: not passes(breaker) and len(seen) >= 3)
    assert min(later - earlier for earlier, later in pairwise(seen)) >= 0.1
    with pytest.raises(UnreachableError, match="away: still nobody"):
        breaker.check()


def test_nobody_looks_where_nobody_asks() -> None:
    """A model that nobody calls costs nothing, however long it is away."""
    looked: list[int] = []
    breaker = broken(lambda: looked.append(1), pause=0.0)
    threads = threading.active_count()
    time.sleep(0.1)
    assert (looked, threading.active_count()) == ([], threads)
    eventually(lambda: passes(breaker))
    assert looked == [1]


def test_what_is_known_to_be_away_is_refused_from_the_start() -> None:
    """A server that was not there at start."""
    breaker = Breaker("far", gone, 3, 60.0)
    breaker.leave("not started yet")
    assert breaker.away == "not started yet"
    assert not passes(breaker)


def test_absence_and_return_are_told_once_each(caplog: pytest.LogCaptureFixture) -> None:
    """However many ask meanwhile, and however often it is looked for."""
    here = threading.Event()

    def look() -> None:
        if not here.is_set():
            gone()

    with caplog.at_level(logging.WARNING):
        breaker = broken(look, pause=0.01)
        breaker.failed("one that was on its way")
        for _ in range(20):
            passes(breaker)
            time.sleep(0.01)
        here.set()
        eventually(lambda: passes(breaker))
    assert [record.getMessage() for record in caplog.records] == ["far is away: refused", "far is back"]
