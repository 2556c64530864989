"""The Python interpreter that has Evidently, and commands run with it."""

import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.commands import COMMAND_TIMEOUT_SECONDS, environment
from tests.support.configs import ROOT

SEPARATE = ROOT / ".venv-reports" / "bin" / "python"


@cache
def interpreter() -> Path:
    """This interpreter if it has Evidently, or that of `.venv-reports`, which `make test` builds. Without either the
    test is skipped; with CI set it fails.
    """
    if find_spec("evidently") is not None:
        return Path(sys.executable)
    if not SEPARATE.exists():
        missing = "Evidently is not installed: `make .venv-reports/run.stamp` installs it"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return SEPARATE


def run(*arguments: str | Path, offline: bool = False, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python with Evidently in the project's folder; ``offline`` makes each use of the network fail."""
    guard = ["-c", OFFLINE] if offline else []
    return subprocess.run(
        [interpreter(), *guard, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT_SECONDS,
        cwd=ROOT,
        env=environment(**environ),
    )


def drawn_by_a_browser(page: Path) -> tuple[str, str]:
    """Open a page in a browser without a network; returns the browser's log and the page after its scripts ran. Skips
    without a browser.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    drawn = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND",
         "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom", page.absolute().as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return drawn.stderr, drawn.stdout


OFFLINE = """
import runpy, socket, sys
def refuse(*where, **_):
    print("NETWORK", where, file=sys.stderr)
    raise OSError("no network here")
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = socket.getaddrinfo = refuse
sys.argv = sys.argv[2:] if sys.argv[1] == "-m" else sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Runs `-m MODULE ARGUMENT...`; each attempt to use the network is printed and refused."""
