"""Every command that takes a model or a scope refuses a name that does not exist with one clear line."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.cli.main import app
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.wiring.embedded import DATABASE

Run = Callable[..., int]

ARGUMENTS: dict[str, list[str]] = {
    "status": [],
    "events": [],
    "calibrate": ["rows.csv"],
    "limits": ["rows.csv"],
    "report": [],
    "labels": [],
    "qualify": ["rows.csv"],
    "verify": [],
    "cost": [],
    "card": [],
    "sweep": ["rows.csv", "."],
    "modes list": [],
    "modes move": ["group=old", "group=minority"],
    "modes drop": ["group=old", "--reason", "it is gone"],
}
"""The other arguments of each command that takes a configuration and a model."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration with a state and two models."""
    sections = config(tmp_path)
    sections["models"]["other"] = sections["models"]["m"]
    (tmp_path / "state").mkdir()
    SqliteStore(tmp_path / "state" / DATABASE).close()
    (tmp_path / "rows.csv").write_text("left,right,group,harm,label\n1,0,0,0,0\n")
    return write_config(tmp_path, sections)


def commands(group: Any, *names: str) -> Iterator[str]:  # noqa: ANN401 - typer's own classes
    """Every command with the option --model beside a configuration."""
    for name, command in getattr(group, "commands", {}).items():
        parameters = {parameter.name for parameter in command.params}
        if {"config", "model"} <= parameters:
            yield " ".join([*names, name])
        yield from commands(command, *names, name)


def test_every_command_with_a_model_is_tried() -> None:
    """A new one joins the list above."""
    assert set(commands(typer.main.get_command(app))) == set(ARGUMENTS)


@pytest.mark.parametrize("model", ["nope", ""])
@pytest.mark.parametrize("command", ARGUMENTS)
def test_unknown_model_is_one_line(
    run: Run, path: Path, capsys: pytest.CaptureFixture[str], command: str, model: str
) -> None:
    """The line names the option, the value and the models that there are; the exit code is 1."""
    before, rest = command.split(), ARGUMENTS[command]
    files = [path.parent / each if each.endswith(".csv") else each for each in rest]
    assert run(*before, path, *files, "--model", model) == 1
    out, error = capsys.readouterr()
    line = " ".join(error.split())
    assert out == ""
    assert re.match(rf"error --model: (is )?'{model}'.* m, other", line), line


@pytest.mark.parametrize("command", ["modes move", "modes drop"])
def test_unknown_scope_is_one_line(run: Run, path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """A scope without a stored mode cannot be moved or dropped."""
    assert run(*command.split(), path, *ARGUMENTS[command], "--model", "m") == 1
    line = " ".join(capsys.readouterr().err.split())
    assert line == "error model m has no stored mode of 'group=old'; `tightrope modes list` shows all"
