"""Suggestions for misspelt names."""

import pytest

from tightrope.monitors.catalogue import CATALOGUE
from tightrope.service.config.loader import Settings
from tightrope.service.config.models import Endpoint, ModelSection
from tightrope.service.config.subgroups import Range
from tightrope.service.config.suggestions import did_you_mean, known_keys


def test_each_near_name_is_suggested_once() -> None:
    """Two misspellings of one name suggest it once."""
    assert did_you_mean(CATALOGUE, "mixx", "disagrement", "mixs") == "; did you mean 'mix' and 'disagreement'?"


def test_name_that_resembles_none_has_no_suggestion() -> None:
    """A wrong suggestion would mislead."""
    assert did_you_mean(CATALOGUE, "speed") == did_you_mean([], "mix") == ""


@pytest.mark.parametrize(
    ("location", "section"),
    [
        ((), Settings),
        (("models", "mode"), ModelSection),
        (("models", "m", "baseline", "<endpoint>"), Endpoint),
        (("models", "m", "subgroups", "s", "values", "<map>", "a", "<range>"), Range),
    ],
)
def test_keys_are_those_of_the_section_at_the_location(location: tuple[str, ...], section: type[Settings]) -> None:
    """Names that a user chose are no keys, even if a key is called so; the tags of forms are passed over."""
    assert known_keys(Settings, location) == set(section.model_fields)


def test_location_without_a_section_has_no_keys() -> None:
    """A number, or a key that does not exist."""
    assert known_keys(Settings, ("models", "m", "queue")) == known_keys(Settings, ("nope", "m")) == set()
