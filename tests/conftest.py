"""Rules for every test: in CI no test may be skipped, `--fast` leaves out the tests that start processes and the files
that take long, the longest files come first, and all tests that need a broker share one.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.support.cluster.kafka_buses import ExternalBroker
    from tightrope.demo.broker import Broker


# A shell ignores Ctrl-C for its background jobs, and the programs started here would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The time of one example depends on the machine, not on the program.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


STARTERS = frozenset({"server", "kafka", "log"})
"""Fixtures that start a process."""

WHOLES = frozenset({"tightrope.demo.broker", "tightrope.wiring.embedded"})
"""Modules that start a broker, or all parts of the service in one process."""


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Leave the log as it was: a command that runs in this process sets it up for itself."""
    root, own = logging.getLogger(), logging.getLogger("tightrope")
    before = root.level, own.level, [*root.handlers]
    yield
    root.setLevel(before[0])
    own.setLevel(before[1])
    root.handlers[:] = before[2]


WATCHES = frozenset({"chain-watch", "record-watch", "reporter"})
"""Threads of a whole service that log where its state is closed."""


@pytest.fixture(scope="module", autouse=True)
def _no_watch_left() -> Iterator[None]:
    """Fail a file that leaves a watch behind: it would log in the tests of other files."""
    yield
    left = WATCHES & {thread.name for thread in threading.enumerate()}
    assert not left, f"stop the whole service: {sorted(left)} still run"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--fast`."""
    parser.addoption(
        "--fast", action="store_true", help="leave out tests that start processes, and files that take long"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `--fast`, leave out the files that take long; they are not even imported."""
    return True if config.getoption("--fast") and collection_path in _long_files(config.rootpath) else None


@cache
def _long_files(root: Path) -> frozenset[Path]:
    from tests.support.suite import read_seconds

    return frozenset(root / name for name in read_seconds())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--fast`, deselect each test whose module or fixtures start processes or a whole service. Beside other
    workers the tests of the files that take longest come first.
    """
    if hasattr(config, "workerinput"):
        from tests.support.suite import longest_first, read_seconds

        longest_first(items, read_seconds())
    if not config.getoption("--fast"):
        return
    slow = [item for item in items if _starts_processes(item)]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in {*slow}]


def _starts_processes(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    chosen = {str(value) for value in getattr(getattr(item, "callspec", None), "params", {}).values()}
    if not STARTERS.isdisjoint(fixtures) or not STARTERS.isdisjoint(chosen):
        return True
    return _needs_subprocess(item.getparent(pytest.Module).obj)  # type: ignore[union-attr]


@cache
def _needs_subprocess(module: ModuleType) -> bool:
    """Whether a module of the tests imports `subprocess`, one of `WHOLES`, or a helper that does."""
    values = list(vars(module).values())
    if any(value is subprocess for value in values):
        return True
    names = {getattr(value, "__module__", None) or getattr(value, "__name__", None) for value in values}
    if not WHOLES.isdisjoint(names):
        return True
    helpers = [sys.modules[name] for name in names if isinstance(name, str) and name.startswith("tests.")]
    return any(_needs_subprocess(helper) for helper in helpers if helper is not module)


def _forbid(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure that names its reason, where the environment says that this is CI."""
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"In CI nothing may be skipped, but {report.nodeid} was: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skipped itself, or that its marker or fixture skipped."""
    report = yield
    _forbid(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a file that skipped all its tests because a library is missing."""
    report = yield
    _forbid(report)
    return report


@pytest.fixture(scope="session")
def kafka() -> Iterator["Broker | ExternalBroker"]:
    """Apache Kafka itself, shared by all tests that leave it as it was."""
    from tests.support.cluster.kafka_buses import real_kafka

    with real_kafka() as running:
        yield running
