"""Pairs whose models differ from what callers send and get, with requests to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.serving import row_models
from tests.support.serving.graph_models import FLOAT, TOKENS, clip, masking, pooling, remembering, tagger, weighted
from tests.support.serving.mapped_pairs import columns
from tests.support.serving.model_pairs import CALM
from tightrope.service.protocol.tensors import Tensor

Request = dict[str, Tensor]


@dataclass(frozen=True)
class InvariantCase:
    """The section of a pair in a folder, and a request to it of a number of rows, made of a seed."""

    section: Callable[[Path], Mapping[str, Any]]
    request: Callable[[int, np.random.Generator], Request]


def _floats(random: np.random.Generator, *shape: int) -> Tensor:
    return random.normal(size=shape).astype(np.float32)


def _constants(folder: Path) -> Mapping[str, Any]:
    np.save(folder / "mask.npy", np.array([0.5]))
    files = {"baseline": columns(folder / "b.onnx", "age"), "compressed": columns(folder / "c.onnx", "age", "mask")}
    return {**files, "compressed_tensors": {"constants": {"mask": "mask.npy"}}}


def _graphs(folder: Path, rows: int | str = "n") -> Mapping[str, Any]:
    tensors = {"prepare": masking(folder / "mask.onnx", kind=FLOAT), "read": pooling(folder / "pool.onnx")}
    files = {"baseline": tagger(folder / "b.onnx"), "compressed": tagger(folder / "c.onnx", 0.05, rows=rows)}
    return {**files, "baseline_tensors": tensors, "compressed_tensors": tensors}


def _shared(folder: Path) -> Mapping[str, Any]:
    files = {"baseline": weighted(folder / "b.onnx"), "compressed": weighted(folder / "c.onnx", 0.05)}
    return {**files, "rows": {"x": 0, "factors": "shared"}}


def _request_rows(folder: Path) -> Mapping[str, Any]:
    files = {"baseline": clip(folder / "b.onnx"), "compressed": clip(folder / "c.onnx", 0.05)}
    return {**files, "rows": "request", "decision": {"output": "p"}}


def _no_rows(folder: Path) -> Mapping[str, Any]:
    return {name: value for name, value in _request_rows(folder).items() if name != "rows"}


def _past(folder: Path) -> Mapping[str, Any]:
    files = {"baseline": remembering(folder / "b.onnx"), "compressed": remembering(folder / "c.onnx", 0.05)}
    return {**files, "decision": {"output": "p"}, "state_tensors": {"present": "past"}}


def _voice(folder: Path) -> Mapping[str, Any]:
    files = {
        "baseline": str(row_models.listening(folder / "b.onnx")),
        "compressed": str(row_models.listening(folder / "c.onnx", 0.5)),
    }
    return {**files, **CALM, "decision": {"output": "probabilities"}, "state_tensors": {"stateN": "state"}}


CASES = {
    "constants": InvariantCase(_constants, lambda rows, random: {"age": _floats(random, rows, 1)}),
    "graphs": InvariantCase(_graphs, lambda rows, random: {"ids": random.integers(1, TOKENS, (rows, 5))}),
    "graphs, one row": InvariantCase(
        lambda folder: _graphs(folder, 1), lambda rows, random: {"ids": random.integers(1, TOKENS, (rows, 5))}
    ),
    "shared": InvariantCase(
        _shared, lambda rows, random: {"x": _floats(random, rows, 4), "factors": _floats(random, 4)}
    ),
    "request": InvariantCase(_request_rows, lambda rows, random: {"frames": _floats(random, rows, 4)}),
    "no rows": InvariantCase(_no_rows, lambda rows, random: {"frames": _floats(random, rows, 4)}),
    "first past": InvariantCase(
        _past, lambda rows, random: {"x": _floats(random, rows, 4), "past": np.zeros((rows, 0, 3), np.float32)}
    ),
    "fresh state": InvariantCase(
        _voice,
        lambda rows, random: {
            "input": _floats(random, rows, 6),
            "state": np.zeros((2, rows, 8), np.float32),
            "sr": np.array(16000),
        },
    ),
    "used state": InvariantCase(
        _voice,
        lambda rows, random: {
            "input": _floats(random, rows, 6),
            "state": _floats(random, 2, rows, 8),
            "sr": np.array(8000),
        },
    ),
}
"""The cases by what is special about them."""
