"""All tests, side by side; the few that fail are run once more with the machine to themselves.

    python -m tests.support.suite [ARGUMENTS OF PYTEST]

A test that fails beside others and passes alone waits for time instead of order: a defect of the test, not of the
product, so the suite names it at its end and passes. What fails twice fails the suite; so does a first run that was
broken off, that could not collect, or in which more than `MOST` tests failed. ``SECOND_TRY=no`` omits the second run.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

MOST = 5
"""More failures than these are no accident."""


class Failures:
    """The names of the tests that failed, in order, as a plugin of pytest notes them."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failed test, or one whose fixture failed."""
        if report.failed and report.nodeid not in self.names:
            self.names.append(report.nodeid)


def main(arguments: Sequence[str]) -> int:
    """Run all tests; returns the exit code of the suite."""
    failures = Failures()
    code = int(pytest.main([*arguments], plugins=[failures]))
    if not may_try_again(code, failures.names, os.environ):
        return code
    tell("\nThese tests failed beside others; each is run once more, alone:", *failures.names)
    again = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *failures.names], check=False)
    if again.returncode:
        tell("They fail alone, too.")
        return again.returncode
    tell("DEFECTS OF TESTS, to be mended: these passed only alone:", *failures.names)
    return 0


def tell(heading: str, *names: str) -> None:
    """Print a heading and names below it."""
    sys.stdout.write("\n  ".join([heading, *names]) + "\n")
    sys.stdout.flush()


def may_try_again(code: int, failed: Sequence[str], environment: os._Environ[str] | dict[str, str]) -> bool:
    """Whether a first run with this exit code may be an accident: it ended, and only a few tests failed."""
    ended_with_failures = code == pytest.ExitCode.TESTS_FAILED
    return ended_with_failures and 0 < len(failed) <= MOST and environment.get("SECOND_TRY") != "no"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
