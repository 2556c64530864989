"""Pairs of one small network of 32 features, whose compressed model is pruned or differs in a declaration."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from tests.support.kinds.onnx_graphs import FLOAT, Array, node, pruned, save_graph, tensor

FEATURES, HIDDEN, CLASSES = 32, 64, 12


def network(
    path: Path,
    *,
    is_pruned: bool = False,
    last: str = "Softmax",
    columns: int = CLASSES,
    half: bool = False,
    x: str = "x",
    out: str = "p",
    rows: int | str = "n",
    tail: Sequence[onnx.NodeProto] = (),
    shape: Sequence[int | str] = (),
    constants: Mapping[str, Array] | None = None,
) -> Path:
    """Write last(relu(x @ w) @ v); ``tail`` makes the output of its `y`, ``shape`` is what the output declares."""
    random = np.random.default_rng(0)
    weights = random.normal(0, 1, (FEATURES, HIDDEN)), random.normal(0, 0.4, (HIDDEN, CLASSES))[:, :columns]
    w, v = (pruned(0.6)(each) if is_pruned else each for each in weights)
    kind, dtype = (TensorProto.FLOAT16, np.float16) if half else (FLOAT, np.float32)
    nodes = [
        node("MatMul", [x, "w"], "h"),
        node("Relu", ["h"], "r"),
        node("MatMul", ["r", "v"], "z"),
        node(last, ["z"], "y" if tail else out),
        *tail,
    ]
    declared = tensor(out, kind, *(shape or (rows, columns)))
    all_constants = {"w": w.astype(dtype), "v": v.astype(dtype), **(constants or {})}
    return save_graph(path, nodes, [tensor(x, kind, rows, FEATURES)], [declared], all_constants)


def pruned_pair(folder: Path, **how: object) -> None:
    """The network, and it pruned."""
    network(folder / "baseline.onnx", **how)  # type: ignore[arg-type]
    network(folder / "compressed.onnx", is_pruned=True, **how)  # type: ignore[arg-type]


def changed_pair(folder: Path, **how: object) -> None:
    """The network, and the same one built differently."""
    network(folder / "baseline.onnx")
    network(folder / "compressed.onnx", **how)  # type: ignore[arg-type]


def pair_with_a_side_of_one(folder: Path) -> None:
    """The output is (rows, 1, classes)."""
    tail = [node("Reshape", ["y", "to"], "p")]
    pruned_pair(folder, tail=tail, shape=("n", 1, CLASSES), constants={"to": np.array([-1, 1, CLASSES])})


def half_inside(folder: Path) -> None:
    """The compressed model is FP16 between casts from and to FP32."""
    network(folder / "baseline.onnx")
    model = onnx.load(str(network(folder / "compressed.onnx", half=True)))
    graph, nodes = model.graph, list(model.graph.node)
    for each in nodes:
        each.input[:] = ["x16" if name == "x" else name for name in each.input]
        each.output[:] = ["p16" if name == "p" else name for name in each.output]
    first = node("Cast", ["x"], "x16", to=TensorProto.FLOAT16)
    last = node("Cast", ["p16"], "p", to=FLOAT)
    del graph.node[:]
    graph.node.extend([first, *nodes, last])
    for declared in (graph.input[0], graph.output[0]):
        declared.type.tensor_type.elem_type = FLOAT
    onnx.save(model, str(folder / "compressed.onnx"))


def with_external_data(folder: Path) -> None:
    """The weights of both models stand in files of their own."""
    pruned_pair(folder)
    for name in ("baseline.onnx", "compressed.onnx"):
        file = str(folder / name)
        onnx.save(onnx.load(file), file, save_as_external_data=True, location=f"{name}.data", size_threshold=0)


def same_file(folder: Path) -> None:
    """One file in both roles, written twice."""
    changed_pair(folder)
