"""A definition without options is a monitor of compared rows in every scope, with one unnamed variant."""

from dataclasses import FrozenInstanceError

import pytest

from tightrope.monitors.definitions.definition import Hypothesis, MonitorDefinition, Reach
from tightrope.monitors.observations import disagreement
from tightrope.monitors.records import Stream

PLAIN = MonitorDefinition("m", "Is it so?", "1 if so", "all else", Hypothesis.RATE, 0.1, 0.2, disagreement)


def test_plain_definition_watches_compared_rows_everywhere() -> None:
    """It needs nothing of a kind of decision, and has one variant for any number of classes."""
    assert (PLAIN.stream, PLAIN.reach, PLAIN.needs, PLAIN.ternary) == (Stream.COMPARISONS, Reach.ALL, (), False)
    assert [PLAIN.variants(classes) for classes in (0, 2, 30)] == [("",)] * 3


def test_definition_does_not_change() -> None:
    """Detectors rely on it for as long as they run."""
    with pytest.raises(FrozenInstanceError):
        PLAIN.limit = 0.5  # type: ignore[misc]
