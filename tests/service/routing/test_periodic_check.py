"""A check in a thread goes on after every error, until it is stopped."""

import pytest

from tests.support.serving.service_harness import eventually
from tightrope.service.routing.periodic_check import PeriodicCheck


def test_thread_outlives_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """It checks until it is stopped: a watch that ends unseen is no watch."""
    checks: list[int] = []

    def fails() -> None:
        checks.append(1)
        raise RuntimeError("a mistake of ours")

    periodic = PeriodicCheck("a watch", 0.001, fails)
    periodic.start()
    eventually(lambda: len(checks) > 2)
    periodic.stop(10.0)
    assert "a mistake of ours" in caplog.text
    assert "a watch: a check failed" in caplog.text
    assert not periodic.alive


def test_stop_of_a_check_that_was_not_started_returns() -> None:
    """A gateway that fails at its start stops all parts."""
    PeriodicCheck("a watch", 0.001, lambda: None).stop(1.0)
