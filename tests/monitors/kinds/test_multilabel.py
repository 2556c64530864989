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
from tightrope.monitors.kinds.multilabel import build_multilabel
from tightrope.monitors.records import Fault, Floats, Role

B, C = [[0.9, 0.4, 0.2, 0.55]], [[0.8, 0.6, 0.1, 0.45]]


@pytest.mark.parametrize(("loss", "expected"), [("any", 1), ("hamming", 0.5), ("jaccard", 0.6666666667)])
def test_golden_losses(loss: str, expected: float) -> None:
    """Two of four labels flip, and one of three is said by both."""
    assert compare(build_multilabel({"loss": loss}, layout(4)), B, C).loss[0] == pytest.approx(expected, abs=1e-9)


def test_golden_classes_and_confidence() -> None:
    """The second label is gained and the fourth is missed."""
    kind = build_multilabel({}, layout(4))
    compared, reading = compare(kind, B, C), read(kind, B)
    assert compared.mix.tolist() == [[0, 1, 0, -1]]
    np.testing.assert_array_equal(compared.missed, [[0, np.nan, np.nan, 1]])
    np.testing.assert_array_equal(compared.gained, [[0, 1, np.nan, np.nan]])
    assert reading.confidence[0] == pytest.approx(0.55, abs=1e-9)
    assert reading.uncertainty[0] == pytest.approx(0.7886621842, abs=1e-9)


def test_each_label_has_its_threshold() -> None:
    """With thresholds of their own, all four labels of the golden rows agree."""
    kind = build_multilabel({"thresholds": [0.5, 0.3, 0.5, 0.4], "loss": "hamming"}, layout(4))
    assert compare(kind, B, C).loss.tolist() == [0.0]
    by_role = build_multilabel({"thresholds": {"baseline": 0.5, "compressed": [0.5, 0.7, 0.5, 0.4]}}, layout(4))
    assert read(by_role, C, Role.COMPRESSED).columns["yes"].tolist() == [[True, False, False, True]]
    assert compare(by_role, B, C).loss.tolist() == [0.0]


def test_rows_without_a_label_agree() -> None:
    """The Jaccard distance of nothing and nothing is 0."""
    assert compare(build_multilabel({"loss": "jaccard"}, layout(2)), [[0.1, 0.1]], [[0.2, 0.1]]).loss.tolist() == [0.0]


def test_confidence_of_many_labels_is_their_mean() -> None:
    """The least certain of a hundred labels is never certain; classes are not watched one by one."""
    row = np.full((1, 40), 0.9)
    row[0, 0] = 0.5
    kind = build_multilabel({}, layout(40))
    assert read(kind, row).confidence[0] == pytest.approx((39 * 0.9 + 0.5) / 40)
    assert compare(kind, row, row).mix.shape == (1, 0)


def test_logits_are_no_softmax() -> None:
    """Two labels may both be likely."""
    kind = build_multilabel({"scale": "logits"}, layout(2))
    assert read(kind, [[3.0, 4.0]]).columns["yes"].tolist() == [[True, True]]


@pytest.mark.parametrize(("value", "fault"), [(np.nan, Fault.NOT_FINITE), (-0.02, Fault.OUT_OF_RANGE)])
def test_value_that_is_no_probability_is_a_fault(value: float, fault: Fault) -> None:
    """One such label spoils its row only."""
    assert_each_wrong_row_is_a_fault(build_multilabel({}, layout(2)), [0.5, 0.1], [0.5, value], fault)


def test_another_number_of_labels_is_a_fault() -> None:
    """Columns are not matched by their place."""
    kind = build_multilabel({"labels": ["a", "b"]}, layout(-1))
    assert read(kind, [[0.1, 0.2, 0.3]]).fault.tolist() == [Fault.OUT_OF_RANGE]
    assert compare(kind, [[0.1, 0.2, 0.3]], [[0.1, 0.2, 0.3]]).missed.shape == (1, 2)
    free = build_multilabel({}, layout(-1))
    assert compare(free, [[0.1, 0.2, 0.3]], [[0.1, 0.2]]).fault.tolist() == [Fault.OUT_OF_RANGE]


@pytest.mark.parametrize("loss", ["any", "hamming", "jaccard"])
@pytest.mark.parametrize("labels", [1, 3, 25])
def test_kind_keeps_what_monitors_rely_on(loss: str, labels: int) -> None:
    """`check_kind` passes on rows with ties, certainties and faults."""

    def rows(random: Random, n: int) -> Floats:
        return random.choice([-0.0, 0.0, 0.5, 1.0, *random.random(4)], (n, labels))

    check_with_rows(build_multilabel({"loss": loss}, layout(labels)), rows)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"loss": "f1"}, "loss: is 'f1'; write one of any, hamming, jaccard"),
        ({"scale": "regression"}, "scale: is 'regression'; write one of probabilities, logits"),
        ({"thresholds": 1.5}, "thresholds: is 1.5; write a number between 0 and 1"),
        ({"thresholds": [0.5] * 3}, "thresholds: has 3 numbers, but the output has 4 columns; write 4"),
        ({"thresholds": {"baseline": 0.5}}, "write a threshold for baseline and one for compressed"),
        ({"labels": ["a", "b"]}, "labels: has 2 names, but the output has 4 columns; write 4 names"),
        ({"labels": ["a", "b", "a", "c"]}, "each name once: 'a' stands there 2 times"),
        ({"labels": "abcd"}, "labels: is 'abcd'; write a list of names"),
    ],
)
def test_wrong_option_is_named(options: dict[str, object], sentence: str) -> None:
    """The error says what would be right."""
    with pytest.raises(ValueError, match=r"^\w+: ") as error:
        build_multilabel(options, layout(4))
    assert sentence in str(error.value)
