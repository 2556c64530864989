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
    per_group_daily: Annotated[int, Field(ge=1)] | None = None
    """Rows of a group that people are asked about in a day of UTC, about; the model as a whole is a group. A day that
    has had them goes on; the next day's probabilities are lower. If left out, those of `labels` hold on every day.
    """
    least_probability: Annotated[float, Field(ge=0.05, le=1)] = 0.05
    """With `per_group_daily`: the least probability of a disagreement. The cap lowers none below it, and the bets on
    accuracy are made for it: a smaller one asks less of people and finds harm later.
    """

    def require_reachable(self, disagreements: float, random: float) -> None:
        """Check that the cap can lower the probability of a disagreement, by those of `labels`.

        Raises:
            ValueError: when the least probability is not below it.
        """
        if self.per_group_daily is not None and self.least_probability >= max(disagreements, random):
            raise ValueError(
                f"review.per_group_daily is {self.per_group_daily}, but review.least_probability is "
                f"{self.least_probability:g} and a disagreement is drawn with {max(disagreements, random):g}, so that "
                "no probability can be lowered: write a smaller least_probability (0.05 is the least), a larger "
                "labels.disagreements, or leave per_group_daily out"
            )

    page: Annotated[str, Field(pattern=r"^https?://[^\s\"'<>]+$", max_length=500)] | None = None
    """In a cluster: the address of the review page, as browsers reach the port of the model's judge, such as
    `https://review.example/review`. Gateways link to it; they have no rows.
    """

    def resolved(self, folder: Path) -> Self:
        """The section with its paths relative to a folder."""
        return self.model_copy(update={"reviewers": {name: folder / file for name, file in self.reviewers.items()}})
