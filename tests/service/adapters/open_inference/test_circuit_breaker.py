"""Calls to an unreachable server fail at once, and only a thread probes it."""

import logging
import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.support.serving.service_harness import eventually
from tightrope.service.adapters.open_inference.circuit_breaker import CircuitBreaker
from tightrope.service.adapters.ports import UnreachableError


def passes(breaker: CircuitBreaker) -> bool:
    """Whether a call passes."""
    try:
        breaker.check()
    except UnreachableError:
        return False
    return True


def failing_probe() -> None:
    """A failing probe."""
    raise UnreachableError("nobody home")


def open_breaker(probe: Callable[[], None] = failing_probe, pause: float = 0.01) -> CircuitBreaker:
    """A breaker that is open after three failures."""
    breaker = CircuitBreaker("far", probe, 3, pause)
    for _ in range(3):
        assert passes(breaker)
        breaker.record_failure("refused")
    return breaker


def test_calls_are_refused_after_failures_in_a_row() -> None:
    """The error has the reason of the last failure."""
    breaker = open_breaker(pause=60.0)
    with pytest.raises(UnreachableError, match="unreachable: refused"):
        breaker.check()


def test_success_in_between_counts_from_the_start() -> None:
    """A success resets the count."""
    breaker = CircuitBreaker("far", failing_probe, 3, 60.0)
    for _ in range(10):
        breaker.record_failure("slow")
        breaker.record_failure("slow")
        breaker.record_success()
    assert passes(breaker)


def test_callers_do_not_wait_for_the_probe() -> None:
    """A slow probe delays no caller, and only one runs at a time."""
    begun, go_on = [], threading.Event()

    def slow() -> None:
        begun.append(threading.current_thread())
        assert go_on.wait(10.0)

    breaker = open_breaker(slow, pause=0.0)
    began = time.monotonic()
    assert not any(passes(breaker) for _ in range(100))
    assert time.monotonic() - began < 5.0
    eventually(lambda: begun)
    assert len(begun) == 1
    assert begun[0] is not threading.current_thread()
    go_on.set()
    eventually(lambda: passes(breaker))


def test_probe_respects_the_pause() -> None:
    """A recovering server is not flooded with probes; the newest reason is reported."""
    seen: list[float] = []

    def probe() -> None:
        seen.append(time.monotonic())
        raise UnreachableError("still nobody")

    breaker = open_breaker(probe, pause=0.1)
    eventually(lambda: not passes(breaker) and len(seen) >= 3)
    assert min(later - earlier for earlier, later in pairwise(seen)) >= 0.1
    with pytest.raises(UnreachableError, match="unreachable: still nobody"):
        breaker.check()


def test_no_probe_runs_without_calls() -> None:
    """Without calls no probe is started."""
    probes: list[int] = []
    breaker = open_breaker(lambda: probes.append(1), pause=0.0)
    threads = {*threading.enumerate()}
    time.sleep(0.1)
    assert (probes, {*threading.enumerate()} - threads) == ([], set())
    eventually(lambda: passes(breaker))
    assert probes == [1]


def test_opened_breaker_refuses_from_the_start() -> None:
    """A server that is unreachable at the start."""
    breaker = CircuitBreaker("far", failing_probe, 3, 60.0)
    breaker.open("not started yet")
    assert breaker.open_reason == "not started yet"
    assert not passes(breaker)


def test_outage_and_return_are_logged_once_each(caplog: pytest.LogCaptureFixture) -> None:
    """The number of calls and probes does not matter."""
    here = threading.Event()

    def probe() -> None:
        if not here.is_set():
            failing_probe()

    with caplog.at_level(logging.WARNING):
        breaker = open_breaker(probe, pause=0.01)
        breaker.record_failure("one that was on its way")
        for _ in range(20):
            passes(breaker)
            time.sleep(0.01)
        here.set()
        eventually(lambda: passes(breaker))
    assert [record.getMessage() for record in caplog.records] == ["far is unreachable: refused", "far is back"]
