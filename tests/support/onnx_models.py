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


def looping(path: Path, *, width: int | str = 1) -> Path:
    """Write a classifier that answers [0.25, 0.75] after as many loops as the largest number of ``input``: 1e12 of
    them never end, unless the run is ended.
    """
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Cos", ["value"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    nodes: list[object] = [
        helper.make_node("ReduceMax", ["input"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["trips"], to=TensorProto.INT64),
        helper.make_node("Loop", ["trips", "", "input"], ["looped"], body=body),
        *_constant_answer("looped"),
    ]
    return _with_constant_answer(path, nodes, width)


def squaring(path: Path, *, by_value: bool = False) -> Path:
    """Write a classifier that answers [0.25, 0.75] after the product of two square matrices, in one node that heeds no
    end: as wide as a row of ``input``, or, ``by_value``, as the largest number of it.
    """
    nodes: list[object] = [
        helper.make_node("ReduceMax", ["input"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["chosen"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["chosen", "one"], ["chosen_side"]),
        helper.make_node("Shape", ["input"], ["width"], start=1, end=2),
        helper.make_node("Max", ["chosen_side" if by_value else "width", "one"], ["side"]),
        helper.make_node("Concat", ["side", "side"], ["square"], axis=0),
        helper.make_node("ConstantOfShape", ["square"], ["ones"]),
        helper.make_node("MatMul", ["ones", "ones"], ["product"]),
        helper.make_node("ReduceMax", ["product"], ["top"], keepdims=0),
        helper.make_node("Mul", ["top", "nothing"], ["zero"]),
        helper.make_node("Add", ["input", "zero"], ["done"]),
        *_constant_answer("done"),
    ]
    constants = [
        numpy_helper.from_array(np.array([1]), "one"),
        numpy_helper.from_array(np.array(0.0, np.float32), "nothing"),
    ]
    return _with_constant_answer(path, nodes, 1 if by_value else "width", constants)


def _constant_answer(after: str) -> list[object]:
    """Nodes that answer [0.25, 0.75] for each row, once a tensor of these rows is there."""
    return [
        helper.make_node("Shape", [after], ["rows"], start=0, end=1),
        helper.make_node("Concat", ["rows", "classes"], ["whole"], axis=0),
        helper.make_node("Expand", ["table", "whole"], ["probabilities"]),
    ]


def _with_constant_answer(path: Path, nodes: list[object], width: int | str, constants: list[object] = ()) -> Path:  # type: ignore[assignment]
    table = np.array([[0.25, 0.75]], np.float32)
    return _save(
        path,
        nodes,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", width])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", 2])],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([2]), "classes"), *constants],
    )
