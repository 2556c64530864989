"""A row that cannot be compared is a counted fault: never clipped, never counted as agreement."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tightrope.monitors.compare import (
    ROUNDING,
    Decision,
    Reading,
    Refusal,
    Scale,
    Score,
    failed_reading,
    pair_readings,
    read_output,
)
from tightrope.monitors.records import Fault, Floats, Role

REFUSAL = Refusal(Score.ENTROPY, {Role.BASELINE: 0.1, Role.COMPRESSED: 0.1})
SURE = [1.0, 0.0]


def assert_sound_or_nan(reading: Reading) -> None:
    """Assert that rows with a fault hold NaN only, and all others are distributions."""
    faulty = reading.fault != Fault.NONE
    assert np.isnan(reading.values[faulty]).all()
    sound = reading.values[~faulty]
    assert ((sound >= 0) & (sound <= 1)).all()
    assert sound.sum(axis=1) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ([np.nan, 1.0], Fault.NOT_FINITE),
        ([np.inf, 0.0], Fault.NOT_FINITE),
        ([-np.inf, 1.0], Fault.NOT_FINITE),
        ([np.inf, -np.inf], Fault.NOT_FINITE),
        ([-0.011, 1.0], Fault.OUT_OF_RANGE),
        ([1.011, -0.009], Fault.OUT_OF_RANGE),
        ([0.5, 0.511], Fault.OUT_OF_RANGE),
        ([0.5, 0.489], Fault.OUT_OF_RANGE),
        ([0.0, 0.0], Fault.OUT_OF_RANGE),
        ([3.2, -1.1], Fault.OUT_OF_RANGE),
    ],
)
def test_row_that_is_no_distribution_is_a_fault(row: list[float], fault: Fault) -> None:
    """Its values become NaN, and the rows beside it are unaffected."""
    reading = read_output(np.array([SURE, row, SURE]), Scale.PROBABILITIES)
    assert reading.fault.tolist() == [Fault.NONE, fault, Fault.NONE]
    assert reading.values[[0, 2]].tolist() == [SURE, SURE]
    assert_sound_or_nan(reading)


@pytest.mark.parametrize(
    ("value", "fault"),
    [(np.nan, Fault.NOT_FINITE), (np.inf, Fault.NOT_FINITE), (-0.02, Fault.OUT_OF_RANGE), (1.02, Fault.OUT_OF_RANGE)],
)
def test_single_column_out_of_range_is_a_fault(value: float, fault: Fault) -> None:
    """One minus the value, the other class, does not repair it."""
    reading = read_output(np.array([0.5, value]), Scale.PROBABILITIES)
    assert reading.fault.tolist() == [Fault.NONE, fault]
    assert_sound_or_nan(reading)


@pytest.mark.parametrize("scale", [Scale.LOGITS, Scale.REGRESSION])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_value_that_is_not_finite_is_a_fault_on_every_scale(scale: Scale, value: float) -> None:
    """One such value spoils its whole row."""
    reading = read_output(np.array([[1.0, 2.0], [0.5, value]]), scale)
    assert reading.fault.tolist() == [Fault.NONE, Fault.NOT_FINITE]
    assert np.isnan(reading.values[1]).all()
    assert np.isfinite(reading.values[0]).all()


OUTPUTS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(0, 5), st.integers(1, 4)),
    elements=st.floats(-2, 2, width=32) | st.sampled_from([0.0, 1.0, np.nan]),
)


@settings(deadline=None)
@given(output=OUTPUTS)
def test_every_row_is_a_distribution_or_a_fault(output: NDArray[np.float32]) -> None:
    """There is no third case, and the caller's array is not modified."""
    before = output.tobytes()
    assert_sound_or_nan(read_output(output, Scale.PROBABILITIES))
    assert output.tobytes() == before


def test_half_precision_is_rounding() -> None:
    """A float16 softmax of a thousand classes has no fault."""
    logits = np.random.default_rng(0).normal(size=(100, 1000)) * 4
    powers = np.exp(logits)
    output = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float16)
    assert (output.astype(float).sum(axis=1) != 1).any()
    reading = read_output(output, Scale.PROBABILITIES)
    assert not reading.fault.any()
    assert_sound_or_nan(reading)


@pytest.mark.parametrize("steps", [255, 256])
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_eight_bit_steps_are_rounding(steps: int, classes: int) -> None:
    """Probabilities in whole steps of an int8 softmax have no fault."""
    exact = np.random.default_rng(0).dirichlet(np.ones(classes), 500)
    rounded = np.round(exact * steps) / steps
    assert (rounded != exact).all()
    reading = read_output(rounded, Scale.PROBABILITIES)
    assert not reading.fault.any()
    assert_sound_or_nan(reading)


def test_rounding_at_its_edge_is_normalised_away() -> None:
    """A probability just below zero becomes zero, and a sum just off becomes one."""
    reading = read_output(np.array([[-0.009, 1.0], [1.009, 0.0], [0.5, 0.5 - ROUNDING / 2]]), Scale.PROBABILITIES)
    assert not reading.fault.any()
    assert reading.values[:2].tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert_sound_or_nan(reading)


def faulty_pair(scale: Scale) -> tuple[Reading, Reading]:
    """Build four rows: both sound and different, the baseline faulty, the compressed model faulty, both faulty."""
    bad = [np.nan, 0.5]
    baseline = np.array([[1.0, 0.0], bad, [1.0, 0.0], bad])
    compressed = np.array([[0.0, 1.0], [0.0, 1.0], bad, [7.0, 7.0]])
    return read_output(baseline, scale), read_output(compressed, scale)


def test_row_with_a_fault_on_either_side_neither_agrees_nor_disagrees() -> None:
    """It has the graver fault and NaN values, and is not refused."""
    paired = pair_readings(*faulty_pair(Scale.PROBABILITIES), Decision(Scale.PROBABILITIES, REFUSAL))
    assert paired.fault.tolist() == [Fault.NONE, Fault.NOT_FINITE, Fault.NOT_FINITE, Fault.OUT_OF_RANGE]
    assert paired.disagree.tolist() == [True, False, False, False]
    assert np.isnan(paired.distance).tolist() == [False, True, True, True]
    assert np.isnan(paired.confidence_baseline).tolist() == [False, True, False, True]
    assert not (paired.refused_baseline | paired.refused_compressed).any()


def test_regression_with_a_fault_neither_agrees_nor_disagrees() -> None:
    """The finite values of the last row are sound in a regression, so only the baseline has a fault there."""
    paired = pair_readings(*faulty_pair(Scale.REGRESSION), Decision(Scale.REGRESSION))
    assert paired.fault.tolist() == [Fault.NONE, Fault.NOT_FINITE, Fault.NOT_FINITE, Fault.NOT_FINITE]
    assert paired.disagree.tolist() == [True, False, False, False]
    assert np.isnan(paired.distance).tolist() == [False, True, True, True]


@pytest.mark.parametrize("scale", list(Scale))
def test_model_that_did_not_answer_is_a_fault_of_every_row(scale: Scale) -> None:
    """A failed reading has the other's shape and outweighs any other fault."""
    answered, _ = faulty_pair(scale)
    for baseline, compressed in ((answered, failed_reading(answered)), (failed_reading(answered), answered)):
        paired = pair_readings(baseline, compressed, Decision(scale, None if scale is Scale.REGRESSION else REFUSAL))
        assert paired.fault.tolist() == [Fault.RUN_FAILED] * 4
        assert not (paired.disagree | (paired.refused_baseline & paired.refused_compressed)).any()
        assert np.isnan(paired.distance).all()
    assert answered.fault.tolist() == [Fault.NONE, Fault.NOT_FINITE, Fault.NONE, Fault.NOT_FINITE]


def different_widths(scale: Scale) -> tuple[Reading, Reading]:
    """Build two rows of two values and two rows of three; by index, the first row agrees."""
    two, three = np.array([[0.7, 0.3], [0.7, 0.3]]), np.array([[0.6, 0.2, 0.2], [0.2, 0.2, 0.6]])
    return read_output(two, scale), read_output(three, scale)


@pytest.mark.parametrize("scale", list(Scale))
def test_readings_of_different_width_never_agree(scale: Scale) -> None:
    """Models with different numbers of classes or values cannot be compared: every row is a fault."""
    paired = pair_readings(*different_widths(scale), Decision(scale))
    assert paired.fault.tolist() == [Fault.OUT_OF_RANGE, Fault.OUT_OF_RANGE]
    assert not paired.disagree.any()
    assert np.isnan(paired.distance).all()


def test_empty_output_has_no_fault() -> None:
    """An empty output is read and paired without rows."""
    nothing: Floats = np.zeros((0, 2))
    reading = read_output(nothing, Scale.PROBABILITIES)
    assert len(pair_readings(reading, reading, Decision(Scale.PROBABILITIES)).fault) == 0
