from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.kind_samples import Random, check_with_rows, compare, layout, read
from tightrope.monitors.kinds.positions import build_positions
from tightrope.monitors.kinds.seam import DecisionKind, PairLayout, TensorLayout
from tightrope.monitors.records import Fault, Role

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
B, C, MASK = [1, 2, 0, 3, 4, 0], [1, 2, 2, 3, 0, 1], [1, 1, 1, 1, 1, 0]
MASKED = (TensorLayout("mask", (-1, -1), "i"),)


def tagger(**options: Any) -> DecisionKind:  # noqa: ANN401 - any option
    """A tagger of tokens with five tags and a mask."""
    return build_positions({"mask": "mask", **options}, layout(-1, 5, inputs=MASKED))


def scores(ids: list[int], classes: int = 5) -> NDArray[Any]:
    """Logits of one row, whose largest ones are at these classes."""
    return np.eye(classes)[[ids]] * 3


@pytest.mark.parametrize(
    ("options", "loss"), [({}, 0.4), ({"loss": "any"}, 1), ({"loss": "spans", "tags": TAGS}, 1)], ids=str
)
def test_golden_losses_of_a_tagger(options: dict[str, object], loss: float) -> None:
    """The place that the mask leaves out does not count."""
    assert compare(tagger(**options), scores(B), scores(C), mask=[MASK]).loss[0] == pytest.approx(loss, abs=1e-9)


@pytest.mark.parametrize(("options", "loss"), [({}, 0.5), ({"background": 0}, 0.4166666667)], ids=str)
def test_golden_intersection_over_union(options: dict[str, object], loss: float) -> None:
    """Classes that neither model said do not count, nor does the background."""
    kind = build_positions({"loss": "iou", **options}, layout(-1, 4))
    compared = compare(kind, scores([0, 0, 1, 1, 2, 2], 4), scores([0, 1, 1, 1, 2, 0], 4))
    assert compared.loss[0] == pytest.approx(loss, abs=1e-9)


def test_row_without_a_kept_place_does_not_speak() -> None:
    """It has neither a loss nor a fault."""
    for loss in ("share", "any", "spans", "iou"):
        compared = compare(tagger(loss=loss, tags=TAGS), scores(B), scores(C), mask=[[0] * 6])
        assert np.isnan(compared.loss).all()
        assert compared.fault.tolist() == [Fault.NONE]


def test_classes_are_compared_by_shares_of_places() -> None:
    """The baseline said class 0 once, which the compressed model lost; that one said class 2 once more."""
    compared = compare(tagger(), scores(B), scores(C), mask=[MASK])
    assert compared.mix[0].tolist() == pytest.approx([0, 0, 0.2, 0, -0.2])
    np.testing.assert_allclose(compared.missed[0], [1, 0, 0, 0, 1])
    np.testing.assert_allclose(compared.gained[0], [1, 0, 0.5, 0, np.nan])


def test_confidence_is_that_of_the_kept_places() -> None:
    """Their mean, or the least certain one; H / ln C is the uncertainty."""
    p = np.array([[[0.9, 0.1], [0.6, 0.4], [0.5, 0.5]]])
    two = layout(-1, 2, inputs=MASKED)
    for confidence, expected in (("mean", 0.75), ("min", 0.6)):
        options = {"mask": "mask", "scale": "probabilities", "confidence": confidence}
        reading = read(build_positions(options, two), p, mask=[[1, 1, 0]])
        assert reading.confidence[0] == pytest.approx(expected, abs=1e-12)
        entropies = [-(q * np.log(q) + (1 - q) * np.log(1 - q)) for q in (0.9, 0.6)]
        assert reading.entropy[0] == pytest.approx(np.mean(entropies), abs=1e-12)
        assert reading.uncertainty[0] == pytest.approx(np.mean(entropies) / np.log(2), abs=1e-12)


def test_each_place_is_yes_or_no_by_a_threshold() -> None:
    """A segmenter of one class; thresholds may differ by role."""
    kind = build_positions({"threshold": {"baseline": 0.3, "compressed": 0.5}, "loss": "iou"}, layout(1, -1, -1))
    b, c = np.array([[[[0.9, 0.4], [0.1, 0.3]]]]), np.array([[[[0.6, 0.4], [0.1, 0.3]]]])
    assert read(kind, b).columns["ids"].tolist() == [[1, 1, 0, 0]]
    assert compare(kind, b, c).loss[0] == pytest.approx(1 - (1 / 2 + 2 / 3) / 2)
    assert kind.classes == ("0", "1")


def test_classes_may_stand_on_another_axis() -> None:
    """Images have them before height and width; a mask may have a side of length 1."""
    mask = (TensorLayout("mask", (-1, 1, -1, -1), "f"),)
    kind = build_positions({"class_axis": 1, "mask": "mask"}, layout(3, -1, -1, inputs=mask))
    random = np.random.default_rng(0)
    b, c, kept = random.random((2, 3, 4, 5)), random.random((2, 3, 4, 5)), random.random((2, 1, 4, 5)) < 0.5
    differs = (b.argmax(axis=1) != c.argmax(axis=1)) & kept[:, 0]
    assert compare(kind, b, c, mask=kept).loss.tolist() == pytest.approx(
        differs.sum(axis=(1, 2)) / kept.sum(axis=(1, 2, 3))
    )


def test_ids_of_classes_are_compared_as_they_are() -> None:
    """A model that takes the largest score itself has no confidence."""
    kind = build_positions({"loss": "iou", "tags": ["sky", "sea"]}, layout(-1, kind="i"))
    assert compare(kind, np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]])).loss[0] == pytest.approx(
        1 - (1 / 2 + 2 / 3) / 2
    )
    assert not kind.has_confidence


def test_classes_that_the_baseline_ignores_do_not_count() -> None:
    """A compressed model that says the ignored class everywhere is not excused."""
    kind = tagger(ignore=["O"], tags=TAGS)
    all_outside = scores([0] * 6)
    assert compare(kind, scores([1, 0, 0, 0, 0, 0]), scores([1, 1, 1, 1, 1, 1]), mask=[MASK]).loss.tolist() == [0]
    assert compare(kind, scores([1, 1, 0, 0, 0, 0]), all_outside, mask=[MASK]).loss.tolist() == [1]


def test_another_number_of_places_is_a_fault() -> None:
    """A mask of another length, another number of classes, and a missing mask are faults too."""
    assert compare(build_positions({}, layout(-1, 5)), scores(B), scores(C[:4])).fault.tolist() == [Fault.OUT_OF_RANGE]
    assert read(tagger(), scores(B), mask=[[1, 1]]).fault.tolist() == [Fault.OUT_OF_RANGE]
    assert read(tagger(), scores(B, 6), mask=[MASK]).fault.tolist() == [Fault.OUT_OF_RANGE]
    assert read(tagger(), scores(B), Role.COMPRESSED).fault.tolist() == [Fault.OUT_OF_RANGE]


def test_reading_is_small() -> None:
    """One byte a place, instead of a score a class and place."""
    assert read(tagger(), scores(B), mask=[MASK]).columns["ids"].dtype == np.int8
    assert tagger().is_condensed
    assert (tagger().is_cheap, build_positions({"threshold": 0.5}, layout(1, 512, 512)).is_cheap) == (True, False)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"mask": "mask"}, (6, 5)),
        ({"mask": "mask", "loss": "spans", "tags": TAGS}, (6, 5)),
        ({"mask": "mask", "loss": "iou", "class_axis": 1, "background": 0}, (4, 6)),
        ({"mask": "mask", "threshold": 0.5, "loss": "iou"}, (6,)),
        ({"mask": "mask", "threshold": 0.5, "loss": "any", "scale": "logits", "confidence": "min"}, (1, 6)),
        ({"mask": "mask", "scale": "probabilities", "ignore": 2}, (6, 70)),
    ],
    ids=str,
)
def test_kind_keeps_what_monitors_rely_on(options: dict[str, Any], shape: tuple[int, ...]) -> None:
    """`check_kind` passes with masks that keep some, all or no places."""

    def rows(random: Random, n: int) -> NDArray[Any]:
        made = random.choice([0.0, 0.5, *random.random(4)], (n, *shape)) + 0.01
        wide = options.get("scale") == "probabilities"
        return made / made.sum(axis=-1, keepdims=True) if wide else np.minimum(made, 1.0)

    def mask(random: Random, n: int) -> NDArray[Any]:
        return (random.random((n, 6)) < random.choice([0.0, 0.5, 1.0], (n, 1))).astype(np.int64)

    check_with_rows(build_positions(options, layout(*shape, inputs=MASKED)), rows, mask)


def test_kind_of_ids_keeps_what_monitors_rely_on() -> None:
    """`check_kind` passes for models that give ids."""
    kind = build_positions({"tags": TAGS, "loss": "spans"}, layout(-1, kind="i"))
    check_with_rows(kind, lambda random, n: random.integers(0, 6, (n, 7)))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"loss": "spans"}, "tags: is missing, and loss: spans needs it; write the list of tags"),
        ({"tags": ["O"]}, "tags: has 1 names, but the output has 5 columns; write 5 names"),
        ({"class_axis": 3}, "class_axis: is 3; write the axis of the classes in [-1, -1, 5], from 1 to 2, or -1"),
        ({"class_axis": 1, "threshold": 0.5}, "class_axis: is 1; write either class_axis or threshold, not both"),
        ({"threshold": 2}, "threshold: is 2; write a number between 0 and 1"),
        ({"background": 5}, "background: is 5; write a class, from 0 to 4"),
        ({"ignore": [0, "X"], "tags": TAGS}, "ignore: is 'X'; write a class, from 0 to 4, or a tag"),
        ({"mask": "attention"}, "mask: is 'attention'; write one of the model's inputs: 'mask'"),
        ({"confidence": "max"}, "confidence: is 'max'; write one of mean, min"),
    ],
    ids=str,
)
def test_wrong_option_is_named(options: dict[str, object], sentence: str) -> None:
    """The error says what would be right."""
    with pytest.raises(ValueError, match=r"^\w+: ") as error:
        build_positions(options, layout(-1, 5, inputs=MASKED))
    assert sentence in str(error.value)


def test_overlap_of_ids_needs_the_number_of_classes() -> None:
    """A wrong id of two billion would otherwise ask for as many counters."""
    with pytest.raises(ValueError, match="tags: is missing, and loss: iou of class ids needs it"):
        build_positions({"loss": "iou"}, layout(-1, kind="i"))
    ids = np.array([[0, 2**31 - 2]])
    assert compare(build_positions({}, layout(-1, kind="i")), ids, ids[:, ::-1]).loss.tolist() == [1]


def test_output_must_have_places() -> None:
    """A row of scores is one of classes."""
    with pytest.raises(ValueError, match=r"output: kind positions reads scores of classes a place"):
        build_positions({}, PairLayout([], [TensorLayout("p", (-1, 3), "f")]))
