"""The size of a run is made of its elements, and an unknown size gets an upper estimate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.service.inference.runs.sizes import CUBIC, LINEAR, count_elements, estimate_seconds, run_size


def test_elements_of_all_inputs_count() -> None:
    """A text counts its characters, too."""
    inputs = {"x": np.zeros((2, 3), np.float32), "y": np.zeros((2,), np.int64)}
    assert count_elements(inputs) == 8
    assert count_elements({"t": np.array([["abc"], [""]], object)}) == 5


def test_size_tells_rows_from_width() -> None:
    """Many short rows are another size than few long ones with as many elements."""
    assert run_size(64, 64) != run_size(1, 64)
    assert run_size(33, 33) == run_size(63, 63)
    assert run_size(0, 0) == 0


@pytest.mark.parametrize(
    ("rows", "width", "seconds"),
    [(4, 8, 1.0), (2, 8, 1.0), (4, 4, 1.0), (8, 8, 2.0), (4, 16, 8.0), (16, 32, 4 * 64.0)],
    ids=["itself", "fewer rows", "narrower", "twice the rows", "twice as wide", "both"],
)
def test_unknown_size_gets_an_upper_estimate(rows: int, width: int, seconds: float) -> None:
    """Linear in the rows, cubic in the width; a smaller run is not taken to be faster."""
    known = {run_size(4, 32): 1.0}
    assert estimate_seconds(known, run_size(rows, rows * width), LINEAR, CUBIC) == pytest.approx(seconds)


def test_larger_size_takes_no_less_than_a_smaller_one() -> None:
    """Even if a larger one still was fast once."""
    known = {run_size(1, 8): 5.0, run_size(64, 64 * 64): 1.0}
    assert estimate_seconds(known, run_size(8, 8 * 16), LINEAR, CUBIC) == 5.0
    assert estimate_seconds({}, run_size(8, 8), LINEAR, CUBIC) == 0.0


SIZES = st.tuples(st.integers(1, 1 << 12), st.integers(1, 1 << 12)).map(lambda at: run_size(at[0], at[0] * at[1]))


@given(known=st.dictionaries(SIZES, st.floats(1e-6, 10.0), min_size=1), rows=st.integers(1, 1 << 12))
def test_wider_runs_are_never_expected_to_be_faster_than_all_that_is_known(known: dict[int, float], rows: int) -> None:
    """An unseen width cannot slip onto the event loop."""
    widest = run_size(rows, rows << 20)
    assert estimate_seconds(known, widest, LINEAR, CUBIC) >= min(known.values())
