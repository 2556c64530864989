"""The JSON of a week has the shape that `openapi.json` tells."""

from pathlib import Path

import msgspec

from tests.support.week.simulated import simulated_week
from tightrope.service.api.openapi import schemas
from tightrope.service.api.week.documents import WeekAnswer


def test_answer_has_its_shape(tmp_path: Path) -> None:
    """No field is missing, and none is more."""
    with simulated_week(tmp_path) as week:
        document = week.document()
    converted = msgspec.convert(document, WeekAnswer)
    assert msgspec.to_builtins(converted) == document
    assert set(schemas()["WeekAnswer"]["required"]) == set(document)
