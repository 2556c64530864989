"""Late labels: each finds its row, whichever came first, once, and only a row of today's plan speaks."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import comparisons, plan
from tightrope.monitors.label_join import holdings, join, labelled
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Fault, Held, Label

PLAN = plan("accuracy", label_horizon=100.0)


def held(name: str = "r", row: int = 0, *, joined: bool = False, digest: str = "d1") -> Held:
    """A row that waits, on which the two disagree."""
    disagree = True
    return Held(name, row, 1.0, digest, np.array([True, False, False]), 0.5, disagree, 0.9, 0.6, 1, 0, joined)


def label(name: str = "r", row: int = 0, truth: int = 1, time: float = 5.0) -> Label:
    """The truth about a row."""
    return Label("m", name, row, truth, time)


def test_label_finds_its_row() -> None:
    """By request and row number."""
    rows = {("r", 0): held(), ("r", 1): held(row=1), ("s", 0): held("s")}
    found = join([label(row=1), label("s")], rows, {})
    assert found.rows == ((rows["r", 1], label(row=1)), (rows["s", 0], label("s")))
    assert (found.waiting, found.duplicates) == ((), 0)


def test_label_without_a_row_waits_once() -> None:
    """The row may still come; the same label again is a duplicate, in this batch or in another."""
    found = join([label(), label(), label("s")], {}, {("s", 0): label("s")})
    assert found.waiting == (label(),)
    assert (found.rows, found.duplicates) == ((), 2)


def test_first_label_of_a_row_counts() -> None:
    """A second one, even if it says otherwise, is counted and changes nothing."""
    found = join([label(truth=0), label(truth=1)], {("r", 0): held()}, {})
    assert [told.label for _, told in found.rows] == [0]
    assert found.duplicates == 1
    late = join([label()], {("r", 0): held(joined=True)}, {})
    assert (late.rows, late.waiting, late.duplicates) == ((), (), 1)


def test_label_that_waited_does_not_hide_the_row() -> None:
    """When the row is known by now the label joins, whatever waited under its name."""
    found = join([label()], {("r", 0): held()}, {("r", 0): label()})
    assert len(found.rows) == 1


def test_rows_of_a_request_are_counted_from_zero() -> None:
    """Request by request, record by record; rows with a fault or without a class keep their number and do not wait."""
    rows = comparisons(
        6,
        offset=[7, 7, 7, 8, 8, 9],
        fault=[0, Fault.NOT_FINITE, 0, 0, 0, 0],
        top_baseline=[1, 1, 2, 0, -1, 1],
        member=[[True, False, False]] * 6,
        draw=np.arange(6) / 10,
    )
    found = list(holdings(PLAN, rows))
    assert [(one.key, one.top_baseline, one.draw) for one in found] == [
        (("0-7", 0), 1, 0.0),
        (("0-7", 2), 2, 0.2),
        (("0-8", 0), 0, 0.3),
        (("0-9", 0), 1, 0.5),
    ]
    assert {one.digest for one in found} == {"d1"}
    assert not any(one.joined for one in found)


def test_request_that_is_sent_again_is_counted_from_zero_again() -> None:
    """The rows of a retry have the names of the first ones: whoever keeps them keeps the first."""
    rows = replace(comparisons(4, offset=[1, 1, 2, 2]), request_id=("r",) * 4)
    assert [one.key for one in holdings(PLAN, rows)] == [("r", 0), ("r", 1), ("r", 0), ("r", 1)]


@pytest.mark.parametrize(
    "other", [{"compressed_digest": "c0"}, {"baseline_digest": "b0"}, {"scopes": ("half=left", "group=a", "group=b")}]
)
def test_rows_that_the_plan_does_not_cover_wait_as_those_of_no_plan(other: dict[str, object]) -> None:
    """Their labels are evidence of another model, or of other subgroups."""
    rows = replace(comparisons(1), **other)
    assert [one.digest for one in holdings(PLAN, rows)] == [""]


def test_labelled_row_says_who_was_right() -> None:
    """In the order in which labels came, at their times; what label monitors do not need is not known."""
    joined = [(held("s"), label("s", truth=0, time=9.0)), (held(row=3), label(row=3, truth=1, time=8.0))]
    rows = labelled(PLAN, "log-1", joined)
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
    rows = labelled(PLAN, "", [(held(), label(truth=2**31))])
    assert (rows.correct_baseline.tolist(), rows.correct_compressed.tolist()) == ([0.0], [0.0])


def test_model_without_subgroups_has_labelled_rows() -> None:
    """Membership of none, for every row."""
    of: Plan = plan("accuracy", scopes=())
    rows = labelled(of, "", [(replace(held(), member=np.zeros(0, dtype=bool)), label())] * 3)
    assert rows.member.shape == (3, 0)
