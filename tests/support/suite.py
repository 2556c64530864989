"""All tests, side by side; the few that fail are run once more with the machine to themselves.

    python -m tests.support.suite [ARGUMENTS OF PYTEST]

A test that fails beside others and passes alone waits for time instead of order: a defect of the test, not of the
product, so the suite names it at its end and passes. What fails twice fails the suite; so does a first run that was
broken off, that could not collect, or in which more than `MOST` tests failed. ``SECOND_TRY=no`` omits the second run.

A file stays on one worker, so the files that take longest start first: otherwise the workers end far apart. What each
took is in `SECONDS`; ``RECORD_SECONDS=yes`` writes it anew after a run in which at most `MOST` tests failed. `make
test-fast` leaves these files out.
"""

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

MOST = 5
"""More failures than these are no accident."""

SECONDS = Path(__file__).with_name("file_seconds.tsv")
"""The seconds that each file of tests took which took more than `SHORT_SECONDS`, and its path from the repository."""
SHORT_SECONDS = 1.0


class Failures:
    """The names of the tests that failed, in order, as a plugin of pytest notes them."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failed test, or one whose fixture failed."""
        if report.failed and report.nodeid not in self.names:
            self.names.append(report.nodeid)


class FileSeconds:
    """The seconds that each file of tests takes, as a plugin of pytest adds them up."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the seconds of a test, of its fixtures, or of their end."""
        self.seconds[report.nodeid.partition("::")[0]] += report.duration


def read_seconds(path: Path = SECONDS) -> dict[str, float]:
    """The recorded seconds by file."""
    lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: float(seconds) for seconds, name in lines}


def write_seconds(seconds: Mapping[str, float], path: Path = SECONDS) -> None:
    """Record the seconds of the files that took long, the longest first."""
    long = sorted(((value, name) for name, value in seconds.items() if value > SHORT_SECONDS), reverse=True)
    path.write_text("".join(f"{value:.0f}\t{name}\n" for value, name in long), encoding="utf-8")


def longest_first(items: list[pytest.Item], seconds: Mapping[str, float]) -> None:
    """Order tests by how long their files took; those of a file, and files not recorded, stay in their order."""
    items.sort(key=lambda item: -seconds.get(item.nodeid.partition("::")[0], 0.0))


def main(arguments: Sequence[str]) -> int:
    """Run all tests; returns the exit code of the suite."""
    failures, files = Failures(), FileSeconds()
    code = int(pytest.main([*arguments], plugins=[failures, files]))
    tries_again = may_try_again(code, failures.names, os.environ)
    if os.environ.get("RECORD_SECONDS") == "yes" and (code == 0 or tries_again):
        write_seconds(files.seconds)
    if not tries_again:
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
