"""Model pairs for the service tests, as the section `models` of a configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model

from tests.support.onnx_models import Weights, classifier, fragile, identity
from tightrope.service.protocol.tensors import Tensor

ONNX_TYPES = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}
"""Every supported datatype of the protocol, and its number in onnx."""

TENSORS: dict[str, Tensor] = {
    "BOOL": np.array([[True, False]]),
    "UINT8": np.array([[0, 255]], np.uint8),
    "UINT64": np.array([[0, 2**64 - 1]], np.uint64),
    "INT16": np.array([[-32768, 32767]], np.int16),
    "INT64": np.array([[-(2**63), 2**63 - 1]], np.int64),
    "FP16": np.array([[0.5, -65504.0]], np.float16),
    "FP32": np.array([[0.1, -0.0]], np.float32),
    "FP64": np.array([[0.1, 1e300]], np.float64),
    "BYTES": np.array([["né", ""]], object),
}
"""Values of every kind of datatype, for models that return their input."""

SUBGROUPS: dict[str, Any] = {
    "region": {"parameter": "region", "values": ["north", "south"]},
    "band": {"column": 0, "values": {"low": {"low": 0, "high": 9}, "high": [10, 20]}},
}
"""An attribute that the caller sends, and one read from the first column."""

SCOPES = ("model", "region=north", "region=south", "region=other", "band=low", "band=high", "band=other")
REFUSAL = {"score": "max_probability", "threshold": 0.8}
CALM = {
    "limits": {
        "clear_disagreement": None,
        "confidence": None,
        "confidence_shape": None,
        "confidence_jump": None,
        "class_miss": None,
        "class_gain": None,
    }
}
"""Limits for pairs that differ in confidence by design: no test expects the monitors of confidence to trip."""

HUGE = 3e38
"""A value that overflows FP32 when it is multiplied."""


def weights(*rows: tuple[float, float]) -> Weights:
    """Weights of a classifier of two classes, one row for each feature."""
    return np.array(rows, dtype=np.float32)


def sure_and_unsure(folder: Path) -> dict[str, str]:
    """A pair with the features (code, value): both models decide by the sign of the value, the baseline with more
    confidence.
    """
    return {
        "baseline": str(classifier(folder / "sure.onnx", weights((0, 0), (4, -4)))),
        "compressed": str(classifier(folder / "unsure.onnx", weights((0, 0), (0.5, -0.5)))),
    }


def failing(folder: Path) -> dict[str, dict[str, Any]]:
    """Pairs with one feature where one or both models fail: 5 makes a run fail, HUGE gives infinity."""
    robust = str(classifier(folder / "robust.onnx", weights((-10, 10))))
    breaks = str(fragile(folder / "fragile.onnx"))
    small = str(classifier(folder / "small.onnx", weights((-1, 1)), scores=True))
    big = str(classifier(folder / "big.onnx", weights((-100, 100)), scores=True))
    logits = {"decision": {"scale": "logits"}, **CALM}
    return {
        "fragile": {"baseline": robust, "compressed": breaks, **CALM},
        "fragile_baseline": {"baseline": breaks, "compressed": robust, **CALM},
        "doomed": {"baseline": breaks, "compressed": breaks},
        "overflowing": {"baseline": small, "compressed": big, **logits},
        "poisoned": {"baseline": big, "compressed": big, **logits},
    }


def all_pairs(folder: Path) -> dict[str, dict[str, Any]]:
    """All pairs of the shared server; ``modes`` is for orders, ``untouched`` and ``uncomparable`` for one test each.
    Requests of ``large`` do not fit a sample, and none is kept.
    """
    files = sure_and_unsure(folder)
    value = str(classifier(folder / "value.onnx", np.array([[1.0], [2.0]], np.float32), scores=True))
    pairs: dict[str, dict[str, Any]] = {
        "plain": {**files, "subgroups": SUBGROUPS, **CALM, "labels": {}, "payloads": {}},
        "modes": {**files, "subgroups": SUBGROUPS, **CALM, "version": "7.1"},
        "untouched": {**files, "subgroups": SUBGROUPS, **CALM},
        "large": {**files, **CALM, "sampling": {"rate": 0.0}},
        "value": {"baseline": value, "compressed": value, "decision": {"scale": "regression"}},
        **failing(folder),
    }
    pairs["uncomparable"] = pairs["overflowing"]
    for action in ("flag", "escalate", "abstain"):
        pairs[action] = {**files, "refusal": {**REFUSAL, "action": action}, "mode": "advisory"}
    for datatype, kind in ONNX_TYPES.items():
        path = str(identity(folder / f"echo_{datatype}.onnx", kind))
        decides = {"decision": {"output": "probabilities"}}
        pairs[f"echo_{datatype}"] = {"baseline": path, "compressed": path, "allow_nan": True, **decides}
    return pairs


def copier(path: Path, *shape: int | str, kind: int = TensorProto.FLOAT) -> Path:
    """A model that returns its ``input``, of this shape, as ``output``."""
    return save(
        path,
        [helper.make_node("Identity", ["input"], ["output"])],
        [helper.make_tensor_value_info("input", kind, list(shape))],
        [helper.make_tensor_value_info("output", kind, list(shape))],
    )


def two_inputs(path: Path) -> Path:
    """A model of ``a`` (-1, -1) and ``b`` (-1, 1) that decides by the sign of the sum over a's columns, plus b."""
    nodes = [
        helper.make_node("ReduceSum", ["a", "axis"], ["sum"], keepdims=1),
        helper.make_node("Add", ["sum", "b"], ["both"]),
        helper.make_node("Sigmoid", ["both"], ["output"]),
    ]
    return save(
        path,
        nodes,
        [
            helper.make_tensor_value_info("a", TensorProto.FLOAT, ["rows", "columns"]),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, ["rows", 1]),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["rows", 1])],
        [numpy_helper.from_array(np.array([1]), "axis")],
    )


def save(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: Sequence[Any] = ()) -> Path:
    """Save a graph to a file."""
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, list(constants))
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path
