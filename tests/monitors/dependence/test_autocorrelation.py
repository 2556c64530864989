"""The lag-1 autocorrelation is that of numpy, however rows are cut into batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.dependence.autocorrelation import Autocorrelation


@given(y=st.lists(st.integers(0, 1), min_size=3, max_size=60), cut=st.integers(0, 60))
def test_cuts_change_nothing(y: list[int], cut: int) -> None:
    """One batch or two."""
    values = np.array(y, dtype=np.float64)
    assert Autocorrelation().after(values) == Autocorrelation().after(values[:cut]).after(values[cut:])


def test_rows_that_alternate_are_correlated() -> None:
    """And rows without variance have no correlation."""
    assert Autocorrelation().after(np.tile([0.0, 1.0], 500)).correlation == pytest.approx(-1, abs=0.01)
    assert Autocorrelation().after(np.ones(9)).pairs == 9
    assert Autocorrelation(pairs=9, total=9.0, products=9.0).correlation is None
