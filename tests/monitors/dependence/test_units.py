"""The rows that are one step of evidence: those of a request, of a caller in a tick, or of a window."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons
from tightrope.monitors.dependence.units import (
    BLOCK_WINDOW_ROWS,
    WINDOW_CALLERS,
    WINDOW_ROWS,
    EvidenceUnit,
    Independence,
    request_numbers,
    request_starts,
    shared_rows,
)
from tightrope.monitors.records import Stream


@pytest.mark.parametrize(
    ("independence", "has_callers", "warned", "window", "rows"),
    [
        (Independence.AUTO, False, False, False, BLOCK_WINDOW_ROWS),
        (Independence.AUTO, False, True, True, BLOCK_WINDOW_ROWS),
        (Independence.AUTO, True, True, True, WINDOW_ROWS),
        (Independence.REQUEST, True, True, False, BLOCK_WINDOW_ROWS),
        (Independence.CALLER, True, True, False, WINDOW_ROWS),
        (Independence.WINDOW, True, False, True, WINDOW_ROWS),
    ],
)
def test_unit_is_as_configured(
    independence: Independence, *, has_callers: bool, warned: bool, window: bool, rows: int
) -> None:
    """Only ``auto`` follows the warning; windows are longer where callers are told apart."""
    unit = EvidenceUnit(independence, has_callers)
    assert unit.is_window(warned=warned) is window
    assert unit.window_rows == rows
    assert unit.window_clusters == (WINDOW_CALLERS if unit.by_caller else 1)


def test_rows_of_a_request_follow_each_other() -> None:
    """They share id, time and place in the log; a retry at another time is another request."""
    rows = make_comparisons(7, offset=[1, 1, 1, 2, 2, 3, 3], time=[0, 0, 5, 5, 5, 5, 5])
    assert request_numbers(rows, Stream.COMPARISONS).tolist() == [0, 0, 1, 2, 2, 3, 3]
    assert request_starts(request_numbers(rows, Stream.COMPARISONS)).tolist() == [
        True,
        False,
        True,
        True,
        False,
        True,
        False,
    ]


def test_labels_of_one_request_are_one_step_in_any_order() -> None:
    """Their rows are numbered: r#0, r#1."""
    rows = make_comparisons(4)
    object.__setattr__(rows, "request_id", ("r#0", "s#0", "r#1", "t"))
    assert request_numbers(rows, Stream.LABELS).tolist() == [0, 1, 0, 2]
    assert request_starts(request_numbers(rows, Stream.LABELS)).tolist() == [True] * 4


def test_step_of_a_caller_holds_all_its_requests_of_a_tick() -> None:
    """Rows without a caller are those of one caller; where callers do not matter, each request is a step."""
    rows = make_comparisons(5, caller=[9, 4, 9, 0, 0])
    assert EvidenceUnit(has_callers=True).in_tick(rows, np.arange(5)).tolist() == [2, 1, 2, 0, 0]
    assert EvidenceUnit(has_callers=False).in_tick(rows, np.arange(5)).tolist() == [0, 1, 2, 3, 4]


def test_callers_of_a_window_are_dealt_by_their_digest() -> None:
    """A caller has all its rows in one step; without callers all rows are one."""
    rows = make_comparisons(3, caller=[2**64 - 1, WINDOW_CALLERS + 3, 3])
    assert EvidenceUnit(has_callers=True).in_window(rows).tolist() == [WINDOW_CALLERS - 1, 3, 3]
    assert EvidenceUnit().in_window(rows).tolist() == [0, 0, 0]


def test_rows_are_shared_within_a_tick_among_counted_rows() -> None:
    """A row whose only companion is not counted is a step of its own."""
    tick, step = np.array([0, 0, 0, 1, 1, 1]), np.array([5, 5, 6, 6, 6, 5])
    counted = np.array([True, True, True, True, False, True])
    assert shared_rows(tick, step, counted).tolist() == [True, True, False, False, False, False]
    assert not shared_rows(np.zeros(4, dtype=int), np.arange(4), np.ones(4, dtype=bool)).any()
    assert not shared_rows(np.zeros(0, dtype=int), np.zeros(0, dtype=int), np.zeros(0, dtype=bool)).any()
