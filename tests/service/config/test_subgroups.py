"""Spellings of a subgroup's value are equal after the configured steps."""

import pytest
from pydantic import ValidationError

from tightrope.service.config.subgroups import NORMALISATIONS, Range, normalised


@pytest.mark.parametrize(("steps", "text"), [(("strip", "casefold"), "gq"), (("strip",), "GQ"), ((), " GQ ")])
def test_steps_are_applied_in_order(steps: tuple[str, ...], text: str) -> None:
    """Without a step a spelling stays as it is."""
    assert normalised(" GQ ", steps) == text


def test_normalised_text_stays() -> None:
    """Each step applied twice gives the same text."""
    once = normalised("  Straße ", [*NORMALISATIONS])
    assert normalised(once, [*NORMALISATIONS]) == once == "strasse"


def test_range_must_be_ordered() -> None:
    """A range whose low is above its high has no codes."""
    with pytest.raises(ValidationError, match="low must not be above high"):
        Range(low=2, high=1)
