"""Small ONNX files with known behaviour."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper, save_model

Weights = npt.NDArray[np.float32]


def _save(path: Path, nodes: list[object], inputs: list[object], outputs: list[object], constants: object = ()) -> Path:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, list(constants))  # type: ignore[call-overload]
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def classifier(path: Path, weights: Weights, *, scores: bool = False) -> Path:
    """Write softmax(input @ weights), ``input`` FP32 (-1, f), ``probabilities`` (-1, k); with ``scores`` no softmax."""
    features, classes = weights.shape
    product = helper.make_node("MatMul", ["input", "weights"], ["scores"])
    last = helper.make_node("Identity" if scores else "Softmax", ["scores"], ["probabilities"])
    return _save(
        path,
        [product, last],
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", features])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", classes])],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )


def fragile(path: Path, classes: int = 2) -> Path:
    """Write a classifier of one feature, the index of the class to be sure of; any other value makes the run fail."""
    table = np.where(np.eye(classes) > 0, 0.9, 0.1 / (classes - 1)).astype(np.float32)
    flat = helper.make_node("Reshape", ["input", "shape"], ["flat"])
    index = helper.make_node("Cast", ["flat"], ["index"], to=TensorProto.INT64)
    pick = helper.make_node("Gather", ["table", "index"], ["probabilities"])
    return _save(
        path,
        [flat, index, pick],
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", 1])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", classes])],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([-1]), "shape")],
    )


def identity(path: Path, kind: int, scores: Weights | None = None) -> Path:
    """Write a model whose ``echo`` returns ``value``, (-1, 2) of the onnx datatype ``kind``; its ``probabilities`` are
    equal for all rows.
    """
    table = np.array([[0.25, 0.75]], dtype=np.float32) if scores is None else scores
    echo = helper.make_node("Identity", ["value"], ["echo"])
    shape = helper.make_node("Shape", ["value"], ["shape"], start=0, end=1)
    whole = helper.make_node("Concat", ["shape", "classes"], ["whole"], axis=0)
    spread = helper.make_node("Expand", ["table", "whole"], ["probabilities"])
    return _save(
        path,
        [echo, shape, whole, spread],
        [helper.make_tensor_value_info("value", kind, ["rows", 2])],
        [
            helper.make_tensor_value_info("echo", kind, ["rows", 2]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", table.shape[1]]),
        ],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([table.shape[1]]), "classes")],
    )


def external_tensor(name: str) -> TensorProto:
    """Return a tensor whose values are in an external file of this name."""
    tensor = TensorProto(name="w", data_location=TensorProto.EXTERNAL)
    for key, value in (("offset", "0"), ("location", name)):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor
