"""Batches of comparisons that are judged as one: no row of them was delivered before."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons
from tightrope.service.adapters.ports import Record
from tightrope.shadow.intake.batching import MAX_JUDGED_ROWS, OpenBatch, offset_ranges

RECORD = Record("t", 0, 0, None, b"")
FIRST = make_comparisons(4, offset=np.array([5, 6, 8, 9]), partition=np.array([0, 0, 1, 1]))


def test_offsets_are_told_by_partition() -> None:
    """The first and the last."""
    assert offset_ranges(FIRST) == {0: (5, 6), 1: (8, 9)}
    assert offset_ranges(make_comparisons(0)) == {}


@pytest.mark.parametrize(
    ("batch", "joined"),
    [
        (make_comparisons(2, offset=np.array([7, 8])), True),
        (make_comparisons(2, offset=np.array([6, 7])), False),
        (make_comparisons(2, offset=np.array([7, 8]), log="another"), False),
        (make_comparisons(2, offset=np.array([7, 8]), scopes=()), False),
        (make_comparisons(MAX_JUDGED_ROWS, offset=7 + np.arange(MAX_JUDGED_ROWS)), False),
    ],
)
def test_batch_is_joined_if_it_follows(batch: object, joined: bool) -> None:  # noqa: FBT001 - a parameter of the case
    """Rows that were delivered before, of another log or of other scopes begin a batch of their own."""
    so_far = OpenBatch()
    assert so_far.add(RECORD, FIRST)
    assert so_far.add(RECORD, batch) is joined  # type: ignore[arg-type]
    assert len(so_far.parts) == 1 + joined


def test_empty_batch_takes_any_rows() -> None:
    """As many as a record has."""
    assert OpenBatch().add(RECORD, make_comparisons(MAX_JUDGED_ROWS + 1))


def test_rows_after_the_last_part_are_joined() -> None:
    """The ends of all parts count, in each partition."""
    so_far = OpenBatch()
    assert so_far.add(RECORD, make_comparisons(2, offset=np.array([5, 6])))
    assert so_far.add(RECORD, make_comparisons(2, offset=np.array([7, 8])))
    assert not so_far.add(RECORD, make_comparisons(1, offset=np.array([8])))
    assert so_far.add(RECORD, make_comparisons(1, offset=np.array([8]), partition=1))
