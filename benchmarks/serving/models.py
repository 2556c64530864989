"""The models that are served, written by code: every machine makes the same files, once, into its cache.

S is a tabular network of some microseconds a row: whatever the server does costs more than the model. M reads 50 MB of
weights for every run, so a batch of 32 costs a fraction of 32 runs. MC is a convolution that costs a batch as much as
its rows: nothing is gained by batching.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Weights = npt.NDArray[np.float32]
Constants = dict[str, npt.NDArray[np.generic]]

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tightrope" / "serving-1"
"""The number changes with the models."""

OPSET, IR_VERSION, SEED = 17, 8, 20_261_121
CLASSES = 2
NUDGE = 1e-4
"""How much the baseline's weights differ: another file, whose answers agree."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One model: how many floats a row has, how the file is written, and what its rows cost."""

    name: str
    features: int
    write: Callable[["Kind", np.random.Generator, float], onnx.ModelProto]
    widths: tuple[int, ...]
    told: str

    def path(self, role: str) -> Path:
        """Where the file of that role lies."""
        return CACHE / f"{self.name}-{role}.onnx"


def _mlp(kind: Kind, random: np.random.Generator, nudge: float) -> onnx.ModelProto:
    sides = (kind.features, *kind.widths, CLASSES)
    constants: Constants = {}
    nodes, last = [], "input"
    for layer, (wide, high) in enumerate(pairwise(sides)):
        constants[f"weights_{layer}"] = _drawn(random, (wide, high), wide, nudge)
        constants[f"bias_{layer}"] = np.zeros(high, np.float32)
        nodes.append(helper.make_node("Gemm", [last, f"weights_{layer}", f"bias_{layer}"], [f"sum_{layer}"]))
        nodes.append(helper.make_node("Relu", [f"sum_{layer}"], [f"layer_{layer}"]))
        last = f"layer_{layer}"
    nodes[-1] = helper.make_node("Softmax", [f"sum_{len(sides) - 2}"], ["probabilities"])
    return _model(kind, nodes, constants)


def _convolution(kind: Kind, random: np.random.Generator, nudge: float) -> onnx.ModelProto:
    side = int(kind.features**0.5)
    constants: Constants = {"image": np.array([-1, 1, side, side])}
    nodes, last, channels = [helper.make_node("Reshape", ["input", "image"], ["pixels"])], "pixels", 1
    for layer, wide in enumerate(kind.widths):
        constants[f"weights_{layer}"] = _drawn(random, (wide, channels, 3, 3), channels * 9, nudge)
        convolved = helper.make_node("Conv", [last, f"weights_{layer}"], [f"sum_{layer}"], pads=[1, 1, 1, 1])
        nodes += [convolved, helper.make_node("Relu", [f"sum_{layer}"], [f"layer_{layer}"])]
        last, channels = f"layer_{layer}", wide
    constants["weights"] = _drawn(random, (channels, CLASSES), channels, nudge)
    nodes += [
        helper.make_node("ReduceMean", [last], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
    ]
    return _model(kind, nodes, constants)


def _drawn(random: np.random.Generator, shape: tuple[int, ...], inputs: int, nudge: float) -> Weights:
    """He's initialisation, which keeps the size of what goes through; ``nudge`` moves all weights a little."""
    return (random.normal(0.0, (2.0 / inputs) ** 0.5, shape) * (1.0 + nudge)).astype(np.float32)


def _model(kind: Kind, nodes: list[onnx.NodeProto], constants: Constants) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        kind.name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", kind.features])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", CLASSES])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("S", 32, _mlp, (64, 32), "tabular network, 32 floats in, 2 probabilities out"),
        Kind("M", 256, _mlp, (2048, 2048, 2048, 2048), "network of 50 MB of weights, 256 floats in"),
        Kind("MC", 256, _convolution, (96,) * 8, "eight convolutions over 16 x 16 pixels"),
    )
}


def made(kind: Kind) -> dict[str, Path]:
    """The files of a model by role, written where they are not there yet."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for role, nudge in (("baseline", NUDGE), ("compressed", 0.0)):
        path = kind.path(role)
        if not path.exists():
            unfinished = path.with_suffix(f".{os.getpid()}")
            onnx.save_model(kind.write(kind, np.random.default_rng(SEED), nudge), str(unfinished))
            unfinished.rename(path)
    return {role: kind.path(role) for role in ("baseline", "compressed")}


def rows(kind: Kind, count: int) -> Iterator[Weights]:
    """So many different rows, the same on every machine, each of shape (1, features)."""
    random = np.random.default_rng(SEED + 1)
    for _ in range(count):
        yield random.normal(0.0, 1.0, (1, kind.features)).round(4).astype(np.float32)
