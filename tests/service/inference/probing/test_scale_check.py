"""A configured scale that both models' rows contradict is refused, with a sentence that says what to write."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.support.onnx_models import classifier
from tests.support.serving import row_models
from tests.support.serving.model_pairs import save
from tests.support.serving.service_harness import pair_of
from tightrope.service.config.loader import ConfigError

WEIGHTS = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def sigmoid(path: Path) -> Path:
    """A model of several labels: each number is in [0, 1] by itself."""
    last = helper.make_node("Sigmoid", ["input"], ["probabilities"])
    names = ("input", "probabilities")
    inputs, outputs = ([helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 3])] for name in names)
    return save(path, [last], inputs, outputs, [])


def problems(folder: Path, baseline: Path, compressed: Path, **keys: object) -> list[str]:
    """The mistakes of a pair; none if it is accepted."""
    try:
        pair_of(folder, baseline=str(baseline), compressed=str(compressed), **keys)
    except ConfigError as error:
        return error.problems
    return []


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A classifier, one that gives scores, and a model of several labels."""
    return {
        "probabilities": classifier(tmp_path / "p.onnx", WEIGHTS),
        "logits": classifier(tmp_path / "l.onnx", WEIGHTS, scores=True),
        "labels": sigmoid(tmp_path / "s.onnx"),
    }


def test_logits_are_not_read_as_probabilities(tmp_path: Path, files: dict[str, Path]) -> None:
    """With the scale that the sentence names, the pair is accepted; `batch_rows: 1` hides nothing."""
    for keys in ({}, {"batch_rows": 1}):
        (line,) = problems(tmp_path, files["logits"], files["logits"], **keys)
        assert line.startswith("models.m.decision.scale: is probabilities, but 'probabilities' holds -")
        assert line.endswith("; write scale: logits")
    assert not problems(tmp_path, files["logits"], files["logits"], decision={"scale": "logits"})


def test_probabilities_are_not_read_as_logits(tmp_path: Path, files: dict[str, Path]) -> None:
    """Their confidence would be flat."""
    told = "each row of 'probabilities' sums to one; write scale: probabilities"
    line = f"models.m.decision.scale: is logits, but {told}"
    found = problems(tmp_path, files["probabilities"], files["probabilities"], decision={"scale": "logits"})
    assert found == [line]
    assert not problems(tmp_path, files["probabilities"], files["probabilities"])


def test_several_labels_are_not_read_as_one(tmp_path: Path, files: dict[str, Path]) -> None:
    """They are another kind; where only the compressed model's rows do not sum to one, they may be rounded."""
    (line,) = problems(tmp_path, files["labels"], files["labels"])
    assert line.endswith("are in [0, 1] and do not sum to one: these are several labels; write kind: multilabel")
    three = classifier(tmp_path / "three.onnx", WEIGHTS[:3])
    assert not problems(tmp_path, three, files["labels"])


def test_compressed_model_of_another_scale_is_refused(tmp_path: Path, files: dict[str, Path]) -> None:
    """The sentence names it, and a scale of each role, with which the pair is accepted."""
    (line,) = problems(tmp_path, files["probabilities"], files["logits"])
    assert "is probabilities, but 'probabilities' of the compressed model holds -" in line
    assert line.endswith("; write scale: {baseline: probabilities, compressed: logits}")
    scales = {"baseline": "probabilities", "compressed": "logits"}
    assert not problems(tmp_path, files["probabilities"], files["logits"], decision={"scale": scales})


def test_scale_of_each_role_is_checked_by_itself(tmp_path: Path, files: dict[str, Path]) -> None:
    """The sentence says what fits both."""
    exchanged = {"baseline": "logits", "compressed": "probabilities"}
    (line,) = problems(tmp_path, files["probabilities"], files["logits"], decision={"scale": exchanged})
    assert line == (
        "models.m.decision.scale: is logits, but each row of 'probabilities' sums to one; "
        "write scale: {baseline: probabilities, compressed: logits}"
    )
    (line,) = problems(tmp_path, files["logits"], files["logits"], decision={"scale": exchanged})
    assert line.endswith("; write scale: logits")


def test_rows_of_real_models_agree_with_their_scale(tmp_path: Path) -> None:
    """None of these is refused."""
    for write in (row_models.quantized, row_models.single, row_models.labelled):
        path = write(tmp_path / "m.onnx")
        assert not problems(tmp_path, path, path, decision={"output": "probabilities"})
