"""Which lines a process writes, and in which form."""

import json
import logging
import sys
from typing import Any

import pytest

from tightrope.cli.logs.log_setup import set_up_command, set_up_server
from tightrope.service.config.process.logs import LogsSection


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loggers of the test's own."""
    root = logging.RootLogger(logging.WARNING)
    monkeypatch.setattr(logging, "root", root)
    monkeypatch.setattr(logging.Logger, "root", root)
    monkeypatch.setattr(logging.Logger, "manager", logging.Manager(root))


def written(capsys: pytest.CaptureFixture[str], section: dict[str, Any]) -> list[str]:
    """The lines of a server with this section: an info and a warning of ours, and both of a library."""
    set_up_server(LogsSection.model_validate(section))
    for name in ("tightrope.service.app", "a.library"):
        logging.getLogger(name).info("some news of %s", name)
        logging.getLogger(name).warning("a warning of %s", name)
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("section", "texts"),
    [
        ({}, ["some news of tightrope.service.app", "a warning of tightrope.service.app", "a warning of a.library"]),
        ({"level": "warning"}, ["a warning of tightrope.service.app", "a warning of a.library"]),
        ({"level": "error"}, ["a warning of a.library"]),
    ],
)
def test_level_is_that_of_our_own_lines(
    capsys: pytest.CaptureFixture[str], section: dict[str, Any], texts: list[str]
) -> None:
    """Libraries write warnings."""
    assert [json.loads(line)["text"] for line in written(capsys, section)] == texts


def test_format_is_json_unless_a_person_reads(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal it is text; what is written in the configuration stands over both."""
    assert json.loads(written(capsys, {})[0])["level"] == "info"
    assert written(capsys, {"format": "text"})[0].endswith(" INFO some news of tightrope.service.app")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert json.loads(written(capsys, {"format": "json"})[0])["level"] == "info"
    assert "{" not in "".join(written(capsys, {}))


def test_commands_write_warnings_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    """News of the parts that a command uses are left out."""
    set_up_command()
    logging.getLogger("tightrope.service.app").info("news")
    logging.getLogger("tightrope.service.app").warning("beware")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(" WARNING beware")
