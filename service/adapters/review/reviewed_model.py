"""How rows of a model are reviewed, and the row to review that follows from the answers of both models."""

import random
from dataclasses import dataclass
from uuid import uuid4

from tightrope.monitors.label_records import RowKey
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.service.adapters.review.row_presenter import RowPresenter
from tightrope.service.adapters.sqlite.review_table import ReviewRow


@dataclass(frozen=True, slots=True)
class ReviewedModel:
    """How rows of one model are reviewed: the draw of labels, the words for its inputs, the share that two people are
    asked about, and the most rows that wait.
    """

    draw: LabelDraw
    presenter: RowPresenter
    second: float
    most_rows: int


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """A row that was drawn for a label: its model, request id and number there, the time of the request in seconds
    since the epoch, the probability of its draw, and the classes of the baseline's and the compressed model's answer.
    """

    model: str
    key: RowKey
    time: float
    probability: float
    disagree: bool
    classes: tuple[int, int]


def row_to_review(drawn: DrawnRow, second: float, document: bytes, coins: random.Random) -> ReviewRow:
    """The row to review, with the order of its answers and the number of people decided by ``coins``; ``second`` is the
    share of rows that two people are asked about, ``document`` the input for people.
    """
    a_is_baseline = coins.random() < 0.5  # noqa: PLR2004 - a fair coin
    a, b = drawn.classes if a_is_baseline else drawn.classes[::-1]
    return ReviewRow(
        id=uuid4().hex,
        model=drawn.model,
        request_id=drawn.key[0],
        row=drawn.key[1],
        time=drawn.time,
        probability=drawn.probability,
        disagree=drawn.disagree,
        a=a,
        b=b,
        a_is_baseline=a_is_baseline,
        wanted=1 + (coins.random() < second),
        document=document,
    )
