import numpy as np
import pytest

from tests.support.kind_samples import (
    Random,
    assert_each_wrong_row_is_a_fault,
    check_with_rows,
    compare,
    layout,
    read,
)
from tightrope.monitors.kinds.binary import build_binary
from tightrope.monitors.kinds.seam import PairLayout, TensorLayout
from tightrope.monitors.records import Fault, Floats, Role


def test_golden_numbers() -> None:
    """0.62 and 0.58 at a threshold of 0.6 are a yes and a no."""
    kind = build_binary({"threshold": 0.6}, layout())
    b, c = read(kind, [0.62]), read(kind, [0.58])
    assert kind.compare(b, c).loss.tolist() == [1.0]
    assert [b.confidence[0], c.confidence[0]] == pytest.approx([0.62, 0.42], abs=1e-9)
    assert [b.uncertainty[0], c.uncertainty[0]] == pytest.approx([0.9580420222, 0.981453895], abs=1e-9)
    assert [b.margin[0], c.margin[0]] == pytest.approx([0.02, 0.02], abs=1e-9)
    assert [b.top[0], c.top[0]] == [1, 0]


def test_both_classes_are_watched() -> None:
    """A lost yes is missed in class 1, a lost no in class 0; a class that was not said is NaN."""
    compared = compare(build_binary({}, layout(1)), [[0.9], [0.1], [0.9]], [[0.2], [0.8], [0.9]])
    assert compared.mix.tolist() == [[1, -1], [-1, 1], [0, 0]]
    np.testing.assert_array_equal(compared.missed, [[np.nan, 1], [1, np.nan], [np.nan, 0]])
    np.testing.assert_array_equal(compared.gained, [[1, np.nan], [np.nan, 1], [np.nan, 0]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_probability_that_equals_the_threshold_is_a_no(dtype: type) -> None:
    """It is compared as precisely as the model gives it: float32's 0.6 lies above the number 0.6."""
    kind = build_binary({"threshold": 0.6}, layout())
    assert read(kind, np.array([0.6, 0.601], dtype)).top.tolist() == [0, 1]


def test_thresholds_differ_by_role() -> None:
    """A student whose scores are shifted has a threshold of its own."""
    kind = build_binary({"threshold": {"baseline": 0.5, "compressed": 0.3}}, layout())
    assert read(kind, [0.4], Role.BASELINE).top.tolist() == [0]
    assert read(kind, [0.4], Role.COMPRESSED).top.tolist() == [1]


def test_logits_are_read_through_the_logistic_function() -> None:
    """Large ones do not overflow."""
    reading = read(build_binary({"scale": "logits"}, layout()), [0.0, 1.0, -1000.0, 1000.0])
    assert reading.confidence.tolist() == pytest.approx([0.5, 1 / (1 + np.exp(-1)), 1.0, 1.0], abs=1e-12)
    assert reading.top.tolist() == [0, 1, 0, 1]
    assert reading.entropy[2:].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("value", "fault"), [(np.nan, Fault.NOT_FINITE), (np.inf, Fault.NOT_FINITE), (1.02, Fault.OUT_OF_RANGE)]
)
def test_value_that_is_no_probability_is_a_fault(value: float, fault: Fault) -> None:
    """The rows beside it have none."""
    assert_each_wrong_row_is_a_fault(build_binary({}, layout(1)), [0.5], [value], fault)


def test_rounding_beyond_one_is_none() -> None:
    """A probability within the rounding of int8 becomes 1 or 0."""
    assert read(build_binary({}, layout()), [1.004, -0.004]).confidence.tolist() == [1.0, 1.0]


def test_output_of_two_columns_cannot_be_read() -> None:
    """Every row is a fault."""
    assert read(build_binary({}, layout(-1)), [[0.1, 0.9]]).fault.tolist() == [Fault.OUT_OF_RANGE]


@pytest.mark.parametrize("scale", ["probabilities", "logits"])
def test_kind_keeps_what_monitors_rely_on(scale: str) -> None:
    """`check_kind` passes on rows with ties, certainties and faults."""

    def rows(random: Random, n: int) -> Floats:
        p = random.choice([-0.0, 0.0, 0.5, 1.0, *random.random(4)], (n, 1))
        return p if scale == "probabilities" else 20 * p - 10

    check_with_rows(build_binary({"scale": scale}, layout(1)), rows)


def test_only_output_that_fits_is_taken() -> None:
    """Another output may stand beside it; two that fit must be chosen between."""
    p, embedding, q = (TensorLayout(name, (-1, side), "f") for name, side in (("p", 1), ("e", 8), ("q", 1)))
    assert build_binary({}, PairLayout([], [embedding, p])).outputs == ("p",)
    assert build_binary({}, PairLayout([], [p, q], "q")).outputs == ("q",)
    with pytest.raises(ValueError, match=r"output: kind binary .* write output: p or output: q"):
        build_binary({}, PairLayout([], [p, q]))
    with pytest.raises(ValueError, match=r"the model gives 'e' \(floating-point numbers, \[-1, 8\]\); write another"):
        build_binary({}, PairLayout([], [embedding]))
    with pytest.raises(ValueError, match=r"output: is 'r'; write one of the model's outputs: 'p', 'q'"):
        build_binary({}, PairLayout([], [p, q], "r"))
