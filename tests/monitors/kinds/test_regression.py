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
from tightrope.monitors.kinds.regression import build_regression
from tightrope.monitors.records import Fault, Floats

B, C = [[10.0, -0.02]], [[10.4, 0.03]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"tolerance": 0.45}, 0),
        ({"tolerance": 0.3}, 1),
        ({"loss": "relative", "tolerance": 0.05}, 1),
        ({"loss": "relative", "tolerance": 0.05, "floor": 1.0}, 0),
        ({"loss": "bands", "edges": [0, 10.2]}, 1),
        ({"loss": "clipped", "cap": 2.0}, 0.2),
    ],
)
def test_golden_losses(options: dict[str, object], expected: float) -> None:
    """A vector counts by its worst component."""
    assert compare(build_regression(options, layout(2)), B, C).loss[0] == pytest.approx(expected, abs=1e-9)


def test_golden_bias() -> None:
    """The bias is signed; a kind without a cap has no bias."""
    kind = build_regression({"cap": 2.0, "tolerance": 1.0}, layout(2))
    assert compare(kind, B, C).bias[0] == pytest.approx(0.1125, abs=1e-9)
    assert compare(kind, C, B).bias[0] == pytest.approx(-0.1125, abs=1e-9)
    assert compare(kind, [[0, 0]], [[100, 100]]).bias[0] == 1.0
    assert kind.has_bias
    assert not build_regression({}, layout(2)).has_bias


def test_bands_are_classes() -> None:
    """A number at an edge lies in the band above it."""
    kind = build_regression({"loss": "bands", "edges": [0, 10]}, layout())
    assert kind.classes == ("below 0", "0 to 10", "10 or more")
    compared = compare(kind, [-1.0, 5.0, 10.0], [0.0, 9.99, 5.0])
    assert compared.loss.tolist() == [1, 0, 1]
    assert compared.mix.tolist() == [[-1, 1, 0], [0, 0, 0], [0, 1, -1]]
    np.testing.assert_array_equal(compared.missed[0], [1, np.nan, np.nan])
    np.testing.assert_array_equal(compared.gained[2], [np.nan, 1, np.nan])


def test_bands_of_a_vector_are_shares() -> None:
    """The baseline put two of three numbers below 0; one of these stayed."""
    compared = compare(build_regression({"loss": "bands", "edges": [0]}, layout(3)), [[-1, -2, 3]], [[-1, 2, 3]])
    assert compared.missed[0].tolist() == pytest.approx([1 / 2, 0])
    assert compared.gained[0].tolist() == pytest.approx([0, 1 / 2])
    assert compared.mix[0].tolist() == pytest.approx([-1 / 3, 1 / 3])


def test_equal_distance_is_within_the_tolerance() -> None:
    """Only a larger difference disagrees; the largest is shown."""
    compared = compare(build_regression({"tolerance": 0.5}, layout()), [1.0, 1.0], [1.5, 1.75])
    assert compared.loss.tolist() == [0, 1]
    assert compared.distance.tolist() == [0.5, 0.75]


@pytest.mark.parametrize("loss", ["absolute", "relative"])
def test_rounding_is_no_difference(loss: str) -> None:
    """Without a tolerance, too: a compressed model rounds differently."""
    kind = build_regression({"loss": loss}, layout())
    assert compare(kind, [1000.0, 0.0, 1000.0], [1000.0001, 5e-8, 1000.01]).loss.tolist() == [0, 0, 1]


def test_integers_are_numbers() -> None:
    """A model that counts is compared as well."""
    kind = build_regression({"tolerance": 1}, layout(kind="i"))
    assert compare(kind, np.array([3, 3]), np.array([4, 5])).loss.tolist() == [0, 1]


def test_largest_numbers_do_not_overflow_into_a_fault() -> None:
    """Their difference may be infinite, and is a disagreement."""
    compared = compare(build_regression({"loss": "clipped", "cap": 1e-300}, layout()), [1e308], [-1e308])
    assert compared.fault.tolist() == [Fault.NONE]
    assert (compared.loss[0], compared.bias[0]) == (1.0, -1.0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_number_that_is_not_finite_is_a_fault(value: float) -> None:
    """The rows beside it have none."""
    assert_each_wrong_row_is_a_fault(build_regression({}, layout(2)), [1, 2], [1, value], Fault.NOT_FINITE)


def test_another_width_is_a_fault() -> None:
    """It is found in a reading where the model declares its width, and else in the comparison."""
    assert read(build_regression({}, layout(2)), [[1, 2, 3]]).fault.tolist() == [Fault.OUT_OF_RANGE]
    assert compare(build_regression({}, layout(-1)), [[1, 2, 3]], [[1, 2]]).fault.tolist() == [Fault.OUT_OF_RANGE]


@pytest.mark.parametrize(
    "options",
    [
        {"tolerance": 0.5},
        {"loss": "relative", "tolerance": 0.1, "cap": 3},
        {"loss": "bands", "edges": [-1, 0, 0.5]},
        {"loss": "clipped", "cap": 0.7},
        {"loss": "bands", "edges": [each / 3e7 for each in range(30)]},
    ],
    ids=lambda options: options.get("loss", "absolute") + str(len(options.get("edges", ""))),
)
@pytest.mark.parametrize("width", [1, 5, 300])
def test_kind_keeps_what_monitors_rely_on(options: dict[str, object], width: int) -> None:
    """`check_kind` passes on rows with ties and faults."""

    def rows(random: Random, n: int) -> Floats:
        return random.choice([0.0, -1.0, *random.normal(size=6)], (n, width))

    check_with_rows(build_regression(options, layout(width)), rows)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tolerance": -1}, "tolerance: is -1; write a number from 0"),
        ({"tolerance": "much"}, "tolerance: is 'much'; write a number from 0"),
        ({"tolerance": True}, "tolerance: is True; write a number from 0"),
        ({"floor": np.inf}, "floor: is inf; write a number from 0"),
        ({"cap": 0}, "cap: is 0; write a number above 0"),
        ({"loss": "clipped"}, "cap: is missing, and loss: clipped needs it; write a number above 0"),
        ({"loss": "bands"}, "edges: is missing, and loss: bands needs it; write the numbers between the bands"),
        ({"loss": "bands", "edges": [1, 1]}, "edges: is [1, 1]; write each number larger than the one before it"),
        ({"loss": "bands", "edges": ["a"]}, "edges: is ['a']; write a list of numbers"),
    ],
)
def test_wrong_option_is_named(options: dict[str, object], sentence: str) -> None:
    """The error says what would be right."""
    with pytest.raises(ValueError, match=r"^\w+: ") as error:
        build_regression(options, layout())
    assert sentence in str(error.value)
