"""Rows about which the baseline is clear: the margin that parts them, and their disagreement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.clear_rows.clear_margin import (
    LEAST_GAP,
    MARGIN_ROWS,
    ClearDisagreement,
    LearnedMargin,
    clear_losses,
    clear_margin,
    margins_of_ticks,
)
from tightrope.monitors.records import Comparisons, Fault


def rows(**columns: object) -> Comparisons:
    """Return three compared rows."""
    return Comparisons.from_columns(3, **columns)


def test_clear_rows_lie_above_the_tenth_of_small_margins() -> None:
    """One of ten margins is not clear; a row without a margin never is."""
    assert clear_margin(np.arange(1.0, 11.0)) == 1.9
    counts, y = clear_losses(rows(margin_baseline=[0.1, 0.5, np.nan], disagree=[True, True, True]), 0.2)
    assert counts.tolist() == [False, True, False]
    assert y.tolist() == [1.0, 1.0, 1.0]


def test_kinds_count_by_their_loss() -> None:
    """A loss between 0 and 1 is the disagreement of a row."""
    _, y = clear_losses(rows(margin_baseline=[0.5] * 3, disagree=[True] * 3, loss=[0.25, np.nan, 0.0]), 0.2)
    assert y.tolist() == [0.25, 1.0, 0.0]


@pytest.mark.parametrize(("margins", "expected"), [([1.0] * 9, 1 - LEAST_GAP), ([0.0] * 9, 0.0), ([np.nan], None)])
def test_a_baseline_that_is_always_sure_is_clear(margins: list[float], expected: float | None) -> None:
    """Where no margin lies above the quantile, the largest one is clear; one that always hesitates never is."""
    found = clear_margin(np.array(margins))
    assert found == expected
    counts, _ = clear_losses(rows(margin_baseline=margins[0]), 1.0 if found is None else found)
    assert counts.all() == (margins[0] == 1)


def test_no_row_counts_before_the_margin_is_known() -> None:
    """A row with a fault never does."""
    known = rows(margin_baseline=0.9, disagree=True, fault=[Fault.NONE, Fault.RUN_FAILED, Fault.NONE])
    assert ClearDisagreement()(known, 1)[0].ravel().tolist() == [False, False, False]
    assert ClearDisagreement(0.2)(known, 1)[0].ravel().tolist() == [True, False, True]


def test_margin_is_fixed_by_the_first_thousand_rows() -> None:
    """Those of the tick that completes them count, later ones do not; rows without a margin do not count."""
    ticks = [np.append(np.full(64, number / 100), np.nan) for number in range(20)]
    learned = LearnedMargin().after(ticks[:15])
    assert learned.margin is None
    assert len(learned.margins) == 15 * 64 < MARGIN_ROWS
    assert (learned.fixed_by(ticks[15:]), learned.fixed_by([])) == (0, None)
    fixed = learned.after(ticks[15:])
    assert fixed.margin == clear_margin(np.concatenate(ticks[:16]))
    assert len(fixed.margins) == 0


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.integers(0, 2**32 - 1))
def test_learning_does_not_depend_on_how_ticks_are_grouped(sizes: list[int], seed: int) -> None:
    """One call for all ticks, or one a tick until it is fixed: the same margin and the same bits."""
    margins = np.random.default_rng(seed).random(20 * sum(sizes))
    ticks = margins_of_ticks(margins, np.ones(len(margins), dtype=bool), [20 * size for size in sizes])
    whole, single = LearnedMargin().after(ticks), LearnedMargin()
    for tick in ticks:
        single = single if single.margin is not None else single.after([tick])
    assert (whole.margin, whole.margins.tobytes()) == (single.margin, single.margins.tobytes())


def test_margins_are_those_of_counted_rows() -> None:
    """Tick by tick."""
    counted = np.array([True, False, True, True])
    found = margins_of_ticks(np.array([0.1, 0.2, 0.3, 0.4]), counted, [2, 2])
    assert [each.tolist() for each in found] == [[0.1], [0.3, 0.4]]
