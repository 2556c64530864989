import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.kind_samples import (
    Random,
    assert_each_wrong_row_is_a_fault,
    check_with_rows,
    compare,
    layout,
    read,
)
from tightrope.monitors.compare import Decision, Scale, pair_readings, read_output
from tightrope.monitors.kinds.classes import build_classes, first_classes
from tightrope.monitors.kinds.seam import DecisionKind
from tightrope.monitors.records import Fault, Floats, Role

B, C = [[0.5, 0.3, 0.2]], [[0.35, 0.4, 0.25]]


@pytest.mark.parametrize(("options", "loss"), [({}, 1), ({"top": 2}, 0), ({"top": 2, "match": "inside"}, 0)], ids=str)
def test_golden_losses(options: dict[str, object], loss: float) -> None:
    """The first classes differ, and the first two are the same."""
    compared = compare(build_classes(options, layout(3)), B, C)
    assert compared.loss.tolist() == [loss]
    assert compared.distance[0] == pytest.approx(0.12952013926389747, abs=1e-9)


def test_golden_certainty() -> None:
    """Confidence, uncertainty, margin and entropy of both golden rows, and of logits."""
    kind = build_classes({}, layout(3))
    b, c = read(kind, B), read(kind, C)
    assert [b.confidence[0], c.confidence[0]] == pytest.approx([0.5, 0.4], abs=1e-9)
    assert [b.uncertainty[0], c.uncertainty[0]] == pytest.approx([0.9372305632, 0.9835386312], abs=1e-9)
    assert [b.margin[0], c.margin[0]] == pytest.approx([0.2, 0.05], abs=1e-9)
    assert [b.entropy[0], c.entropy[0]] == pytest.approx([1.0296530140645737, 1.080527626604172], abs=1e-9)
    logits = read(build_classes({"scale": "logits"}, layout(3)), [[2.0, 1.0, -1.0]])
    assert logits.confidence[0] == pytest.approx(0.7053845126982412, abs=1e-9)
    assert logits.uncertainty[0] == pytest.approx(0.6497886154669468, abs=1e-9)


def test_class_is_missed_by_one_model_and_gained_by_the_other() -> None:
    """A class that was not said is NaN."""
    compared = compare(build_classes({}, layout(3)), [*B, *B], [*C, *B])
    assert compared.mix.tolist() == [[-1, 1, 0], [0, 0, 0]]
    np.testing.assert_array_equal(compared.missed, [[1, np.nan, np.nan], [0, np.nan, np.nan]])
    np.testing.assert_array_equal(compared.gained, [[np.nan, 1, np.nan], [0, np.nan, np.nan]])


def test_several_classes_are_said_at_once() -> None:
    """The first two of three share one; each class counts on its own."""
    compared = compare(build_classes({"top": 2}, layout(3)), [[0.5, 0.3, 0.2]], [[0.5, 0.2, 0.3]])
    assert compared.loss.tolist() == [0.5]
    assert compared.mix.tolist() == [[0, -1, 1]]
    np.testing.assert_array_equal(compared.missed, [[0, 1, np.nan]])


def test_first_class_must_be_inside() -> None:
    """The baseline's first class may stand second, and not third."""
    kind = build_classes({"top": 2, "match": "inside"}, layout(3))
    compared = compare(kind, [[0.5, 0.3, 0.2]] * 2, [[0.3, 0.5, 0.2], [0.1, 0.5, 0.4]])
    assert compared.loss.tolist() == [0, 1]
    np.testing.assert_array_equal(compared.missed[:, 0], [0, 1])
    np.testing.assert_array_equal(compared.gained[:, 1], [0, 0])


def mapped() -> DecisionKind:
    """A student with two of three classes, in another order."""
    names = {"baseline": ["cat", "dog", "owl"], "compressed": ["owl", "cat"]}
    return build_classes({"classes": names}, layout(-1))


def test_fewer_classes_are_mapped_by_their_names() -> None:
    """The class that the student lacks has the probability 0; its certainty is that of two classes."""
    kind = mapped()
    reading = read(kind, [[0.9, 0.1], [0.5, 0.5]], Role.COMPRESSED)
    assert reading.columns["values"].tolist() == [[0.1, 0, 0.9], [0.5, 0, 0.5]]
    assert reading.top.tolist() == [2, 2]
    assert reading.uncertainty[1] == pytest.approx(1.0)
    compared = compare(kind, [[0.1, 0.2, 0.7], [0.1, 0.8, 0.1]], [[0.9, 0.1], [0.2, 0.8]])
    assert compared.loss.tolist() == [0, 1]
    np.testing.assert_array_equal(compared.missed, [[np.nan, np.nan, 0], [np.nan, 1, np.nan]])


def test_number_of_classes_goes_by_the_role() -> None:
    """A role whose output is wider than its names cannot be read."""
    assert read(mapped(), [[0.2, 0.3, 0.5]], Role.BASELINE).fault.tolist() == [Fault.NONE]
    assert read(mapped(), [[0.2, 0.3, 0.5]], Role.COMPRESSED).fault.tolist() == [Fault.OUT_OF_RANGE]


@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([Scale.PROBABILITIES, Scale.LOGITS]))
def test_figures_are_those_of_the_comparison_of_outputs(seed: int, scale: Scale) -> None:
    """Outputs of one and of several columns are compared as `compare.pair_readings` does, faults included."""
    random = np.random.default_rng(seed)
    width = int(random.integers(1, 5))
    sides = [random.choice([0.0, 0.25, 0.5, 1.0, *random.random(3)], (6, width)) for _ in Role]
    if scale is Scale.PROBABILITIES and width > 1:
        sides = [side / np.maximum(side.sum(axis=1, keepdims=True), 0.1) for side in sides]
    kind = build_classes({"scale": scale}, layout(width))
    compared = compare(kind, *sides)
    paired = pair_readings(*(read_output(side, scale) for side in sides), Decision(scale))
    assert compared.fault.tolist() == paired.fault.tolist()
    np.testing.assert_array_equal(compared.loss, np.where(paired.fault > 0, np.nan, paired.disagree))
    np.testing.assert_array_equal(compared.distance, paired.distance)
    b = read(kind, sides[0])
    for name in ("confidence", "margin", "entropy"):
        sound = b.fault == Fault.NONE
        np.testing.assert_array_equal(
            getattr(b, name)[sound & (paired.fault == 0)],
            getattr(paired, f"{name}_baseline")[sound & (paired.fault == 0)],
        )


@given(seed=st.integers(0, 2**32 - 1), top=st.integers(1, 6))
def test_first_classes_are_those_of_a_stable_order(seed: int, top: int) -> None:
    """Ties go to the lower index."""
    raw = np.random.default_rng(seed).integers(0, 4, (5, 6)).astype(np.float64)
    expected = np.sort(np.argsort(-raw, axis=1, kind="stable")[:, :top], axis=1)
    assert first_classes(raw, np.ones(5, bool), top).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("row", "fault"), [([0.5, np.nan, 0.5], Fault.NOT_FINITE), ([0.9, 0.9, 0.9], Fault.OUT_OF_RANGE)]
)
def test_row_that_is_no_distribution_is_a_fault(row: list[float], fault: Fault) -> None:
    """The rows beside it have none."""
    assert_each_wrong_row_is_a_fault(build_classes({"top": 2}, layout(3)), [0.2, 0.3, 0.5], row, fault)


@pytest.mark.parametrize(
    ("options", "width"),
    [
        ({}, 3),
        ({"scale": "logits"}, 1),
        ({"scale": "logits"}, 30),
        ({"top": 3}, 9),
        ({"top": 2, "match": "inside"}, 5),
        ({"scale": "logits", "top": 2, "classes": {"baseline": ["a", "b", "c"], "compressed": ["d", "c", "a"]}}, 3),
    ],
    ids=str,
)
def test_kind_keeps_what_monitors_rely_on(options: dict[str, object], width: int) -> None:
    """`check_kind` passes on rows with ties, rounding and faults."""

    def rows(random: Random, n: int) -> Floats:
        raw = random.choice([0.0, 1.0, *random.random(6)], (n, width)) + 1e-3
        return raw if options.get("scale") == "logits" else raw / raw.sum(axis=1, keepdims=True)

    check_with_rows(build_classes(options, layout(width)), rows)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"top": 3}, "top: is 3; write a whole number from 1 to 2"),
        ({"match": "inside"}, "match: is 'inside'; write top: 2 or more beside it, or leave match out"),
        ({"match": "any"}, "match: is 'any'; write one of overlap, inside"),
    ],
)
def test_wrong_option_is_named(options: dict[str, object], sentence: str) -> None:
    """The error says what would be right."""
    with pytest.raises(ValueError, match=r"^\w+: ") as error:
        build_classes(options, layout(3))
    assert sentence in str(error.value)
