from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.kind_samples import Random, check_with_rows, compare, layout, read
from tightrope.monitors.kinds.labels import build_labels
from tightrope.monitors.kinds.seam import NO_CLASS, DecisionKind, PairLayout, TensorLayout
from tightrope.monitors.records import Fault, Role

STRINGS = layout(kind="O")


def texts(*labels: object) -> NDArray[Any]:
    """Labels as the runtime gives strings."""
    return np.array(labels, object)


def test_labels_that_differ_disagree() -> None:
    """Strings and integers are compared as they are; a text of bytes is its text."""
    assert compare(build_labels({}, STRINGS), texts("a", "b", "c"), texts("a", "x", b"c")).loss.tolist() == [0, 1, 0]
    kind = build_labels({}, layout(1, kind="i"))
    compared = compare(kind, np.array([[3], [-4]]), np.array([[3], [5]]))
    assert compared.loss.tolist() == [0, 1]
    assert read(kind, np.array([[3], [-4]])).top.tolist() == [3, NO_CLASS]
    assert (kind.has_top, build_labels({}, STRINGS).has_top) == (True, False)


def test_floating_point_labels_are_rounded() -> None:
    """A student in half precision gives 2.998 for class 3."""
    kind = build_labels({}, layout())
    assert compare(kind, np.array([3.0, 2.0]), np.array([2.998, 2.6], np.float16)).loss.tolist() == [0, 1]
    assert read(kind, [np.nan, np.inf, 1e30, 1.0]).fault.tolist() == [1, 1, 2, 0]


def named() -> DecisionKind:
    """Three named classes."""
    return build_labels({"classes": ["cat", "dog", "owl"]}, STRINGS)


def test_names_and_positions_are_the_same_classes() -> None:
    """A baseline that gives strings is compared with a student that gives integers."""
    compared = compare(named(), texts("cat", "owl", "dog"), np.array([0, 2, 2]))
    assert compared.loss.tolist() == [0, 0, 1]
    assert compared.mix.tolist() == [[0, 0, 0], [0, 0, 0], [0, -1, 1]]
    np.testing.assert_array_equal(compared.missed[2], [np.nan, 1, np.nan])
    np.testing.assert_array_equal(compared.gained[2], [np.nan, np.nan, 1])


def test_classes_that_are_integers_are_looked_up_by_value() -> None:
    """Positions do not matter then."""
    kind = build_labels({"classes": [20, 10]}, layout(kind="i"))
    assert read(kind, np.array([10, 20, 30])).top.tolist() == [1, 0, NO_CLASS]
    assert kind.classes == ("20", "10")


def test_roles_may_have_classes_in_another_order() -> None:
    """Integers are positions in the role's own list."""
    kind = build_labels({"classes": {"baseline": ["cat", "dog"], "compressed": ["dog", "cat"]}}, layout(kind="i"))
    assert compare(kind, np.array([0, 1]), np.array([1, 1])).loss.tolist() == [0, 1]


@pytest.mark.parametrize("label", ["bird", None, 7, 1.5])
def test_label_that_is_no_class_is_a_fault(label: object) -> None:
    """It cannot be known to be the other model's; the rows beside it are compared."""
    assert read(named(), texts("cat", label, "owl")).fault.tolist() == [Fault.NONE, Fault.OUT_OF_RANGE, Fault.NONE]
    assert read(named(), np.array([3, 0, -1])).fault.tolist() == [Fault.OUT_OF_RANGE, Fault.NONE, Fault.OUT_OF_RANGE]


def test_strings_and_integers_without_classes_cannot_be_compared() -> None:
    """It is a fault of every row."""
    assert compare(build_labels({}, STRINGS), texts("1", "2"), np.array([1, 2])).fault.tolist() == [2, 2]


def test_integers_beyond_64_bits_are_faults() -> None:
    """They would become negative."""
    labels = np.array([2**64 - 1, 1], np.uint64)
    assert read(build_labels({}, layout(kind="u")), labels).fault.tolist() == [Fault.OUT_OF_RANGE, Fault.NONE]


@pytest.mark.parametrize("options", [{}, {"classes": ["0", "1", "2"]}], ids=str)
@pytest.mark.parametrize("made", ["text", "integer", "float"])
def test_kind_keeps_what_monitors_rely_on(options: dict[str, object], made: str) -> None:
    """`check_kind` passes on strings, integers and floating-point labels with faults."""

    def rows(random: Random, n: int) -> NDArray[Any]:
        labels = random.integers(0, 4, n)
        if made == "text":
            return np.array([str(label) for label in labels], object)
        return labels if made == "integer" else labels.astype(np.float64)

    check_with_rows(build_labels(options, layout(kind={"text": "O", "integer": "i", "float": "f"}[made])), rows)


def test_output_of_labels_is_preferred_to_one_of_numbers() -> None:
    """A score of one number stands beside the label; a model of floating-point labels alone is read as well."""
    score, label = TensorLayout("score", (-1, 1), "f"), TensorLayout("label", (-1,), "i")
    assert build_labels({}, PairLayout([], [score, label])).outputs == ("label",)
    assert build_labels({}, PairLayout([], [score])).outputs == ("score",)
    with pytest.raises(ValueError, match="output: kind labels reads one label a row"):
        build_labels({}, PairLayout([], [TensorLayout("p", (-1, 3), "f")]))
    assert read(build_labels({}, layout(-1, kind="i")), np.array([[1, 2]]), Role.COMPRESSED).fault.tolist() == [2]
