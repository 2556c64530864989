"""Models with graphs before and after them, and their parts: scores of tokens, and of rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.support.serving.model_pairs import save

TOKENS, CLASSES = 20, 3
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def value(name: str, kind: int, *shape: int | str) -> Any:  # noqa: ANN401 - onnx has no types
    """The declaration of a tensor."""
    return helper.make_tensor_value_info(name, kind, shape)


def graph(path: Path, nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], **constants: Any) -> str:  # noqa: ANN401 - arrays
    """Write a graph; ``constants`` are its arrays by name."""
    arrays = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    return str(save(path, list(nodes), list(inputs), list(outputs), arrays))


def tagger(path: Path, nudge: float = 0.0, *, rows: int | str = "n", mask_kind: int = FLOAT) -> str:
    """Write a model of ``ids`` and ``mask`` (n, T): ``hidden`` (n, T, 3), a row of a table times the mask."""
    table = np.random.default_rng(5).normal(0, 1, (TOKENS, CLASSES)).astype(np.float32) + np.float32(nudge)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["found"]),
        helper.make_node("Cast", ["mask"], ["as_float"], to=FLOAT),
        helper.make_node("Unsqueeze", ["as_float", "last"], ["wide"]),
        helper.make_node("Mul", ["found", "wide"], ["hidden"]),
    ]
    inputs = [value("ids", INT64, rows, "T"), value("mask", mask_kind, rows, "T")]
    return graph(path, nodes, inputs, [value("hidden", FLOAT, rows, "T", CLASSES)], table=table, last=np.array([-1]))


def pooling(path: Path, *, source: str = "hidden", out: str = "p") -> str:
    """Write a graph that gives softmax of the mean of ``hidden`` over the tokens of ``mask``."""
    nodes = [
        helper.make_node("ReduceSum", [source, "axis"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "axis"], ["count"], keepdims=1),
        helper.make_node("Div", ["total", "count"], ["mean"]),
        helper.make_node("Softmax", ["mean"], [out]),
    ]
    inputs = [value(source, FLOAT, "n", "T", CLASSES), value("mask", FLOAT, "n", "T")]
    return graph(path, nodes, inputs, [value(out, FLOAT, "n", CLASSES)], axis=np.array([1]))


def masking(path: Path, *, kind: int = INT64, mask: str = "mask") -> str:
    """Write a graph that makes ``mask`` of ``ids``: 1 where a token is not 0, and 1 for the first."""
    nodes = [
        helper.make_node("Cast", ["ids"], ["as_float"], to=FLOAT),
        helper.make_node("Sign", ["as_float"], ["signs"]),
        helper.make_node("Add", ["signs", "little"], ["positive"]),
        helper.make_node("Cast", ["positive"], [mask], to=kind),
    ]
    little = np.array(0.001 if kind == FLOAT else 0, np.float32)
    return graph(path, nodes, [value("ids", INT64, "n", "T")], [value(mask, kind, "n", "T")], little=little)


def endless(path: Path, name: str, *, width: int) -> str:
    """Write a graph that gives ``name`` (n, width) as it gets it, after a loop that never ends."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["row"], ["same"])],
        "body",
        [value("step", INT64), value("go", TensorProto.BOOL), value("row", FLOAT, "n", width)],
        [value("go_on", TensorProto.BOOL), value("same", FLOAT, "n", width)],
    )
    loop = helper.make_node("Loop", ["", "always", f"{name}_raw"], [name], body=body)
    inputs, outputs = [value(f"{name}_raw", FLOAT, "n", width)], [value(name, FLOAT, "n", width)]
    return graph(path, [loop], inputs, outputs, always=np.ones((), bool))


def weighted(path: Path, nudge: float = 0.0) -> str:
    """Write a model of ``x`` (n, T) and ``factors`` (T), which all rows share, that gives ``p`` (n, 3)."""
    seen = np.random.default_rng(3).normal(0, 1, (1, CLASSES)).astype(np.float32) + np.float32(nudge)
    nodes = [
        helper.make_node("Mul", ["x", "factors"], ["scaled"]),
        helper.make_node("ReduceSum", ["scaled", "axis"], ["total"], keepdims=1),
        helper.make_node("MatMul", ["total", "seen"], ["z"]),
        helper.make_node("Softmax", ["z"], ["p"]),
    ]
    inputs = [value("x", FLOAT, "n", "T"), value("factors", FLOAT, "T")]
    return graph(path, nodes, inputs, [value("p", FLOAT, "n", CLASSES)], axis=np.array([1]), seen=seen)


def clip(path: Path, nudge: float = 0.0) -> str:
    """Write a model of one clip without an axis of rows: ``frames`` (T, 4) become ``p`` (3) and ``best`` (T, 3)."""
    weights = np.random.default_rng(4).normal(0, 1, (4, CLASSES)).astype(np.float32) + np.float32(nudge)
    nodes = [
        helper.make_node("MatMul", ["frames", "weights"], ["best"]),
        helper.make_node("ReduceMean", ["best"], ["mean"], axes=[0], keepdims=0),
        helper.make_node("Softmax", ["mean"], ["p"]),
    ]
    outputs = [value("p", FLOAT, CLASSES), value("best", FLOAT, "T", CLASSES)]
    return graph(path, nodes, [value("frames", FLOAT, "T", 4)], outputs, weights=weights)


def of_seven(path: Path, nudge: float = 0.0) -> str:
    """Write a model of ``x`` (n, T) that runs where T is 7 only, which it does not declare."""
    weights = np.random.default_rng(6).normal(0, 1, (7, CLASSES)).astype(np.float32) + np.float32(nudge)
    nodes = [helper.make_node("MatMul", ["x", "weights"], ["z"]), helper.make_node("Softmax", ["z"], ["p"])]
    return graph(path, nodes, [value("x", FLOAT, "n", "T")], [value("p", FLOAT, "n", CLASSES)], weights=weights)


def remembering(path: Path, nudge: float = 0.0, *, output: str = "present") -> str:
    """Write a model of ``x`` (n, 4) and ``past`` (n, P, 3): ``present`` has one entry more; ``p`` (n, 3) is softmax of
    its mean.
    """
    weights = np.random.default_rng(8).normal(0, 1, (4, CLASSES)).astype(np.float32) + np.float32(nudge)
    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["step"]),
        helper.make_node("Unsqueeze", ["step", "axis"], ["entry"]),
        helper.make_node("Concat", ["past", "entry"], [output], axis=1),
        helper.make_node("ReduceMean", [output], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Softmax", ["mean"], ["p"]),
    ]
    inputs = [value("x", FLOAT, "n", 4), value("past", FLOAT, "n", "P", CLASSES)]
    outputs = [value("p", FLOAT, "n", CLASSES), value(output, FLOAT, "n", "P1", CLASSES)]
    return graph(path, nodes, inputs, outputs, weights=weights, axis=np.array([1]))
