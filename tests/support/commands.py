"""The command, run as a user would run it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.servers import ROOT

PATIENCE = 240.0


def environment(**changes: str) -> Mapping[str, str]:
    """This process's, without what configures Tightrope."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TIGHTROPE_")}
    return inherited | changes


def command(*arguments: str | Path) -> list[str]:
    """The command line of `tightrope` with these arguments."""
    return [sys.executable, "-P", "-m", "tightrope", *map(str, arguments)]


def tightrope(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `tightrope` to its end."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=ROOT,
        env=environment(**environ),
    )
