"""The recorded first hour has the commands of this version, and is complete in itself; drawing it runs them all."""

import re
from html import unescape
from pathlib import Path

from docs import first_hour
from tightrope.cli.main import app


def shown() -> str:
    """The text of the picture without its layout."""
    drawn = first_hour.PICTURE.read_text()
    return " ".join(re.sub(r"<[^>]*>", " ", unescape(drawn)).split())


def test_picture_shows_every_step_in_its_order() -> None:
    """A step that was changed since is drawn anew by `python -m docs.first_hour`."""
    places = [shown().find(" ".join(f"$ {step}".split())) for step in first_hour.STEPS]
    assert -1 not in places
    assert places == sorted(places)
    assert shown().count('"outcome":"pass"') >= 2
    assert '"outcome":"breach"' not in shown()


def test_steps_are_commands_that_there_are() -> None:
    """They are of the program, and the files of the demo."""
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert {step.split()[1] for step in first_hour.STEPS if step.startswith("tightrope ")} <= commands
    assert all((Path(first_hour.ROOT) / file).is_file() for file in first_hour.FILES.values())


def test_picture_loads_nothing_from_elsewhere() -> None:
    """No fonts, no scripts."""
    drawn = first_hour.PICTURE.read_text()
    assert "@font-face" not in drawn
    assert "<script" not in drawn
    assert "href" not in drawn
