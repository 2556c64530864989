"""The row to review: a coin decides the order of the answers, another one how many people are asked."""

import random

from tightrope.service.adapters.review.reviewed_model import DrawnRow, row_to_review

DRAWN = DrawnRow("m", ("r-1", 2), 7.0, 0.5, disagree=True, classes=(3, 8))


def test_order_is_that_of_the_coin() -> None:
    """A is the baseline's answer in half of the rows, and the row says which."""
    coins = random.Random(5)  # noqa: S311 - a coin of a test
    rows = [row_to_review(DRAWN, 0.0, b"{}", coins) for _ in range(400)]
    assert {(row.a_is_baseline, row.a, row.b) for row in rows} == {(True, 3, 8), (False, 8, 3)}
    assert 150 < sum(row.a_is_baseline for row in rows) < 250
    assert len({row.id for row in rows}) == 400
    assert (rows[0].request_id, rows[0].row, rows[0].time, rows[0].probability) == ("r-1", 2, 7.0, 0.5)


def test_share_of_rows_is_asked_of_two_people() -> None:
    """One in four."""
    coins = random.Random(5)  # noqa: S311 - a coin of a test
    wanted = [row_to_review(DRAWN, 0.25, b"{}", coins).wanted for _ in range(400)]
    assert 70 < wanted.count(2) < 130
