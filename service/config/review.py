"""The configuration of the review by people. A field's text gives its meaning; docs/configuration.md is made of it."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from tightrope.service.config.section import Name, Section


class ReviewSection(Section):
    """The review: rows that are drawn for a label are shown to people, with both answers; see docs/review.md."""

    reviewers: Annotated[dict[Name, Path], Field(min_length=1)]
    """For each reviewer, a file with the token that is typed into the page. It gives no other right."""
    second: Annotated[float, Field(ge=0, le=1)] = 0.1
    """The share of rows that two people are asked about, which shows how far they agree."""
    keep_days: Annotated[float, Field(gt=0, le=366)] = 14.0
    """Days for which a row and what was said about it are kept. Its input is deleted once it needs no more answers."""
    most_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 2_000
    """Most rows that wait for an answer; beyond them rows are left out and counted. A lower probability in `labels`
    lowers the number without a loss.
    """

    def resolved(self, folder: Path) -> Self:
        """The section with its paths relative to a folder."""
        return self.model_copy(update={"reviewers": {name: folder / file for name, file in self.reviewers.items()}})
