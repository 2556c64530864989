"""Reliability curves: the reference's figures, and bands that hold."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons
from tightrope.monitors.records import Comparisons, Role
from tightrope.monitors.reliability.curve_bins import CurveBins
from tightrope.monitors.reliability.curve_sums import CurveSums
from tightrope.monitors.reliability.curves import ScopeReliability, _Figures, scope_reliability

CONFIDENCE = (0.95, 0.9, 0.8, 0.85, 0.6, 0.55, 0.7, 0.99, 0.65, 0.75)
CORRECT = (1, 1, 1, 0, 1, 0, 0, 1, 1, 1)


def sums_of(rows: Comparisons, bins: CurveBins, tick: int = 64) -> CurveSums:
    """The sums of rows of the model in ticks, each row a step."""
    sizes = [min(tick, len(rows) - begin) for begin in range(0, len(rows), tick)]
    counted, step = np.ones((len(rows), 1), dtype=bool), np.arange(len(rows))
    return CurveSums.fresh(bins.cells(1)).after(bins, rows, counted, step, sizes, dependent=False)


def model_curves(rows: Comparisons, bins: CurveBins) -> ScopeReliability:
    """The model's curves."""
    return scope_reliability(bins, sums_of(rows, bins), 0, "model")


def test_expected_error_has_the_reference_value() -> None:
    """Ten rows in tenths: .256; without what chance adds its square is below 0, and its root is shown as 0."""
    rows = make_comparisons(
        10,
        scopes=(),
        confidence_baseline=CONFIDENCE,
        confidence_compressed=CONFIDENCE,
        correct_baseline=CORRECT,
        correct_compressed=CORRECT,
    )
    bins = CurveBins()
    found = model_curves(rows, bins)
    assert [curve.ece for curve in found.curves] == [pytest.approx(0.256)] * 2
    assert [curve.ece_debiased for curve in found.curves] == [0.0, 0.0]
    figures = _Figures.of_cells(sums_of(rows, bins).cells, 1, 10, 10)
    assert figures.debiased_square() == pytest.approx(-0.0397716667, abs=1e-9)
    assert found.labels == 10


def test_each_curve_is_that_of_its_model() -> None:
    """The compressed model says 0.95 where its baseline says 0.75; both are right in three of four rows."""
    right = np.arange(2000) % 4 > 0
    rows = make_comparisons(
        2000,
        scopes=(),
        confidence_baseline=0.75,
        confidence_compressed=0.95,
        correct_baseline=right,
        correct_compressed=right,
    )
    baseline, compressed = model_curves(rows, CurveBins((0.7, 0.9), golden=True)).curves
    assert (baseline.role, compressed.role) == (Role.BASELINE, Role.COMPRESSED)
    assert [each.rows for each in baseline.bins] == [0, 2000, 0]
    assert [each.rows for each in compressed.bins] == [0, 0, 2000]
    assert baseline.ece == pytest.approx(0.0)
    assert compressed.ece == pytest.approx(0.2)
    low, high = compressed.bins[2].low, compressed.bins[2].high
    assert low is not None
    assert high is not None
    assert 0.1 < low < 0.2 < high < 0.3
    assert compressed.ece_upper == pytest.approx(high)
    gap = model_curves(rows, CurveBins()).gap
    assert gap is not None
    assert gap.mean == pytest.approx(0.2)
    assert 0.15 < gap.lower < 0.2 < gap.upper < 0.25


def test_curves_without_labels_are_empty() -> None:
    """No figure is made up."""
    bins = CurveBins()
    found = scope_reliability(bins, CurveSums.fresh(bins.cells(2)), 1, "sex=f")
    assert (found.labels, found.gap) == (0, None)
    assert [(curve.ece, [each.accuracy for each in curve.bins]) for curve in found.curves] == [(None, [None, None])] * 2


def test_no_band_while_rows_depend_on_each_other() -> None:
    """A band of such rows would be too narrow: the values are shown without one."""
    rows, bins = make_comparisons(64, scopes=(), correct_baseline=1, correct_compressed=1), CurveBins()
    counted, step = np.ones((64, 1), dtype=bool), np.arange(64)
    sums = CurveSums.fresh(bins.cells(1)).after(bins, rows, counted, step, (64,), dependent=True)
    found = scope_reliability(bins, sums, 0, "model")
    assert found.gap is None
    assert found.curves[0].ece == 1.0
    assert [curve.ece_upper for curve in found.curves] == [None, None]
    assert found.curves[0].bins[0].low is None


def test_bands_of_one_curve_hold_together() -> None:
    """Two hundred calibrated pairs, looked at after every tick: a band of a curve or the gap is ever wrong in at most
    5 % of them each.
    """
    bins, rng = CurveBins((0.6, 0.7, 0.8, 0.9), golden=True), np.random.default_rng(5)
    runs, looks, wrong = 200, 16, np.zeros(3)
    for _ in range(runs):
        confidence = rng.uniform(0.5, 1, 64 * looks)
        right = rng.random((2, len(confidence))) < confidence
        rows = make_comparisons(
            len(confidence),
            scopes=(),
            confidence_baseline=confidence,
            confidence_compressed=confidence,
            correct_baseline=right[0],
            correct_compressed=right[1],
        )
        sums, missed = CurveSums.fresh(bins.cells(1)), np.zeros(3, dtype=bool)
        for tick in range(looks):
            own = np.arange(len(rows)) // 64 == tick
            ones = np.ones((64, 1), dtype=bool)
            sums = sums.after(bins, rows.take(own), ones, np.arange(64), (64,), dependent=False)
            found = scope_reliability(bins, sums, 0, "model")
            for index, curve in enumerate(found.curves):
                missed[index] |= any(each.low is not None and not each.low <= 0 <= each.high for each in curve.bins)
            missed[2] |= found.gap is not None and not found.gap.lower <= 0 <= found.gap.upper
        wrong += missed
    assert (wrong <= 0.05 * runs).all()
