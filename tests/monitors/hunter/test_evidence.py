"""The evidence of slices equals that of the detectors, and golden numbers computed with mpmath."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.monitors.dependence.test_cluster_bets import MASSES, TICKS
from tightrope.monitors.detector import Bernoulli
from tightrope.monitors.hunter.evidence import (
    LOSS_UNITS,
    SliceTest,
    StepCounts,
    common_losses,
    common_rows,
    loss_units,
    slice_test,
)
from tightrope.monitors.hunter.lattice import Lattice
from tightrope.monitors.hunter.row_bits import packed

ONE = Lattice.of([(0, 1.0, 1.0)], [(0,)], 0.02)


def counts_of(clusters: list[tuple[int, int]]) -> StepCounts:
    """The counts of one slice from clusters of rows and ones; those of one row are steps of their own."""
    step = np.repeat(np.arange(len(clusters)), [rows for rows, _ in clusters])
    ones = [row < lost for rows, lost in clusters for row in range(rows)]
    shared = np.repeat([rows > 1 for rows, _ in clusters], [rows for rows, _ in clusters])
    return StepCounts.of(
        packed(np.ones((1, len(step)), dtype=bool)), loss_units(np.array(ones, np.float64)), step, shared.astype(bool)
    )


def test_masses_are_the_golden_ones() -> None:
    """Four ticks of 64 rows, in clusters of 1 to 54 rows: log M after each, as of a monitor's detector."""
    test, mass = SliceTest(ONE), np.zeros((6, 1))
    for (seed, clusters), golden in zip(TICKS, MASSES, strict=True):
        mass = (mass + seed) * np.exp(test.log_e(counts_of(clusters)))
        assert float(test.evidence(mass)[0]) == pytest.approx(golden, abs=1e-9)


@settings(deadline=None)
@given(st.data())
def test_single_rows_are_counted_as_a_detector_counts_them(data: st.DataObject) -> None:
    """Any membership of 1 to 150 rows in three slices, each with a limit of its own."""
    rows = data.draw(st.integers(1, 150))
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    member, lost = rng.random((3, rows)) < 0.4, rng.random(rows) < 0.3
    limits = np.array([0.02, 0.1, 0.3])
    lattice = Lattice.of([(0, 1.0, 1.0)] * 3, [(0,), (1,), (2,)], 0.1)
    lattice = type(lattice)(lattice.column, lattice.low, lattice.high, lattice.slices, limits)
    counts = StepCounts.of(packed(member), loss_units(lost.astype(float)), np.arange(rows), np.zeros(rows, dtype=bool))
    expected = Bernoulli.above(limits).log_e(member.sum(axis=1), (member & lost).sum(axis=1))
    assert pytest.approx(expected, abs=1e-10) == SliceTest(lattice).log_e(counts).T


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_order_of_rows_changes_no_bit(seed: int) -> None:
    """Clusters, single rows and fractions, in any order."""
    rng = np.random.default_rng(seed)
    member, units = rng.random((5, 60)) < 0.5, loss_units(rng.random(60))
    step = rng.integers(0, 20, 60)
    shared = np.bincount(step, minlength=20)[step] > 1
    order = rng.permutation(60)
    lattice = Lattice.of([(0, 1.0, 1.0)], [(0,)] * 5, 0.05)
    first = StepCounts.of(packed(member), units, step, shared)
    second = StepCounts.of(packed(member[:, order]), units[order], step[order], shared[order])
    assert np.array_equal(SliceTest(lattice).log_e(first), SliceTest(lattice).log_e(second))
    assert np.array_equal(first.steps, second.steps)


@given(st.floats(0, 1), st.floats(0.005, 0.6))
def test_fraction_has_no_more_evidence_than_its_mean(loss: float, limit: float) -> None:
    """The e-value of a fractional loss has an expectation of at most one at the limit."""
    lattice = Lattice.of([(0, 1.0, 1.0)], [(0,)], limit)
    counts = StepCounts.of(
        packed(np.ones((1, 1), bool)), loss_units(np.array([loss])), np.zeros(1, int), np.zeros(1, bool)
    )
    most = Bernoulli.above(limit).log_e_of_loss(np.array([loss]))[0]
    assert (SliceTest(lattice).log_e(counts)[:, 0] <= most + 1e-12).all()


def test_loss_is_rounded_down() -> None:
    """A loss has at most its own units."""
    assert loss_units(np.array([0.9999, 1.0])).tolist() == [LOSS_UNITS - 1, LOSS_UNITS]


def test_test_of_a_lattice_is_built_once() -> None:
    """It is asked for at every tick."""
    assert slice_test(ONE) is slice_test(ONE)


@given(st.integers(0, 1_000))
def test_steps_of_large_requests_are_counted_alike(seed: int) -> None:
    """One by one, where all together would take too much memory; losses are exact."""
    rng = np.random.default_rng(seed)
    member, in_step, units = rng.random((4, 300)) < 0.5, rng.random((3, 300)) < 0.3, rng.integers(0, 1025, 300)
    wide = np.tile(in_step, (300, 1))
    assert np.array_equal(common_rows(packed(member), wide)[:, :3], common_rows(packed(member), in_step))
    losses = (member[:, None] & in_step) @ units
    assert np.array_equal(common_losses(packed(member), in_step, units), losses)
