"""For all tests: in continuous integration nothing may be skipped, because there everything is installed. And one real
broker for all that need one.
"""

import os
import signal
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.support.cluster.kafka_buses import Elsewhere
    from tightrope.demo.broker import Broker


# A shell that starts this in the background has Ctrl-C ignored, and so would every program that is ended by it here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes, or its making, says something of the machine, not of the program.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def _forbid(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure that names its reason, where the environment says that this is CI."""
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"In CI nothing may be skipped, but {report.nodeid} was: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that skipped itself, or whose marker or fixture did."""
    report = yield
    _forbid(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A file that skipped all its tests, because a library is missing."""
    report = yield
    _forbid(report)
    return report


@pytest.fixture(scope="session")
def kafka() -> Iterator["Broker | Elsewhere"]:
    """Apache Kafka itself, one for all tests that leave it as it was."""
    from tests.support.cluster.kafka_buses import real

    with real() as running:
        yield running
