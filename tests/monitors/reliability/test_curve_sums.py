"""Sums behind reliability curves: the same however rows arrive, and of the latest labels alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact, make_comparisons
from tightrope.monitors.records import Comparisons
from tightrope.monitors.reliability import curve_sums
from tightrope.monitors.reliability.curve_bins import CurveBins
from tightrope.monitors.reliability.curve_sums import CurveSums

BINS = CurveBins((0.6, 0.8), (0.7,), golden=True)
SCOPES = 4


def labelled(n: int, seed: int = 0) -> Comparisons:
    """Labelled rows with made-up confidences; every tenth is of no sample of all rows."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.3, 1, (2, n))
    confidence[:, ::10] = np.nan
    right = rng.random((2, n)) < 0.7
    return make_comparisons(
        n,
        confidence_baseline=confidence[0],
        confidence_compressed=confidence[1],
        correct_baseline=right[0],
        correct_compressed=right[1],
    )


def fold(rows: Comparisons, step: np.ndarray, sizes: tuple[int, ...], start: CurveSums | None = None) -> CurveSums:
    """The sums after these ticks; every row is in the model, and in some subgroups by its position."""
    counted = rows.offset[:, None] % (1 + np.arange(SCOPES)) == 0
    return (start or CurveSums.fresh(BINS.cells(SCOPES))).after(BINS, rows, counted, step, sizes, dependent=False)


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(1, 5), seed=st.integers(0, 1000))
def test_batching_and_order_within_a_tick_change_nothing(cut: int, seed: int) -> None:
    """To the last bit: six ticks at once, in two parts, and with the rows of each tick in another order."""
    rows, rng = labelled(6 * 16, seed), np.random.default_rng(seed)
    step = rng.integers(0, 9, len(rows))
    whole = fold(rows, step, (16,) * 6)
    first, later = np.arange(len(rows)) < 16 * cut, np.arange(len(rows)) >= 16 * cut
    parts = fold(rows.take(first), step[first], (16,) * cut)
    parts = fold(rows.take(later), step[later], (16,) * (6 - cut), parts)
    order = np.concatenate([16 * tick + rng.permutation(16) for tick in range(6)])
    mixed = Comparisons.from_columns(
        len(rows),
        offset=rows.offset[order],
        **{
            name: getattr(rows, name)[order]
            for name in ("confidence_baseline", "confidence_compressed", "correct_baseline", "correct_compressed")
        },
    )
    assert bit_exact(parts) == bit_exact(whole)
    assert bit_exact(fold(mixed, step[order], (16,) * 6)) == bit_exact(whole)


def test_rows_of_one_request_are_one_step() -> None:
    """Sixteen rows of one request count as rows, and as one step of evidence with their mean."""
    rows = make_comparisons(
        16, confidence_baseline=0.9, confidence_compressed=0.9, correct_baseline=1, correct_compressed=np.arange(16) < 8
    )
    sums = fold(rows, np.zeros(16, dtype=np.int64), (16,)).cells
    compressed = BINS.first_cell(0) + 1 + 3 + 2
    assert (sums.rows[0, compressed], sums.steps[0, compressed]) == (16, 1)
    assert sums.total[0, compressed] == pytest.approx((1 + 0.9 - 0.5) / 2)
    assert sums.squares[0, compressed] == 0.25


def test_labels_drawn_because_of_a_disagreement_enter_no_curve() -> None:
    """They have no confidence here: they would bias it."""
    assert fold(labelled(64), np.arange(64), (64,)).labels == 57
    assert fold(labelled(64).take(np.arange(64) % 10 == 0), np.arange(7), (7,)).labels == 0


def test_old_labels_leave_the_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    """The older of two cohorts is shown: it has between one and two lengths of a cohort."""
    monkeypatch.setattr(curve_sums, "CURVE_COHORT_LABELS", 100)
    sums = CurveSums.fresh(BINS.cells(SCOPES))
    shown = []
    for _ in range(30):
        sums = fold(labelled(32, seed=3), np.arange(32), (32,), sums)
        shown.append(sums.cells.rows[0, 0])
    assert sums.labels == 30 * 28
    assert shown[:3] == [28, 56, 84]
    assert 100 - 28 <= min(shown[7:]) <= max(shown[7:]) <= 200 + 28


def test_rows_that_depend_on_each_other_are_noted_while_they_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A curve has no band as long as its cohort has such rows."""
    monkeypatch.setattr(curve_sums, "CURVE_COHORT_LABELS", 28)
    rows, sums = labelled(32), CurveSums.fresh(BINS.cells(SCOPES))
    flags = []
    for dependent in (False, True, False, False):
        counted = np.ones((32, SCOPES), dtype=bool)
        sums = sums.after(BINS, rows, counted, np.arange(32), (32,), dependent=dependent)
        flags.append(bool(sums.dependent[0]))
    assert flags == [False, True, False, False]
