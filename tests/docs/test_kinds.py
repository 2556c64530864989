"""The page on kinds of decision names every kind and option."""

import re

import pytest

from tests.house.sources import ROOT
from tightrope.monitors.kinds.registry import LATER, OPTIONS

PAGE = (ROOT / "docs" / "kinds.md").read_text()


def listed() -> dict[str, set[str]]:
    """The options that the page lists, by kind."""
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", PAGE, re.MULTILINE)
    return {kind: set(re.findall(r"`(\w+)`", options)) for kind, options in rows}


def test_table_has_the_kinds_and_their_options() -> None:
    """No option is missing, and none is made up."""
    assert listed() == {kind: {*options} for kind, options in OPTIONS.items()}


@pytest.mark.parametrize("kind", LATER)
def test_kinds_to_come_are_named(kind: str) -> None:
    """The page says what cannot be guarded yet."""
    assert re.search(rf"\b{kind}\b", PAGE, re.IGNORECASE)
