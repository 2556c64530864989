"""Models whose rows are not what their shapes declare, or depend on each other."""

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.support.serving.model_pairs import save

LAYERS, WIDTH = 3, 8
WEIGHTS = np.array([[1.0, -1.0], [0.5, 2.0]], np.float32)


def tensor(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> Any:  # noqa: ANN401 - onnx has no types
    """The declaration of a tensor."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def _classify(*before: Any, rows: str = "input", after: str = "probabilities") -> list[Any]:  # noqa: ANN401 - as above
    return [
        *before,
        helper.make_node("MatMul", [rows, "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], [after]),
    ]


def _save(path: Path, nodes: list[Any], outputs: list[Any], *constants: Any) -> Path:  # noqa: ANN401 - as above
    weights = numpy_helper.from_array(WEIGHTS, "weights")
    return save(path, nodes, [tensor("input", "rows", 2)], outputs, [weights, *constants])


def with_state(path: Path, nudge: float = 0.0, *, layers_axis: int = 0) -> Path:
    """A classifier with a side output ``state`` of shape [layers, rows, 8], declared with a free first side; the layers
    are on ``layers_axis``.
    """
    random = np.random.default_rng(5)
    nodes, constants = _classify(), []
    for layer in range(LAYERS):
        weights = (random.normal(size=(2, WIDTH)) + nudge).astype(np.float32)
        constants.append(numpy_helper.from_array(weights, f"weights_{layer}"))
        nodes.append(helper.make_node("MatMul", ["input", f"weights_{layer}"], [f"layer_{layer}"]))
    nodes += [  # through a sequence, because onnxruntime would find the number of layers otherwise
        helper.make_node("SequenceConstruct", [f"layer_{layer}" for layer in range(LAYERS)], ["sequence"]),
        helper.make_node("ConcatFromSequence", ["sequence"], ["state"], axis=layers_axis, new_axis=1),
    ]
    outputs = [tensor("probabilities", "rows", 2), tensor("state", "layers", "n", WIDTH)]
    return _save(path, nodes, outputs, *constants)


def quantized(path: Path) -> Path:
    """A classifier that quantizes its input dynamically, with one scale for all rows of a run."""
    nodes = _classify(
        helper.make_node("DynamicQuantizeLinear", ["input"], ["bytes", "scale", "zero"]),
        helper.make_node("DequantizeLinear", ["bytes", "scale", "zero"], ["rough"]),
        rows="rough",
    )
    return _save(path, nodes, [tensor("probabilities", "rows", 2)])


def with_mean(path: Path) -> Path:
    """A classifier with a side output ``mean`` of all rows, which has no axis of rows."""
    mean = helper.make_node("ReduceMean", ["input"], ["mean"], axes=[0], keepdims=0)
    return _save(path, [mean, *_classify()], [tensor("probabilities", "rows", 2), tensor("mean", 2)])


def swayed(path: Path) -> Path:
    """A classifier whose answers turn round in a run of more than three rows, which no made-up rows show."""
    nodes = [
        helper.make_node("MatMul", ["input", "weights"], ["scores"]),
        helper.make_node("Neg", ["scores"], ["turned"]),
        helper.make_node("Shape", ["input"], ["rows_of_run"], start=0, end=1),
        helper.make_node("Greater", ["rows_of_run", "three"], ["are_many"]),
        helper.make_node("Where", ["are_many", "turned", "scores"], ["chosen"]),
        helper.make_node("Softmax", ["chosen"], ["probabilities"]),
    ]
    three = numpy_helper.from_array(np.array([3]), "three")
    return _save(path, nodes, [tensor("probabilities", "rows", 2)], three)


def averaged(path: Path) -> Path:
    """A classifier of the mean of all rows: one row, though it declares as many as are asked."""
    mean = helper.make_node("ReduceMean", ["input"], ["mean"], axes=[0], keepdims=1)
    return _save(path, _classify(mean, rows="mean"), [tensor("probabilities", "rows", 2)])


def turned(path: Path) -> Path:
    """A classifier that answers the last row first."""
    constants = {"from": [-1], "to": [-(2**62)], "axes": [0], "steps": [-1]}
    back = helper.make_node("Slice", ["each", *constants], ["probabilities"])
    nodes = [*_classify(after="each"), back]
    arrays = [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()]
    return _save(path, nodes, [tensor("probabilities", "rows", 2)], *arrays)


def summed(path: Path) -> Path:
    """A classifier of the sum of each row and those before it."""
    nodes = _classify(helper.make_node("CumSum", ["input", "axis"], ["sums"]), rows="sums")
    return _save(path, nodes, [tensor("probabilities", "rows", 2)], numpy_helper.from_array(np.array(0), "axis"))


def single(path: Path) -> Path:
    """A classifier that fails on several rows, though it declares any number."""
    nodes = _classify(helper.make_node("Reshape", ["input", "one"], ["row"]), rows="row")
    return _save(path, nodes, [tensor("probabilities", "rows", 2)], numpy_helper.from_array(np.array([1, 2]), "one"))


def labelled(path: Path) -> Path:
    """A classifier with its class as a second output."""
    nodes = [*_classify(), helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0)]
    return _save(path, nodes, [tensor("probabilities", "rows", 2), tensor("label", "rows", kind=TensorProto.INT64)])


def embedded(path: Path, entries: int) -> Path:
    """A classifier of ids (-1, -1), indices of a table of this many entries: the mean of their entries."""
    table = np.random.default_rng(6).normal(size=(entries, 2)).astype(np.float32)
    nodes = _classify(
        helper.make_node("Gather", ["table", "ids"], ["entries"]),
        helper.make_node("ReduceMean", ["entries"], ["mean"], axes=[1], keepdims=0),
        rows="mean",
    )
    constants = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(WEIGHTS, "weights")]
    inputs = [tensor("ids", "rows", "tokens", kind=TensorProto.INT64)]
    return save(path, nodes, inputs, [tensor("probabilities", "rows", 2)], constants)


def listening(path: Path, nudge: float = 0.0, *, state_axis: int = 1) -> Path:
    """A classifier of sound with a state, as voice detectors have it: ``input`` (rows, any), ``state`` (2, rows, 8)
    with its rows on ``state_axis`` 1 or 2, and the scalar ``sr`` for all rows; ``stateN`` is the next state.
    """
    shape = [2, "rows", WIDTH] if state_axis == 1 else [2, WIDTH, "rows"]
    order = (0, 1, 2) if state_axis == 1 else (0, 2, 1)
    nodes = [
        helper.make_node("Cast", ["sr"], ["rate"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["rate", "scale"], ["pitch"]),
        helper.make_node("ReduceMean", ["input"], ["loudness"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["loudness", "pitch"], ["heard"]),
        helper.make_node("Transpose", ["state"], ["before"], perm=order),
        helper.make_node("Add", ["before", "heard"], ["mixed"]),
        helper.make_node("Tanh", ["mixed"], ["after"]),
        helper.make_node("Transpose", ["after"], ["stateN"], perm=order),
        helper.make_node("ReduceMean", ["after"], ["flat"], axes=[0], keepdims=0),
        helper.make_node("MatMul", ["flat", "head"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
    ]
    head = np.random.default_rng(9).normal(size=(WIDTH, 2)).astype(np.float32) + np.float32(nudge)
    inputs = [tensor("input", "rows", "samples"), tensor("state", *shape), tensor("sr", kind=TensorProto.INT64)]
    constants = [numpy_helper.from_array(head, "head"), numpy_helper.from_array(np.float32(1 / 16000), "scale")]
    return save(path, nodes, inputs, [tensor("probabilities", "rows", 2), tensor("stateN", *shape)], constants)
