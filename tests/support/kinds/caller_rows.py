"""Rows that callers of the public pairs send, and what onnxruntime alone says of them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tests.support.kinds.public_pairs import PublicPair
from tests.support.kinds.table_models import JOBS, REGIONS

Tensors = Mapping[str, NDArray[Any]]
TYPES: Mapping[str, Any] = {
    "float": np.float32,
    "float16": np.float16,
    "int64": np.int64,
    "int32": np.int32,
    "uint8": np.uint8,
    "string": object,
}
"""numpy's types by onnxruntime's names."""

WORDS = {"job": JOBS, "region": REGIONS}
RATE, TOKENS = 16_000, 8


@cache
def session(file: Path) -> onnxruntime.InferenceSession:
    """A model file in onnxruntime, with its own defaults but one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def dtype_of(declared: Any) -> Any:  # noqa: ANN401 - of onnxruntime, which has no types
    """The numpy type of a declared tensor."""
    return TYPES[declared.type.removeprefix("tensor(").removesuffix(")")]


def make_rows(pair: PublicPair, folder: Path, rows: int, random: np.random.Generator) -> dict[str, NDArray[Any]]:
    """A request of this many rows for a pair, with the baseline's inputs."""
    made = {}
    for declared in session(folder / "baseline.onnx").get_inputs():
        name, dtype = declared.name, dtype_of(declared)
        sides = pair.sides.get(name, tuple(s if isinstance(s, int) else TOKENS for s in declared.shape[1:]))
        dtype = np.float32 if dtype is np.float16 else dtype  # as callers see it
        if name == "sr":
            made[name] = np.array(RATE, dtype)
        elif name == "state":
            made[name] = np.zeros((sides[0], rows, *sides[1:]), dtype)  # layers first: a fresh one
        elif "mask" in name:
            made[name] = (np.arange(sides[0]) < random.integers(2, sides[0] + 1, (rows, 1))).astype(dtype)
        elif dtype is object:
            made[name] = random.choice(np.array(WORDS[name], object), (rows, *sides))
        elif np.dtype(dtype).kind == "f":
            made[name] = random.normal(0, 1, (rows, *sides)).astype(dtype)
        else:
            made[name] = random.integers(0, 256 if dtype is np.uint8 else 100, (rows, *sides)).astype(dtype)
    return made


def said_alone(folder: Path, role: str, given: Tensors) -> dict[str, NDArray[Any]]:
    """The outputs of a role's model on these rows alone, under the baseline's names and with the types of callers."""
    own, baseline = session(folder / f"{role}.onnx"), session(folder / "baseline.onnx")
    feeds = {}
    for declared, theirs in _paired(own.get_inputs(), baseline.get_inputs()):
        feeds[declared.name] = given[theirs.name].astype(dtype_of(declared), copy=False)
    if own.get_inputs()[0].shape[0] == 1 and len(next(iter(feeds.values()))) > 1:
        rows = range(len(next(iter(feeds.values()))))
        runs = [own.run(None, {name: array[n : n + 1] for name, array in feeds.items()}) for n in rows]
        said = [np.concatenate(parts) for parts in zip(*runs, strict=True)]
    else:
        said = own.run(None, feeds)
    pairs = _paired(own.get_outputs(), baseline.get_outputs())
    named = {declared.name: array for declared, array in zip(own.get_outputs(), said, strict=True)}
    return {theirs.name: _as_seen(named[declared.name]) for declared, theirs in pairs}


def assert_own_rows(pair: PublicPair, folder: Path, given: Tensors, served_by: str, outputs: Tensors) -> None:
    """Assert that outputs are what the model that served them says of these rows alone, up to noise of batching."""
    expected = said_alone(folder, served_by, given)
    assert set(outputs) == set(expected)
    for name, tensor in expected.items():
        found = outputs[name]
        assert (found.shape, found.dtype) == (tensor.shape, tensor.dtype)
        if tensor.dtype.kind == "f":
            scale = max(float(np.abs(tensor).max()), 1.0)
            np.testing.assert_allclose(found, tensor, rtol=0, atol=pair.noise * scale, err_msg=name)
        else:
            np.testing.assert_array_equal(found, tensor, err_msg=name)


def _paired(own: list[Any], baseline: list[Any]) -> list[tuple[Any, Any]]:
    """Tensors of a model beside those of the baseline: by name, or the only one that is left over."""
    theirs = {declared.name: declared for declared in baseline}
    left = [declared for declared in baseline if declared.name not in {each.name for each in own}]
    return [(declared, theirs.get(declared.name) or left[0]) for declared in own]


def _as_seen(said: Any) -> NDArray[Any]:  # noqa: ANN401 - of onnxruntime
    if isinstance(said, list):  # a map from class to probability for each row
        return np.array([list(row.values()) for row in said], np.float32)
    return said.astype(np.float32) if said.dtype == np.float16 else said
