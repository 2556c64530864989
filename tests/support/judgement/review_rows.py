"""Rows under review, for tests."""

from dataclasses import replace
from typing import Any

from tightrope.service.adapters.sqlite.review_table import ReviewRow

PRIVATE_INPUT = b'{"columns":[{"title":"name","value":"Erika Mustermann"}],"texts":[],"pictures":[]}'


def review_row(name: str, **changes: Any) -> ReviewRow:  # noqa: ANN401 - any field
    """Return a row of model ``m`` on which the baseline says 0, which is A, and the compressed model 1."""
    row = ReviewRow(
        id=name,
        model="m",
        request_id=f"r-{name}",
        row=0,
        time=0.0,
        probability=0.5,
        disagree=True,
        a=0,
        b=1,
        a_is_baseline=True,
        wanted=1,
        document=PRIVATE_INPUT,
    )
    return replace(row, **changes)
