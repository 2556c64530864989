"""The memory of repeats in a snapshot."""

import pytest

from tightrope.monitors.intake.repeats import RepeatMemory, RepeatWarning
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.adapters.wire.repeats_codec import read_repeats


def test_snapshot_of_an_earlier_version_has_no_memory() -> None:
    """It begins empty."""
    assert len(read_repeats({}).inputs) == len(RepeatMemory().inputs)


def test_warnings_come_back() -> None:
    """By their names."""
    warning = next(iter(RepeatWarning))
    assert read_repeats({"warnings": [str(warning)]}).warnings == (warning,)


@pytest.mark.parametrize("body", [[], {"inputs": [1]}, {"differ": {"dtype": "<f8", "shape": [1], "data": b""}}])
def test_damaged_memory_is_refused(body: object) -> None:
    """No map, or no array of its type."""
    with pytest.raises(WireError):
        read_repeats(body)
