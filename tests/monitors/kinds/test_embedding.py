from math import acos, pi
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.kind_samples import (
    Random,
    assert_each_wrong_row_is_a_fault,
    check_with_rows,
    compare,
    layout,
    read,
)
from tightrope.monitors.kinds.embedding import build_embedding, nearest_anchors, pool_tokens, unit_vectors
from tightrope.monitors.kinds.seam import PairLayout, TensorLayout
from tightrope.monitors.records import Fault, Floats, Role

B, C = [[1.0, 2.0, 2.0]], [[2.0, 1.0, 2.0]]
ANCHORS = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1]]
MASKED = (TensorLayout("mask", (-1, -1), "i"),)


def cosine(b: Floats, c: Floats) -> float:
    """The cosine of two vectors, as it is defined; two zero vectors are alike, and one is opposite to any other."""
    lengths = float(np.linalg.norm(b)), float(np.linalg.norm(c))
    if 0 in lengths:
        return 1.0 if lengths[0] == lengths[1] else -1.0
    return float(np.clip(b @ c / (lengths[0] * lengths[1]), -1, 1))


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        ({}, 0.1514780247262935),
        ({"loss": "cosine"}, 0.05555555555555558),
        ({"loss": "beyond", "tolerance": 0.05}, 1),
        ({"loss": "beyond", "tolerance": 0.2}, 0),
        ({"loss": "neighbours", "anchors": ANCHORS, "k": 2}, 0),
    ],
    ids=str,
)
def test_golden_losses(options: dict[str, object], loss: float) -> None:
    """The cosine of the golden vectors is 8/9."""
    assert compare(build_embedding(options, layout(3)), B, C).loss[0] == pytest.approx(loss, abs=1e-9)


@pytest.mark.parametrize("loss", ["angular", "cosine", "beyond"])
def test_zero_is_as_far_as_can_be_from_all_others(loss: str) -> None:
    """Two zero vectors are alike."""
    kind = build_embedding({"loss": loss}, layout(2))
    assert compare(kind, [[0, 0], [0, 0], [1, 0]], [[1, 0], [0, 0], [0, 0]]).loss.tolist() == [1, 0, 1]


def test_golden_pooling() -> None:
    """The masked mean of three tokens, and the first of them; no kept token, no vector."""
    tokens = np.array([[[1, 2], [3, 4], [9, 9]]], np.float32)
    for mask, pool, expected in (
        ([[1, 1, 0]], "mean", [2, 3]),
        ([[1, 3, 0]], "mean", [2.5, 3.5]),
        (None, "cls", [1, 2]),
    ):
        pooled = pool_tokens(tokens, None if mask is None else np.array(mask), pool)
        assert pooled is not None
        assert pooled.tolist() == [expected]
    kind = build_embedding({"pool": "mean", "mask": "mask"}, layout(-1, 2, inputs=MASKED))
    compared = compare(kind, tokens, tokens, mask=[[0, 0, 0]])
    assert np.isnan(compared.loss).all()
    assert compared.fault.tolist() == [Fault.NONE]


@given(seed=st.integers(0, 2**32 - 1), width=st.integers(2, 9))
def test_angle_is_that_of_the_cosine(seed: int, width: int) -> None:
    """Vectors of any length, some of them zero, equal or opposite."""
    random = np.random.default_rng(seed)
    b = random.normal(size=(6, width)) * random.choice([0, 1e-200, 1, 1e200], (6, 1))
    c = np.stack([random.normal(size=width), b[1], -b[2], 3 * b[3], np.zeros(width), random.normal(size=width)])
    angular, half = (
        compare(build_embedding({"loss": loss}, layout(width)), b, c).loss for loss in ("angular", "cosine")
    )
    expected = [cosine(*(row / max(np.abs(row).max(), 1e-300) for row in rows)) for rows in zip(b, c, strict=True)]
    assert half.tolist() == pytest.approx([(1 - each) / 2 for each in expected], abs=1e-12)
    assert angular.tolist() == pytest.approx([acos(each) / pi for each in expected], abs=1e-7)


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 7))
def test_neighbours_are_those_found_one_by_one(seed: int, k: int) -> None:
    """Ties go to the lower anchor; anchors and rows may be zero."""
    random = np.random.default_rng(seed)
    rows, anchors = (random.integers(-1, 2, (n, 3)).astype(np.float64) for n in (4, 7))
    nearest, closest = nearest_anchors(unit_vectors(rows), unit_vectors(anchors), k)
    for row, found, near in zip(rows, nearest, closest, strict=True):
        cosines = np.array([cosine(row, anchor) for anchor in anchors])
        assert near == pytest.approx(cosines.max(), abs=1e-12)
        assert sorted(cosines[found]) == pytest.approx(sorted(cosines)[-k:], abs=1e-12)


def test_roles_may_have_other_widths_with_anchors_of_their_own() -> None:
    """A student of two numbers is compared with a baseline of three by the neighbours that they share."""
    anchors = {"baseline": ANCHORS, "compressed": [[1, 0], [0, 1], [-1, 0], [1, 1], [-1, 1]]}
    kind = build_embedding({"loss": "neighbours", "anchors": anchors, "k": 2}, layout(3))
    compared = compare(kind, [[1, 0.1, 0], [0, 1, 0.1]], [[1, 0.1], [1, -1]])
    assert compared.loss.tolist() == [0, 1]
    assert read(kind, B, Role.COMPRESSED).fault.tolist() == [Fault.OUT_OF_RANGE]


def test_confidence_is_nearness_to_an_anchor() -> None:
    """A kind without anchors gives no confidence."""
    kind = build_embedding({"anchors": np.array(ANCHORS, np.float32)}, layout(3))
    reading = read(kind, [[5, 0, 0], [-1, -1, -1]])
    assert reading.confidence.tolist() == pytest.approx([1, (1 - 1 / np.sqrt(3)) / 2], abs=1e-7)
    assert reading.uncertainty.tolist() == pytest.approx([0, (1 + 1 / np.sqrt(3)) / 2], abs=1e-7)
    assert kind.has_confidence
    assert not build_embedding({}, layout(3)).has_confidence


def test_another_shape_is_a_fault() -> None:
    """Vectors of different width have no angle; tokens that the mask does not fit have no mean."""
    assert compare(build_embedding({}, layout(-1)), [[1, 2]], [[1, 2, 3]]).fault.tolist() == [Fault.OUT_OF_RANGE]
    kind = build_embedding({"pool": "mean", "mask": "mask"}, layout(-1, 2, inputs=MASKED))
    assert read(kind, [[[1, 2], [3, 4]]], mask=[[1, 1, 1]]).fault.tolist() == [Fault.OUT_OF_RANGE]
    assert read(kind, [[1, 2]], mask=[[1, 1]]).fault.tolist() == [Fault.OUT_OF_RANGE]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vector_that_is_not_finite_is_a_fault(value: float) -> None:
    """The rows beside it have none; padded tokens may hold anything."""
    assert_each_wrong_row_is_a_fault(build_embedding({}, layout(2)), [1, 2], [1, value], Fault.NOT_FINITE)
    kind = build_embedding({"pool": "mean", "mask": "mask"}, layout(-1, 2, inputs=MASKED))
    assert read(kind, [[[1, 2], [value, 4]]], mask=[[1, 0]]).fault.tolist() == [Fault.NONE]


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (3,)),
        ({"loss": "cosine"}, (384,)),
        ({"loss": "beyond"}, (24,)),
        ({"loss": "neighbours", "k": 3}, (24,)),
        ({"anchors": True}, (24,)),
        ({"pool": "mean", "mask": "mask"}, (6, 24)),
        ({"pool": "mean"}, (6, 2)),
        ({"pool": "cls", "loss": "neighbours", "k": 1}, (6, 2)),
    ],
    ids=str,
)
def test_kind_keeps_what_monitors_rely_on(options: dict[str, Any], shape: tuple[int, ...]) -> None:
    """`check_kind` passes on equal, zero and broken vectors."""
    anchors = np.random.default_rng(0).normal(size=(15, shape[-1]))
    given = {"anchors": anchors} if "anchors" in options or options.get("loss") == "neighbours" else {}

    def rows(random: Random, n: int) -> NDArray[Any]:
        return random.normal(size=(n, *shape)) * random.choice([0, 1, 1], (n, *[1] * len(shape)))

    def mask(random: Random, n: int) -> NDArray[Any]:
        return (random.random((n, 6)) < random.choice([0.0, 0.5, 1.0], (n, 1))).astype(np.int64)

    kind = build_embedding({**options, **given}, layout(*shape, inputs=MASKED))
    check_with_rows(kind, rows, mask if "mask" in options else None)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"loss": "neighbours"}, "anchors: is missing, and loss: neighbours needs it; write a file of vectors"),
        ({"loss": "neighbours", "anchors": ANCHORS, "k": 5}, "k: is 5; write a whole number from 1 to 4"),
        ({"loss": "neighbours", "anchors": [[1, 0, 0]]}, "anchors: has 1 vector, which is always the nearest"),
        ({"anchors": [[1, 0]]}, "anchors: has 2 numbers a vector; write 3 numbers, as the output has"),
        ({"anchors": np.zeros(3)}, "anchors: is 'array of shape [3]'; write an array of finite vectors"),
        ({"anchors": "a.npy"}, "anchors: is 'a.npy'; write an array of finite vectors"),
        ({"anchors": {"baseline": ANCHORS, "compressed": ANCHORS[:2]}}, "has 5 vectors for baseline and 2 for compre"),
        ({"anchors": {"baseline": ANCHORS}}, "write an array for baseline and one for compressed"),
        ({"mask": "mask"}, "mask: is 'mask'; write pool: mean beside it, or leave mask out"),
        ({"pool": "max"}, "pool: is 'max'; write one of none, mean, cls"),
        ({"tolerance": -1}, "tolerance: is -1; write a number from 0"),
    ],
    ids=str,
)
def test_wrong_option_is_named(options: dict[str, object], sentence: str) -> None:
    """The error says what would be right."""
    with pytest.raises(ValueError, match=r"^\w+: ") as error:
        build_embedding(options, layout(3, inputs=MASKED))
    assert sentence in str(error.value)


def test_vectors_of_tokens_need_a_pool() -> None:
    """Two outputs of vectors must be chosen between."""
    tokens, vector = TensorLayout("last_hidden_state", (-1, -1, 8), "f"), TensorLayout("pooled", (-1, 8), "f")
    assert build_embedding({}, PairLayout([], [tokens, vector])).outputs == ("pooled",)
    assert build_embedding({"pool": "cls"}, PairLayout([], [tokens, vector])).outputs == ("last_hidden_state",)
    with pytest.raises(ValueError, match="kind embedding reads a vector a row"):
        build_embedding({}, PairLayout([], [tokens]))
