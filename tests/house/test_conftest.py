import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tests.support.commands import environment
from tests.support.suite import read_seconds

TESTS = '''
import pytest

@pytest.fixture
def broker():
    pytest.skip("no broker is listening")

def test_that_needs_a_broker(broker):
    """Skipped by a fixture."""

@pytest.mark.skip(reason="not on this machine")
def test_that_is_marked():
    """Skipped by a marker."""

def test_that_needs_a_library():
    """Skipped by itself."""
    pytest.importorskip("no_such_library")

@pytest.mark.xfail(reason="known", strict=True)
def test_that_is_known_to_fail():
    """No skip."""
    assert False

def test_that_passes():
    """Sound."""
'''
WHOLE = 'import pytest\npytest.importorskip("no_such_library")\n\ndef test_nothing():\n    """Never collected."""\n'


def run(folder: Path, ci: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a folder under this project's conftest, with CI set or not."""
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    inherited = {name: value for name, value in environment().items() if name != "CI"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *arguments, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=inherited
        | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
        | ({} if ci is None else {"CI": ci}),
    )


def test_skip_fails_in_ci_and_says_which(tmp_path: Path) -> None:
    """A skip by a fixture, a marker or the test itself is a failure with its reason; an xfail stays one."""
    (tmp_path / "test_some.py").write_text(TESTS)
    ended = run(tmp_path, "true")
    assert ended.returncode == 1
    assert "1 passed, 1 xfailed" in ended.stdout
    for name, reason in (
        ("test_that_needs_a_broker", "no broker is listening"),
        ("test_that_is_marked", "not on this machine"),
        ("test_that_needs_a_library", "could not import 'no_such_library'"),
    ):
        assert f"In CI nothing may be skipped, but test_some.py::{name} was: Skipped: {reason}" in ended.stdout


def test_file_that_skips_itself_fails_in_ci(tmp_path: Path) -> None:
    """A missing library does not remove a whole file silently."""
    (tmp_path / "test_whole.py").write_text(WHOLE)
    ended = run(tmp_path, "true")
    assert ended.returncode == 2
    assert "In CI nothing may be skipped, but test_whole.py was: " in ended.stdout


@pytest.mark.parametrize("ci", [None, "false"])
def test_skip_is_a_skip_elsewhere(tmp_path: Path, ci: str | None) -> None:
    """On a machine without the servers their tests are skipped, and say why."""
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "test_whole.py").write_text(WHOLE)
    ended = run(tmp_path, ci)
    assert ended.returncode == 0
    assert "1 passed, 4 skipped, 1 xfailed" in ended.stdout


def test_fast_run_leaves_out_what_takes_long(tmp_path: Path) -> None:
    """Files that are recorded as long are not even imported; tests of a file that starts processes are deselected."""
    long = tmp_path / next(iter(read_seconds()))
    long.parent.mkdir(parents=True)
    long.write_text("raise AssertionError\n")
    for name, heading in (("test_starts.py", "import subprocess"), ("test_short.py", "import math")):
        (tmp_path / name).write_text(f'{heading}\n\ndef test_nothing():\n    """Passes."""\n')
    assert "1 passed, 1 deselected" in run(tmp_path, None, "--fast").stdout
    assert run(tmp_path, None).returncode == pytest.ExitCode.INTERRUPTED


def test_file_that_leaves_a_watch_behind_fails(tmp_path: Path) -> None:
    """It would log errors in the tests of other files."""
    body = "threading.Thread(target=time.sleep, args=(60,), name='chain-watch', daemon=True).start()"
    (tmp_path / "test_left.py").write_text(f"import threading, time\n\ndef test_watch():\n    {body}\n")
    ended = run(tmp_path, None)
    assert ended.returncode == 1
    assert "stop the whole service: ['chain-watch'] still run" in ended.stdout
