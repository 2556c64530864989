"""The real Prometheus and Alertmanager, as Debian packages them: `make tools` installs them where it can."""

import shutil
import subprocess
from pathlib import Path

import pytest


def program(name: str) -> str:
    """The path of promtool, amtool, prometheus or prometheus-alertmanager; without it the test is skipped, and where
    everything is to be proved it fails.
    """
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing: apt-get install prometheus prometheus-alertmanager")
    return found


def said(name: str, *arguments: str | Path, stdin: str | None = None) -> tuple[int, str]:
    """Run one of the tools to its end: its exit code, and what it said."""
    command = [program(name), *map(str, arguments)]
    ended = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    return ended.returncode, ended.stdout + ended.stderr
