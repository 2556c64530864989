"""The shape of the state of the review is a contract."""

from tightrope.service.adapters.review.status_documents import DailyReview, ReviewedGroup, ReviewStatus


def test_fields_that_readers_use_stay() -> None:
    """The day is left out where there is no cap, so that readers of the first release find what they know."""
    assert {"model", "answers", "asked_twice", "agreed", "kappa"} == ReviewStatus.__required_keys__ - {"daily"}
    assert {"day", "per_group_daily", "random", "random_tomorrow", "groups"} <= DailyReview.__annotations__.keys()
    assert {"name", "drawn", "probability", "tomorrow", "tomorrow_rows"} == ReviewedGroup.__annotations__.keys()
