"""Rows as bits: however many are compared and counted together."""

import numpy as np
import pytest

from tightrope.monitors.hunter.lattice import Lattice
from tightrope.monitors.hunter.row_bits import SEPARATE_ROWS, losses_of, packed, row_counts, unpacked


def test_many_rows_satisfy_what_they_satisfy_alone() -> None:
    """A value, a range, and what is not known, however many rows are compared together."""
    rng = np.random.default_rng(2)
    lattice = Lattice.of([(0, 1.0, 1.0), (1, -np.inf, 0.2), (1, 0.1, 0.7)], [(0,), (1,), (2,)], 0.1)
    vectors = np.column_stack([rng.integers(0, 3, 2 * SEPARATE_ROWS), rng.normal(size=2 * SEPARATE_ROWS)])
    vectors[rng.random(vectors.shape) < 0.1] = np.nan
    alone = np.concatenate([lattice.satisfied(row[None]) for row in vectors], axis=1)
    assert np.array_equal(lattice.satisfied(vectors), alone)


@pytest.mark.parametrize("rows", [1, 64, 150])
def test_rows_and_losses_of_slices_are_those_of_their_masks(rows: int) -> None:
    """Losses of zero and one are counted as bits, others summed."""
    rng = np.random.default_rng(rows)
    masks, whole, half = rng.random((5, rows)) < 0.4, (rng.random(rows) < 0.3).astype(float), np.full(rows, 0.5)
    words = packed(masks)
    assert np.array_equal(unpacked(words, rows), masks)
    assert np.array_equal(row_counts(words), masks.sum(axis=1))
    for loss in (whole, half):
        assert np.array_equal(losses_of(words, loss), masks @ loss)
