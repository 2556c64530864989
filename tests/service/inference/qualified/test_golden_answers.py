"""Golden answers are the same bytes on every host, and the distance from them says how far another host is."""

import base64
from collections.abc import Sequence
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.support.harmful_pair import write_models
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.qualified.golden_answers import (
    MAX_GOLDEN_ROWS,
    GoldenError,
    answer,
    decode_rows,
    distance,
    distances,
    encode_answers,
    encode_rows,
)
from tightrope.service.protocol.tensors import TensorSpec, dtype_of
from tightrope.service.statements.qualification import GoldenRecord

ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)
ONE = (TensorSpec("input", "FP32", (-1, 4)),)


def golden(rows: Any, answers: dict[str, str] | None = None) -> GoldenRecord:  # noqa: ANN401 - as in a statement
    """A record of a statement."""
    return GoldenRecord(rows=rows, answers=answers or {}, bound={"baseline": 1e-4, "compressed": 1e-4})


@pytest.fixture
def pair(tmp_path: Path) -> ModelPair:
    """A pair of two small models."""
    return pair_of(tmp_path, **write_models(tmp_path))


@pytest.mark.parametrize("datatype", ["FP32", "FP64", "INT64", "UINT8", "BOOL", "FP16"])
def test_rows_survive_their_encoding(datatype: str) -> None:
    """Every datatype, with its shape."""
    values = (np.arange(6).reshape(3, 2) % 2).astype(dtype_of(datatype))
    read = decode_rows(golden(encode_rows({"x": values})), [TensorSpec("x", datatype, (-1, -1))])
    assert read["x"].dtype == dtype_of(datatype)
    assert np.array_equal(read["x"], values)


def test_texts_survive_their_encoding() -> None:
    """As onnxruntime takes them: objects."""
    values = np.array([["a"], ["ü"]], object)
    read = decode_rows(golden(encode_rows({"x": values})), [TensorSpec("x", "BYTES", (-1, 1))])
    assert read["x"].tolist() == values.tolist()


def test_rows_of_one_input_may_be_its_bytes() -> None:
    """The shape is the model's."""
    read = decode_rows(golden(base64.b64encode(ROWS.tobytes()).decode()), ONE)
    assert np.array_equal(read["input"], ROWS)


@pytest.mark.parametrize(
    "rows",
    [
        "no base64!",
        base64.b64encode(b"123").decode(),
        "",
        {},
        {"other": {"shape": [1, 4], "data": ""}},
        {"input": {"shape": [1, 5], "data": ""}},
        {"input": {"shape": [1], "data": ""}},
        {"input": {"data": ""}},
        {"input": {"shape": 4, "data": ""}},
        {"input": 7},
        {
            "input": {
                "shape": [MAX_GOLDEN_ROWS + 1, 4],
                "data": base64.b64encode(bytes(16 * MAX_GOLDEN_ROWS + 16)).decode(),
            }
        },
    ],
)
def test_rows_that_do_not_fit_are_an_error(rows: Any) -> None:  # noqa: ANN401 - as in a statement
    """One line, no traceback."""
    with pytest.raises(GoldenError, match="golden rows"):
        decode_rows(golden(rows), ONE)


@given(arrays(np.float32, st.integers(0, 20)))
def test_equal_answers_have_no_distance(values: Any) -> None:  # noqa: ANN401 - an array
    """Also where they are no numbers, or infinite."""
    assert distance(values, values.copy()) == 0.0


@pytest.mark.parametrize(
    ("ours", "theirs", "apart"),
    [
        ([0.5, 0.25], [0.25, 0.25], 0.25),
        ([1.0], [1.0, 2.0], inf),
        ([nan], [0.0], inf),
        ([0.0], [nan], inf),
        ([inf], [-inf], inf),
        ([inf], [1.0], inf),
        ([3e38], [-3e38], 6e38),
    ],
)
def test_distance_is_the_largest_difference(ours: list[float], theirs: list[float], apart: float) -> None:
    """Answers that cannot be compared are infinitely far apart."""
    assert distance(np.array(ours, np.float32), np.array(theirs, np.float32)) == pytest.approx(apart)


def test_both_roles_are_replayed_one_row_a_call(pair: ModelPair) -> None:
    """A model whose answers change has a distance, the other has none."""
    rows = {"input": ROWS}
    ours = {role: answer(pair.models[role], rows, pair.deciding) for role in Role}
    written = {role: encode_answers(values + (0.1 if role is Role.COMPRESSED else 0)) for role, values in ours.items()}
    found = distances(pair, golden(encode_rows(rows), {str(role): each for role, each in written.items()}), tuple(Role))
    assert found[Role.BASELINE] == 0.0
    assert found[Role.COMPRESSED] == pytest.approx(0.1, abs=1e-6)


def test_answers_that_are_missing_or_garbage_are_an_error(pair: ModelPair) -> None:
    """Unknown is unsafe."""
    for answers in ({}, {"baseline": "no base64!"}, {"baseline": base64.b64encode(b"123").decode()}):
        with pytest.raises(GoldenError, match="golden answers of baseline"):
            distances(pair, golden(encode_rows({"input": ROWS}), answers), (Role.BASELINE,))


def test_model_that_fails_on_the_rows_is_an_error(pair: ModelPair, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named."""

    def fail(_: Tensors, __: Sequence[str]) -> Tensors:
        raise RunFailedError("broken")

    monkeypatch.setattr(pair.models[Role.BASELINE], "run", fail)
    with pytest.raises(GoldenError, match="baseline fails on the golden rows: broken"):
        distances(pair, golden(encode_rows({"input": ROWS}), {"baseline": ""}), (Role.BASELINE,))
