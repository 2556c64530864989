"""An ONNX file becomes a model with named outputs, or a one-line error."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests.support.onnx_models import classifier, fragile, identity
from tests.support.serving.model_pairs import ONNX_TYPES, copier, save, two_inputs, weights
from tightrope.service.adapters.model_files import ModelFileError
from tightrope.service.adapters.onnxruntime import OnnxModel, RuntimeOptions
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.protocol.tensors import TensorSpec, dtype_of


@pytest.mark.parametrize("datatype", ONNX_TYPES)
def test_every_datatype_of_the_protocol_runs(tmp_path: Path, datatype: str) -> None:
    """Each is declared by the protocol's name, and has its numpy dtype."""
    model = OnnxModel(identity(tmp_path / "i.onnx", ONNX_TYPES[datatype]))
    assert model.inputs == (TensorSpec("value", datatype, (-1, 2)),)
    assert model.outputs == (TensorSpec("echo", datatype, (-1, 2)), TensorSpec("probabilities", "FP32", (-1, 2)))
    values: list[Any] = [["é", ""], ["a\0b", "x"]] if datatype == "BYTES" else [[0, 1], [1, 0]]
    value = np.array(values, dtype_of(datatype))
    echo = model.run({"value": value}, ["echo"])["echo"]
    assert (echo.dtype, echo.tolist()) == (value.dtype, value.tolist())


def test_outputs_are_returned_by_the_requested_names(tmp_path: Path) -> None:
    """Any subset in any order."""
    model = OnnxModel(identity(tmp_path / "i.onnx", TensorProto.INT64))
    value = np.array([[1, 2]])
    both = model.run({"value": value}, ["probabilities", "echo"])
    assert list(both) == ["probabilities", "echo"]
    assert both["echo"].tolist() == [[1, 2]]
    assert both["probabilities"].tolist() == [[0.25, 0.75]]
    assert list(model.run({"value": value}, ["probabilities"])) == ["probabilities"]


def test_read_only_inputs_are_taken(tmp_path: Path) -> None:
    """Requests are read-only views of the body."""
    model = OnnxModel(identity(tmp_path / "i.onnx", TensorProto.FLOAT))
    value = np.frombuffer(np.array([0.5, 1.5], np.float32).tobytes(), np.float32).reshape(1, 2)
    assert not value.flags.writeable
    assert model.run({"value": value}, ["echo"])["echo"].tolist() == [[0.5, 1.5]]


def test_free_and_fixed_dimensions_are_declared(tmp_path: Path) -> None:
    """A free dimension is -1."""
    assert OnnxModel(copier(tmp_path / "c.onnx", 3, "n", 2)).inputs == (TensorSpec("input", "FP32", (3, -1, 2)),)
    assert [spec.name for spec in OnnxModel(two_inputs(tmp_path / "t.onnx")).inputs] == ["a", "b"]


def test_digest_is_the_files_sha256(tmp_path: Path) -> None:
    """Evidence names the file on disk."""
    path = classifier(tmp_path / "c.onnx", weights((1, 2)))
    assert OnnxModel(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_threads_do_not_change_the_answer(tmp_path: Path) -> None:
    """The digest is equal too."""
    path = classifier(tmp_path / "c.onnx", weights((1, 2), (3, 4)))
    one, two = OnnxModel(path), OnnxModel(path, RuntimeOptions(threads=2))
    rows = {"input": np.array([[1, -1]], np.float32)}
    answers = [model.run(rows, ["probabilities"])["probabilities"].ravel() for model in (one, two)]
    assert answers[0].tolist() == pytest.approx(answers[1].tolist())
    assert one.digest == two.digest


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08" * 100])
def test_file_that_is_not_a_model_is_refused(tmp_path: Path, content: bytes) -> None:
    """The error is one line with the path."""
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        OnnxModel(path)
    assert str(caught.value).startswith(f"{path}: not a model that onnxruntime can load: ")
    assert "\n" not in str(caught.value)


def test_truncated_model_is_refused(tmp_path: Path) -> None:
    """An incomplete copy is refused."""
    path = classifier(tmp_path / "c.onnx", weights((1, 2)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ModelFileError, match="not a model that onnxruntime can load"):
        OnnxModel(path)


def test_path_without_a_file_is_refused(tmp_path: Path) -> None:
    """The error has the system's reason."""
    for path, reason in ((tmp_path / "nope.onnx", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ModelFileError) as caught:
            OnnxModel(path)
        assert str(caught.value) == f"{path}: cannot be read: {reason}"


def test_input_beyond_the_protocol_is_refused(tmp_path: Path) -> None:
    """Such as a sequence of tensors, which callers cannot send."""
    path = save(
        tmp_path / "s.onnx",
        [helper.make_node("ConcatFromSequence", ["input"], ["output"], axis=0)],
        [helper.make_tensor_sequence_value_info("input", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["rows"])],
    )
    with pytest.raises(ModelFileError, match=r"input is a seq\(tensor\(float\)\), which the Open Inference Protocol"):
        OnnxModel(path)


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"other": np.zeros((1, 1), np.float32)},
        {"input": np.zeros((1, 1), np.float64)},
        {"input": np.zeros((1, 2, 3), np.float32)},
        {"input": np.array([["a"]], object)},
        {"input": np.full((1, 1), 5, np.float32)},
    ],
    ids=["nothing", "another name", "another datatype", "another rank", "strings", "a value it cannot take"],
)
def test_run_that_fails_is_one_error(tmp_path: Path, inputs: dict[str, Any]) -> None:
    """Every error of onnxruntime becomes one short line."""
    model = OnnxModel(fragile(tmp_path / "f.onnx"))
    with pytest.raises(RunFailedError) as caught:
        model.run(inputs, ["probabilities"])
    assert 0 < len(str(caught.value)) <= 300
    assert "\n" not in str(caught.value)


def test_model_answers_again_after_a_failed_run(tmp_path: Path) -> None:
    """A failure has no lasting effect."""
    model = OnnxModel(fragile(tmp_path / "f.onnx"))
    for value in (5, 1):
        with_value = {"input": np.full((1, 1), value, np.float32)}
        if value == 5:
            with pytest.raises(RunFailedError, match="Gather"):
                model.run(with_value, ["probabilities"])
    assert model.run(with_value, ["probabilities"])["probabilities"].argmax() == 1


def test_file_that_is_replaced_while_it_is_loaded_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its digest would be that of another model."""
    path = classifier(tmp_path / "c.onnx", weights((1, 2)))
    load = onnxruntime.InferenceSession

    def replace(*arguments: Any, **options: Any) -> onnxruntime.InferenceSession:  # noqa: ANN401 - onnxruntime's own
        classifier(tmp_path / "new.onnx", weights((2, 1))).replace(path)
        return load(*arguments, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", replace)
    with pytest.raises(ModelFileError, match="changed while it was loaded"):
        OnnxModel(path)
