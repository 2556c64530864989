"""Late labels: each is matched with its row once, in either order, and only rows of the current plan count."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons, make_plan
from tightrope.monitors.label_join import (
    count_agreed,
    is_usable,
    kept_labels,
    labelled_comparisons,
    match_labels,
    rows_awaiting_labels,
)
from tightrope.monitors.label_records import Label, PendingRow
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Fault
from tightrope.monitors.veto.drawing import LabelDraw

PLAN = make_plan("accuracy", label_horizon=100.0)


def pending_row(name: str = "r", row: int = 0, *, joined: bool = False, digest: str = "d1") -> PendingRow:
    """Build a row that waits for its label, on which the models disagree."""
    disagree = True
    return PendingRow(name, row, 1.0, digest, np.array([True, False, False]), 0.5, disagree, 0.9, 0.6, 1, 0, joined)


def label(name: str = "r", row: int = 0, truth: int = 1, time: float = 5.0) -> Label:
    """Build the label of a row."""
    return Label("m", name, row, truth, time)


def test_label_finds_its_row() -> None:
    """By request and row number."""
    rows = {("r", 0): pending_row(), ("r", 1): pending_row(row=1), ("s", 0): pending_row("s")}
    result = match_labels([label(row=1), label("s")], rows, {})
    assert result.rows == ((rows["r", 1], label(row=1)), (rows["s", 0], label("s")))
    assert (result.waiting, result.duplicates) == ((), 0)


def test_label_without_a_row_waits_once() -> None:
    """The row may still come; a repeated label is a duplicate, in this batch or in another."""
    result = match_labels([label(), label(), label("s")], {}, {("s", 0): label("s")})
    assert result.waiting == (label(),)
    assert (result.rows, result.duplicates) == ((), 2)


def test_first_label_of_a_row_counts() -> None:
    """A second, different label is counted and changes nothing."""
    result = match_labels([label(truth=0), label(truth=1)], {("r", 0): pending_row()}, {})
    assert [label_.label for _, label_ in result.rows] == [0]
    assert result.duplicates == 1
    late = match_labels([label()], {("r", 0): pending_row(joined=True)}, {})
    assert (late.rows, late.waiting, late.duplicates) == ((), (), 1)


def test_label_that_waited_does_not_hide_the_row() -> None:
    """Once the row is known the label joins, even if a label waits under its key."""
    result = match_labels([label()], {("r", 0): pending_row()}, {("r", 0): label()})
    assert len(result.rows) == 1


def test_rows_of_a_request_are_numbered_from_zero() -> None:
    """Rows with a fault or without a class keep their number and do not wait."""
    rows = make_comparisons(
        6,
        offset=[7, 7, 7, 8, 8, 9],
        fault=[0, Fault.NOT_FINITE, 0, 0, 0, 0],
        top_baseline=[1, 1, 2, 0, -1, 1],
        member=[[True, False, False]] * 6,
        draw=np.arange(6) / 10,
    )
    result = list(rows_awaiting_labels(PLAN, rows))
    assert [(row.key, row.top_baseline, row.draw) for row in result] == [
        (("0-7", 0), 1, 0.0),
        (("0-7", 2), 2, 0.2),
        (("0-8", 0), 0, 0.3),
        (("0-9", 0), 1, 0.5),
    ]
    assert {row.digest for row in result} == {"d1"}
    assert not any(row.joined for row in result)


def test_retried_request_is_numbered_from_zero_again() -> None:
    """The rows of a retry have the keys of the first rows; storage keeps the first."""
    rows = replace(make_comparisons(4, offset=[1, 1, 2, 2]), request_id=("r",) * 4)
    assert [row.key for row in rows_awaiting_labels(PLAN, rows)] == [("r", 0), ("r", 1), ("r", 0), ("r", 1)]


@pytest.mark.parametrize(
    "other", [{"compressed_digest": "c0"}, {"baseline_digest": "b0"}, {"scopes": ("half=left", "group=a", "group=b")}]
)
def test_rows_outside_the_plan_wait_without_a_plan_digest(other: dict[str, object]) -> None:
    """Their labels are evidence for another model, or for other subgroups."""
    rows = replace(make_comparisons(1), **other)
    assert [row.digest for row in rows_awaiting_labels(PLAN, rows)] == [""]


def test_labelled_row_holds_the_correctness_of_both_models() -> None:
    """Rows are in the order of their labels, at the time of these; columns that label monitors do not need are NaN."""
    joined = [(pending_row("s"), label("s", truth=0, time=9.0)), (pending_row(row=3), label(row=3, truth=1, time=8.0))]
    rows = labelled_comparisons(PLAN, "log-1", joined)
    assert rows.request_id == ("s#0", "r#3")
    assert rows.time.tolist() == [9.0, 8.0]
    assert rows.correct_baseline.tolist() == [0.0, 1.0]
    assert rows.correct_compressed.tolist() == [1.0, 0.0]
    assert rows.member.tolist() == [[True, False, False]] * 2
    assert (rows.disagree.all(), rows.draw.tolist()) == (True, [0.5, 0.5])
    assert (rows.confidence_baseline.tolist(), rows.confidence_compressed.tolist()) == ([0.9, 0.9], [0.6, 0.6])
    assert np.isnan(rows.distance).all()
    assert PLAN.covers(rows)


def test_class_that_neither_model_knows_makes_both_wrong() -> None:
    """A label beyond the classes is no error."""
    rows = labelled_comparisons(PLAN, "", [(pending_row(), label(truth=2**31))])
    assert (rows.correct_baseline.tolist(), rows.correct_compressed.tolist()) == ([0.0], [0.0])


def test_model_without_subgroups_has_labelled_rows() -> None:
    """The membership has no columns."""
    plan: Plan = make_plan("accuracy", scopes=())
    rows = labelled_comparisons(plan, "", [(replace(pending_row(), member=np.zeros(0, dtype=bool)), label())] * 3)
    assert rows.member.shape == (3, 0)


CAPPED = replace(PLAN, label_draw=LabelDraw(0.5, 0.02, floor=0.05))


def capped_row(number: float, **changes: object) -> PendingRow:
    """Build a drawn disagreement with probabilities of its own and this number."""
    own = replace(pending_row(), draw=number * 2.0**-27, agreed=(4,) * 4, request_rows=(1,) * 4, chances=(0.25, 0.125))
    return replace(own, **changes)


@pytest.mark.parametrize(
    ("row", "probability", "usable"),
    [
        (capped_row(0.2), 0.25, True),
        (capped_row(0.2), 0.5, False),
        (capped_row(0.3), 0.25, False),
        (capped_row(0.1, disagree=False), 0.125, True),
        (capped_row(0.2, disagree=False), 0.125, False),
        (capped_row(0.3, chances=()), 0.5, True),
    ],
)
def test_label_has_to_name_the_probability_of_its_own_row(row: PendingRow, probability: float, *, usable: bool) -> None:
    """That of the plan is another one where a daily cap holds."""
    assert is_usable(CAPPED, row, replace(label(), probability=probability)) == usable


def test_random_sample_is_that_of_the_rows_own_day() -> None:
    """A label that was drawn because the models differ says nothing about confidence."""
    labels = [(capped_row(number), replace(label(), probability=0.25)) for number in (0.1, 0.2)]
    rows = labelled_comparisons(CAPPED, "", labels)
    assert np.isnan(rows.confidence_baseline).tolist() == [False, True]
    assert rows.inclusion.tolist() == [0.25, 0.25]


def test_labels_beside_kept_rows_are_those_of_the_random_sample() -> None:
    """With its probability of the day; without a cap all labels stay as they are."""
    labels = [(capped_row(number), replace(label(), probability=0.25)) for number in (0.1, 0.2)]
    assert [each.probability for each in kept_labels(CAPPED, labels)] == [0.125]
    plain = [(pending_row(), replace(label(), probability=0.5)), (capped_row(0.2), label())]
    assert kept_labels(CAPPED, plain) == [each for _, each in plain]


def test_rows_wait_with_the_probabilities_that_they_bring() -> None:
    """A disagreement that a lower one leaves out of the queue is a zero before the next."""
    chances = [[0.25, 0.125], [0.75, 0.125], [np.nan, np.nan]]
    rows = make_comparisons(
        3, disagree=True, draw=np.full(3, 0.5 * 2.0**-27), chances=chances, top_baseline=1, member=[[True] * 3] * 3
    )
    agreed, rest = count_agreed(CAPPED, np.zeros(4, dtype=np.int64), rows, np.ones(3, dtype=bool))
    waiting = list(rows_awaiting_labels(CAPPED, rows, agreed))
    assert [row.chances for row in waiting] == [(0.25, 0.125), (0.75, 0.125), ()]
    assert [row.agreed for row in waiting] == [(), (1,) * 4, ()]
    assert rest.tolist() == [1] * 4
