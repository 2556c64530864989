"""The answers about the state of the review: its answers so far, and the rows and probabilities of the day."""

from typing import Annotated, NotRequired, TypedDict

from msgspec import Meta

from tightrope.monitors.review.opinions import Opinion


class ReviewedGroup(TypedDict):
    """A group today: the rows drawn for review, and the probability of a disagreement in it, today and tomorrow."""

    name: Annotated[str, Meta(description="The scope; `model` is the model as a whole")]
    drawn: Annotated[int, Meta(description="Rows that were drawn today so far")]
    probability: Annotated[float, Meta(description="Of a disagreement of this group today")]
    tomorrow: Annotated[float, Meta(description="That of tomorrow, if today ended now")]
    tomorrow_rows: Annotated[float, Meta(description="The rows that a day like today would ask for then")]


class DailyReview(TypedDict):
    """The daily cap. A row of several groups has the largest of their probabilities."""

    day: Annotated[str, Meta(description="The day in UTC, such as 2026-11-30")]
    per_group_daily: int
    least_probability: float
    random: Annotated[float, Meta(description="The probability of any row today")]
    random_tomorrow: Annotated[float, Meta(description="That of tomorrow, if today ended now")]
    groups: list[ReviewedGroup]


class ReviewStatus(TypedDict):
    """How many answers are final, and how far two people agree about one row."""

    model: str
    answers: dict[Opinion, int]
    asked_twice: int
    agreed: Annotated[float | None, Meta(description="Share of equal answers; null without any row asked twice")]
    kappa: Annotated[float | None, Meta(description="Cohen's kappa; null where it is not defined")]
    daily: NotRequired[Annotated[DailyReview, Meta(description="Left out where there is no daily cap")]]
