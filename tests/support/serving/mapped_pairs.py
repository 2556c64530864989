"""Models of one small network whose tensors have other names, types or rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.support.serving.model_pairs import save

FEATURES, CLASSES = 4, 3
ROWS = np.random.default_rng(1).normal(0, 1, (5, FEATURES)).astype(np.float32)
TYPES = {"f2": TensorProto.FLOAT16, "f4": TensorProto.FLOAT, "f8": TensorProto.DOUBLE}


def network(
    path: Path,
    nudge: float = 0.0,
    *,
    x: str = "x",
    p: str = "p",
    rows: int | str = "n",
    kind: str = "f4",
    declared: Sequence[int | str] | None = None,
    squeezed: bool = True,
) -> str:
    """Write softmax(x @ w): ``x`` (rows, 4) and ``p`` (rows, 3) of the type ``kind``; ``p`` is (rows, 1, 3) unless
    ``squeezed``; ``declared`` is what it declares.
    """
    weights = np.random.default_rng(0).normal(0, 1, (FEATURES, CLASSES)) + nudge
    nodes = [helper.make_node("MatMul", [x, "w"], ["z"]), helper.make_node("Softmax", ["z"], ["y"])]
    nodes.append(
        helper.make_node("Identity", ["y"], [p]) if squeezed else helper.make_node("Unsqueeze", ["y", "a1"], [p])
    )
    constants = [numpy_helper.from_array(weights.astype(kind), "w")]
    constants += [] if squeezed else [numpy_helper.from_array(np.array([1]), "a1")]
    given = helper.make_tensor_value_info(x, TYPES[kind], [rows, FEATURES])
    shape = declared or [rows, *([] if squeezed else [1]), CLASSES]
    return str(save(path, nodes, [given], [helper.make_tensor_value_info(p, TYPES[kind], shape)], constants))


def columns(path: Path, *names: str, kind: int = TensorProto.FLOAT, out: str = "p") -> str:
    """Write softmax of the sum of these inputs (rows, 1), each times weights of its own name."""
    nodes: list[Any] = []
    constants = []
    for name in names:
        weights = np.random.default_rng(sum(map(ord, name))).normal(0, 1, (1, CLASSES)).astype(np.float32)
        constants.append(numpy_helper.from_array(weights, f"w_{name}"))
        nodes.append(helper.make_node("Cast", [name], [f"f_{name}"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("MatMul", [f"f_{name}", f"w_{name}"], [f"z_{name}"]))
    nodes += [
        helper.make_node("Sum", [f"z_{name}" for name in names], ["sums"]),
        helper.make_node("Softmax", ["sums"], [out]),
    ]
    inputs = [helper.make_tensor_value_info(name, kind, ["n", 1]) for name in names]
    return str(
        save(path, nodes, inputs, [helper.make_tensor_value_info(out, TensorProto.FLOAT, ["n", CLASSES])], constants)
    )
