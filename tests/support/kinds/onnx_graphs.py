"""ONNX files of made-up models, and copies of them with other weights."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
Change = Callable[[Array], Array]

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


def node(kind: str, inputs: Sequence[str], output: str, **attributes: object) -> onnx.NodeProto:
    """A node with one output."""
    return helper.make_node(kind, list(inputs), [output], **attributes)


def tensor(name: str, kind: int, *shape: int | str | None) -> onnx.ValueInfoProto:
    """A declared input or output."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def floats(array: Array) -> Array:
    """An array as FP32."""
    return np.asarray(array, np.float32)


def save_graph(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Mapping[str, Array],
) -> Path:
    """Write a model; of the constants only those that a node reads."""
    read = {name for one in nodes for name in one.input}
    kept = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items() if name in read]
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), kept)
    sets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=8), str(path))
    return path


def with_weights(source: Path, target: Path, change: Change, above: int = 0) -> Path:
    """Write a copy of a model whose FP32 weights of more than ``above`` numbers are changed."""
    model = onnx.load(str(source))
    for weights in model.graph.initializer:
        if weights.data_type == FLOAT and np.prod(weights.dims) > above:
            changed = floats(change(numpy_helper.to_array(weights)))
            weights.CopyFrom(numpy_helper.from_array(changed, weights.name))
    onnx.save(model, str(target))
    return target


def pruned(share: float) -> Change:
    """Set this share of the weights, the smallest, to zero."""
    return lambda weights: np.where(np.abs(weights) < np.quantile(np.abs(weights), share), 0, weights)


def rounded_to_fp16(weights: Array) -> Array:
    """Weights as an FP16 file holds them."""
    return weights.astype(np.float16)


def noisy(share: float) -> Change:
    """Add noise of this share of the weights' own spread."""
    random = np.random.default_rng(11)
    return lambda weights: weights + random.normal(0, share * weights.std(), weights.shape) * (weights.size > 1)
