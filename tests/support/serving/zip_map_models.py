"""Classifiers as the converters of scikit-learn and LightGBM write them: a label, and a sequence of maps."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model

FEATURES = 4
ROWS = np.random.default_rng(3).normal(0, 1, (5, FEATURES)).astype(np.float32)


def zip_map(
    path: Path,
    labels: Sequence[int] | Sequence[str] = (0, 1, 2),
    nudge: float = 0.0,
    *,
    form: str = "maps",
    hops: int = 0,
) -> str:
    """Write ``output_label`` (rows,) and ``output_probability`` of input ``X`` (rows, 4): a sequence of maps by these
    labels, behind ``hops`` Identity nodes, or, by ``form``, a ``matrix``; ``label`` leaves it out.
    """
    weights = np.random.default_rng(5).normal(0, 1, (FEATURES, len(labels))) + nudge * np.arange(len(labels))
    is_text = isinstance(labels[0], str)
    nodes = [
        helper.make_node("MatMul", ["X", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["p"]),
        helper.make_node("ArgMax", ["p"], ["index"], axis=1, keepdims=0),
        helper.make_node("ArrayFeatureExtractor", ["labels", "index"], ["row"], domain="ai.onnx.ml"),
        helper.make_node("Reshape", ["row", "flat"], ["output_label"]),
    ]
    key = TensorProto.STRING if is_text else TensorProto.INT64
    outputs: list[Any] = [helper.make_tensor_value_info("output_label", key, [None])]
    if form == "maps":
        attribute: dict[str, Any] = {"classlabels_strings" if is_text else "classlabels_int64s": list(labels)}
        names = [f"maps_{hop}" for hop in range(hops)] + ["output_probability"]
        nodes.append(helper.make_node("ZipMap", ["p"], [names[0]], domain="ai.onnx.ml", **attribute))
        nodes += [helper.make_node("Identity", [one], [other]) for one, other in pairwise(names)]
        map_type = helper.make_map_type_proto(key, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
        outputs.append(helper.make_value_info("output_probability", helper.make_sequence_type_proto(map_type)))
    elif form == "matrix":
        nodes.append(helper.make_node("Identity", ["p"], ["output_probability"]))
        outputs.append(helper.make_tensor_value_info("output_probability", TensorProto.FLOAT, [None, len(labels)]))
    array = np.array(labels, object if is_text else np.int64)
    constants = [
        numpy_helper.from_array(weights.astype(np.float32), "w"),
        numpy_helper.from_array(array, "labels"),
        numpy_helper.from_array(np.array([-1]), "flat"),
    ]
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, FEATURES])
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    graph = helper.make_graph(nodes, "tiny", [x], outputs, constants)
    save_model(helper.make_model(graph, opset_imports=sets, ir_version=8), str(path))
    return str(path)


def listed(path: Path, *, beside: bool = True) -> str:
    """Write a classifier of input ``X`` with an output ``all`` that is a sequence of tensors; ``beside`` a matrix."""
    nodes = [
        helper.make_node("MatMul", ["X", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["p"]),
        helper.make_node("SequenceConstruct", ["p"], ["all"]),
    ]
    outputs: list[Any] = [helper.make_tensor_sequence_value_info("all", TensorProto.FLOAT, None)]
    if beside:
        outputs.append(helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 3]))
    weights = np.random.default_rng(5).normal(0, 1, (FEATURES, 3)).astype(np.float32)
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", FEATURES])
    graph = helper.make_graph(nodes, "tiny", [x], outputs, [numpy_helper.from_array(weights, "w")])
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return str(path)
