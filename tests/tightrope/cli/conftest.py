"""The command line in this process: quicker than a process for each command."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from tightrope.cli import console
from tightrope.cli.main import main
from tightrope.service.config.loader import TOKEN_VARIABLE

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on a wide terminal and without a control token; returns the exit code."""
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.setattr(console, "out", Console(width=200))

    def run_command(*arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", ["tightrope", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return run_command
