"""Pairs as converters of scikit-learn and LightGBM write them: maps of classes, labels, columns with strings."""

from pathlib import Path

import numpy as np
from onnx import helper

from tests.support.kinds.onnx_graphs import FLOAT, INT64, STRING, floats, node, save_graph, tensor

JOBS, REGIONS = ["clerk", "farmer", "nurse", "driver"], ["north", "south"]
ML = "ai.onnx.ml"


def _label_model(path: Path, *, compressed: bool, keep: str) -> None:
    weights = np.random.default_rng(5).normal(0, 0.5, (13, 3)) * (1 - 0.6 * compressed)
    nodes = [
        node("MatMul", ["X", "w"], "z"),
        node("Softmax", ["z"], "probabilities"),
        node("ArgMax", ["z"], "output_label", axis=1, keepdims=0),
    ]
    outputs = [tensor("output_label", INT64, None)]
    if keep == "maps":
        nodes.append(node("ZipMap", ["probabilities"], "output_probability", domain=ML, classlabels_int64s=[0, 1, 2]))
        one = helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, []))
        outputs.append(helper.make_value_info("output_probability", helper.make_sequence_type_proto(one)))
    if keep == "matrix":
        outputs.append(tensor("probabilities", FLOAT, None, 3))
    save_graph(path, nodes, [tensor("X", FLOAT, None, 13)], outputs, {"w": floats(weights)})


def label_pair(folder: Path, keep: str) -> None:
    """A classifier of 13 features with `output_label`, and its probabilities as maps, a matrix or not at all."""
    _label_model(folder / "baseline.onnx", compressed=False, keep=keep)
    _label_model(folder / "compressed.onnx", compressed=True, keep=keep)


def _columns_model(path: Path, *, compressed: bool, regions: bool) -> None:
    width = len(JOBS) + (len(REGIONS) if regions else 0)
    nodes = [
        node("OneHotEncoder", ["job"], "j", domain=ML, cats_strings=JOBS, zeros=1),
        node("Squeeze", ["j", "a1"], "j1"),
    ]
    inputs = [tensor("age", FLOAT, None, 1), tensor("hours", FLOAT, None, 1), tensor("job", STRING, None, 1)]
    if regions:
        nodes += [
            node("OneHotEncoder", ["region"], "g", domain=ML, cats_strings=REGIONS, zeros=1),
            node("Squeeze", ["g", "a1"], "g1"),
        ]
        inputs.append(tensor("region", STRING, None, 1))
    nodes += [
        node("Concat", ["age", "hours", "j1", *(["g1"] if regions else [])], "v", axis=1),
        node("Mul", ["v", "s"], "u"),
        node("MatMul", ["u", "w"], "z"),
        node("Add", ["z", "b"], "y"),
        node("Softmax", ["y"], "probabilities"),
        node("ArgMax", ["y"], "label", axis=1, keepdims=0),
    ]
    weights = np.array([1.2, 0.9, 0.1, -2.0, 1.0, 0.2, 0.4, -0.9][: 2 + width]) / 2 * (1 - 0.2 * compressed)
    constants = {
        "a1": np.array([1]),
        "s": floats([0.05, 0.07, *[1.0] * width]),
        "w": floats(np.stack([-weights, weights], 1)),
        "b": floats([1.6, -1.6]),
    }
    save_graph(path, nodes, inputs, [tensor("label", INT64, None), tensor("probabilities", FLOAT, None, 2)], constants)


def columns_pair(folder: Path, *, drop_region: bool = False) -> None:
    """A classifier of the columns age, hours, job and region; the compressed model may not take the region."""
    _columns_model(folder / "baseline.onnx", compressed=False, regions=True)
    _columns_model(folder / "compressed.onnx", compressed=True, regions=not drop_region)


def exchanged_columns_pair(folder: Path) -> None:
    """The baseline does not take the region that the compressed model needs."""
    _columns_model(folder / "baseline.onnx", compressed=False, regions=False)
    _columns_model(folder / "compressed.onnx", compressed=True, regions=True)


def regressor_pair(folder: Path) -> None:
    """A regression of ten features."""
    for name, compressed in (("baseline", False), ("compressed", True)):
        random = np.random.default_rng(6)
        weights = random.normal(0, 20, (10, 1))
        weights = weights + compressed * random.normal(0, 8, weights.shape)
        nodes = [node("MatMul", ["X", "w"], "z"), node("Add", ["z", "b"], "variable")]
        inputs, outputs = [tensor("X", FLOAT, None, 10)], [tensor("variable", FLOAT, None, 1)]
        save_graph(folder / f"{name}.onnx", nodes, inputs, outputs, {"w": floats(weights), "b": floats([150.0])})
