"""The `tightrope` command in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.configs import ROOT

COMMAND_TIMEOUT_SECONDS = 240.0
GRAFANA_LIBRARIES = ("grafana_api", "requests")
"""Packages of the extra `grafana`."""


def environment(**changes: str) -> Mapping[str, str]:
    """Return this process's environment without Tightrope's variables, with these changes. It inherits no
    size of a terminal: without a terminal readline, which pytest imports, sets one, and it would overrule a real one.
    """
    left_out = {"COLUMNS", "LINES", *(name for name in os.environ if name.startswith("TIGHTROPE_"))}
    inherited = {name: value for name, value in os.environ.items() if name not in left_out}
    return inherited | changes


def command(*arguments: str | Path) -> list[str]:
    """Return the command line of `tightrope` with these arguments."""
    return [sys.executable, "-P", "-m", "tightrope", *map(str, arguments)]


def without_modules(folder: Path, *names: str) -> str:
    """Return a PYTHONPATH with which a process cannot import these modules, as if they were not installed."""
    hiding = folder / "hiding"
    hiding.mkdir()
    (hiding / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({names!r}))\n")
    return str(hiding)


def tightrope(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `tightrope` until it ends."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT_SECONDS,
        cwd=ROOT,
        env=environment(**environ),
    )
