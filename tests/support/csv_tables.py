"""CSV files and small pairs, for tests of `calibrate` and `limits`."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper, save_model

from tests.support.configs import write_config
from tests.support.onnx_models import classifier
from tightrope.service.config.loader import Settings, load

SIGMOID_WEIGHTS = np.array([[1, 0], [0, 0]], np.float32)
"""Weights of a model: class 0 with probability sigmoid(first feature); the second feature is for subgroups."""


def write_table(path: Path, inputs: npt.ArrayLike, labels: npt.ArrayLike | None = None) -> Path:
    """Write a CSV file with columns x0, x1, … and, if there are labels, `label`."""
    rows = np.asarray(inputs)
    columns = [f"x{i}" for i in range(rows.shape[1])]
    lines = [[repr(float(value)) for value in row] for row in rows]
    if labels is not None:
        columns.append("label")
        lines = [[*line, str(int(label))] for line, label in zip(lines, np.asarray(labels), strict=True)]
    path.write_text("\n".join(map(",".join, [columns, *lines])) + "\n")
    return path


def pair_config(folder: Path, compressed: npt.ArrayLike = SIGMOID_WEIGHTS, **changes: object) -> dict[str, object]:
    """Return a configuration of one model ``m`` whose baseline has `SIGMOID_WEIGHTS`; ``changes`` are to the model."""
    model = {
        "baseline": str(classifier(folder / "baseline.onnx", SIGMOID_WEIGHTS)),
        "compressed": str(classifier(folder / "compressed.onnx", np.asarray(compressed, np.float32))),
    }
    return {"models": {"m": model | changes}}


def pair_settings(folder: Path, compressed: npt.ArrayLike = SIGMOID_WEIGHTS, **changes: object) -> Settings:
    """Return `pair_config`, loaded from a file."""
    return read_settings(folder, pair_config(folder, compressed, **changes))


def read_settings(folder: Path, config: Mapping[str, object]) -> Settings:
    """Write a configuration and load it."""
    return load(write_config(folder, config), {})


def batch_centred(path: Path, features: int = 2) -> Path:
    """Write a classifier with `SIGMOID_WEIGHTS` that first subtracts the batch's mean from the features where the batch
    has more than three rows: the probe of a pair runs no more than three, so it takes the rows to be independent.
    """
    mean = helper.make_node("ReduceMean", ["input"], ["mean"], axes=[0], keepdims=1)
    rows = helper.make_node("Shape", ["input"], ["rows"], start=0, end=1)
    more = helper.make_node("Greater", ["rows", "three"], ["more"])
    share = helper.make_node("Cast", ["more"], ["share"], to=TensorProto.FLOAT)
    shift = helper.make_node("Mul", ["mean", "share"], ["shift"])
    centred = helper.make_node("Sub", ["input", "shift"], ["centred"])
    product = helper.make_node("MatMul", ["centred", "weights"], ["scores"])
    last = helper.make_node("Softmax", ["scores"], ["probabilities"])
    graph = helper.make_graph(
        [mean, rows, more, share, shift, centred, product, last],
        "moody",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", features])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", 2])],
        [numpy_helper.from_array(SIGMOID_WEIGHTS, "weights"), numpy_helper.from_array(np.array([3]), "three")],
    )
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path
