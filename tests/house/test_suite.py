"""`make test` runs a test that failed beside others once more, and says so."""

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.house.sources import ROOT
from tests.support.commands import environment
from tests.support.suite import MOST, FileSeconds, longest_first, may_try_again, read_seconds, write_seconds

ONCE = '''
from pathlib import Path

def test_that_fails_once():
    """It leaves a file behind."""
    file = Path(__file__).with_name("there")
    was_there = file.exists()
    file.touch()
    assert was_there
'''
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Nothing of the plugins is tested here, and schemathesis' and hypothesis' take longer to load than all the rest."""
ALWAYS = 'def test_that_fails_always():\n    """Broken."""\n    assert False\n'


def run(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a folder as the suite."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.support.suite",
            "-p",
            "xdist",
            "-q",
            "-n",
            "2",
            "-c",
            "/dev/null",
            f"--rootdir={folder}",
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment() | {"PYTHONPATH": str(ROOT), **ALONE} | variables,
    )


def test_test_that_passes_alone_is_named_and_fails_nothing(tmp_path: Path) -> None:
    """And without the second run it fails the suite."""
    (tmp_path / "test_once.py").write_text(ONCE)
    assert run(tmp_path, SECOND_TRY="no").returncode == 1
    (tmp_path / "there").unlink()
    ended = run(tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.endswith("these passed only alone:\n  test_once.py::test_that_fails_once\n")


def test_test_that_fails_twice_fails_the_suite(tmp_path: Path) -> None:
    """Beside one that passes alone, too."""
    (tmp_path / "test_once.py").write_text(ONCE)
    (tmp_path / "test_always.py").write_text(ALWAYS)
    ended = run(tmp_path)
    assert ended.returncode == 1
    assert "They fail alone, too." in ended.stdout


def test_file_that_cannot_be_collected_fails_the_suite(tmp_path: Path) -> None:
    """There is no second run: nothing was run."""
    (tmp_path / "test_broken.py").write_text("import no_such_module\n")
    ended = run(tmp_path)
    assert ended.returncode not in (0, 5)
    assert "once more" not in ended.stdout


@pytest.mark.parametrize(
    ("code", "failures", "tries"),
    [(1, 1, 1), (1, MOST, 1), (1, MOST + 1, 0), (2, 1, 0), (1, 0, 0)],
)
def test_second_run_is_for_a_few_failures_of_a_run_that_ended(code: int, failures: int, tries: int) -> None:
    """Many failures are the product's."""
    assert may_try_again(code, ["a"] * failures, {}) == tries


class Item(NamedTuple):
    """A test as far as its order is concerned."""

    nodeid: str


def test_tests_of_the_longest_files_come_first(tmp_path: Path) -> None:
    """All phases count; short files are not recorded, and their tests come last, in their order."""
    files, recorded = FileSeconds(), tmp_path / "seconds.tsv"
    for name, seconds in [("a.py::x", 1.0), ("b.py::x", 30.0), ("c.py::x", 3.0), ("c.py::y[1::2]", 40.0)]:
        report = pytest.TestReport(name, ("", 0, ""), {}, "passed", None, "call", duration=seconds)
        files.pytest_runtest_logreport(report)
    write_seconds(files.seconds, recorded)
    assert read_seconds(recorded) == {"c.py": 43.0, "b.py": 30.0}
    items: Any = [Item(name) for name in ("z.py::1", "a.py::1", "b.py::1", "c.py::1", "b.py::2")]
    longest_first(items, read_seconds(recorded))
    assert [item.nodeid for item in items] == ["c.py::1", "b.py::1", "b.py::2", "z.py::1", "a.py::1"]
    assert read_seconds()
