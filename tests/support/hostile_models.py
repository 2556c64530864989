"""ONNX files of a few kilobytes that hang, exhaust or crash the process that loads or runs them.

Each has the signature of the classifiers of `harmful_pair`: ``input`` (-1, 4), ``probabilities`` (-1, 2).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import FunctionProto, NodeProto, TensorProto, helper, numpy_helper, save_model

DOMAIN = "nested"
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]


def endless_to_load(path: Path) -> Path:
    """Write a model of functions that each call the next one twice: it unfolds to 2 ** 40 nodes."""
    return _nested(path, depth=40, calls=2)


def crash(path: Path) -> Path:
    """Write a model of functions within functions, deeper than the stack: onnxruntime crashes."""
    return _nested(path, depth=3000, calls=1)


def endless_to_run(path: Path) -> Path:
    """Write a model whose loop never ends; it loads at once."""
    flag, row = helper.make_tensor_value_info("go", TensorProto.BOOL, []), _tensor("row", 4)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["row"], ["same"])],
        "body",
        [helper.make_tensor_value_info("step", TensorProto.INT64, []), flag, row],
        [helper.make_tensor_value_info("go_on", TensorProto.BOOL, []), _tensor("same", 4)],
    )
    loop = helper.make_node("Loop", ["", "always", "input"], ["inner"], body=body)
    return _save(path, [loop], {"always": np.ones((), bool)})


def hungry(path: Path) -> Path:
    """Write a model that fills 12 GiB at its first run, as its initializers never would in a file of this size."""
    spread = helper.make_node("Expand", ["input", "wide"], ["large"])
    total = helper.make_node("ReduceMax", ["large"], ["inner"], axes=[0], keepdims=0)
    return _save(path, [spread, total], {"wide": np.array([3 * 2**28, 1, 4])})


def _nested(path: Path, depth: int, calls: int) -> Path:
    functions = []
    for level in range(depth):
        names = ["a", *(f"n{call}" for call in range(calls - 1)), "b"]
        inner = "Identity" if level == depth - 1 else f"F{level + 1}"
        domain = "" if level == depth - 1 else DOMAIN
        nodes = [helper.make_node(inner, [names[n]], [names[n + 1]], domain=domain) for n in range(calls)]
        functions.append(helper.make_function(DOMAIN, f"F{level}", ["a"], ["b"], nodes, OPSETS))
    return _save(path, [helper.make_node("F0", ["input"], ["inner"], domain=DOMAIN)], {}, functions)


def _save(
    path: Path, nodes: list[NodeProto], constants: dict[str, np.ndarray], functions: Sequence[FunctionProto] = ()
) -> Path:
    tail = [
        helper.make_node("MatMul", ["inner", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
    ]
    values = constants | {"weights": np.ones((4, 2), np.float32)}
    graph = helper.make_graph(
        [*nodes, *tail],
        "hostile",
        [_tensor("input", 4)],
        [_tensor("probabilities", 2)],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    save_model(helper.make_model(graph, opset_imports=OPSETS, ir_version=8, functions=list(functions)), str(path))
    return path


def _tensor(name: str, width: int) -> object:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width])
