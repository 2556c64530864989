"""Shells complete commands and options of the installed program."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import environment

PROTOCOLS = {
    "bash": ({"COMP_WORDS": "tightrope ev", "COMP_CWORD": "1"}, "events"),
    "zsh": ({"_TYPER_COMPLETE_ARGS": "tightrope events --si"}, '"--since":"Show events since then'),
    "fish": (
        {"_TYPER_COMPLETE_ARGS": "tightrope roll", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        "rollback\tGo back",
    ),
}


def run(*line: str, **environ: str) -> str:
    """The output of a program that finds the installed `tightrope` first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    where = environment(**environ, PATH=path)
    ended = subprocess.run(line, capture_output=True, text=True, check=True, env=where, timeout=60.0)
    assert ended.stderr == ""
    return ended.stdout


@pytest.mark.parametrize("shell", PROTOCOLS)
def test_shell_gets_commands_and_options(shell: str) -> None:
    """In the form that each shell wants."""
    words, completion = PROTOCOLS[shell]
    assert completion in run("tightrope", **words, _TIGHTROPE_COMPLETE=f"complete_{shell}")


def test_script_completes_in_a_real_bash() -> None:
    """The function that it defines gives the commands that begin so."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is missing")
    script = run("tightrope", _TIGHTROPE_COMPLETE="source_bash")
    program = 'COMP_WORDS=(tightrope force-); COMP_CWORD=1; _tightrope_completion tightrope; echo "${COMPREPLY[@]}"'
    assert run(bash, "-c", f"{script}\n{program}").split() == ["force-safe", "force-normal"]
