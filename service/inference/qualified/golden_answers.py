"""Golden answers: rows with the answers that each model gave them where it was qualified. Another processor, or another
onnxruntime, may compute other answers from the same file; the difference is measured before the model serves.

Rows and answers are base64 of little-endian arrays in row-major order. An input is its bytes, where only the number of
rows is free, or ``{"shape": [...], "data": base64}``; texts are ``{"shape": [...], "texts": [...]}``. The answers of a
role are one array of float32: each output that decides, of all rows, one after the other.

Sources: onnxruntime issues 26324, 14642, 6004.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import numpy as np

from tightrope.monitors.records import Floats, Role, Tensors
from tightrope.service.adapters.ports import Model, RunFailedError
from tightrope.service.errors import TightropeError
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.tensors import TensorSpec, dtype_of
from tightrope.service.statements.qualification import GoldenRecord

TEXT = "BYTES"

MAX_GOLDEN_ROWS = 4096
"""A start waits for all of them, one row a call, by both models."""


class GoldenError(TightropeError):
    """Golden rows or answers cannot be read, or do not fit the model."""


def encode_rows(rows: Tensors) -> dict[str, Any]:
    """The rows of all inputs, as a statement has them."""
    return {name: _encoded_input(values) for name, values in rows.items()}


def encode_answers(answers: Floats) -> str:
    """The answers of a role, as a statement has them."""
    return base64.b64encode(np.ascontiguousarray(answers, "<f4").tobytes()).decode()


def decode_rows(golden: GoldenRecord, inputs: Sequence[TensorSpec]) -> dict[str, Any]:
    """The golden rows by input.

    Raises:
        GoldenError: when they do not fit the inputs.
    """
    written = golden.rows if isinstance(golden.rows, dict) else {inputs[0].name: golden.rows}
    if written.keys() != {spec.name for spec in inputs}:
        raise GoldenError(f"its golden rows are for {', '.join(sorted(written))}")
    try:
        rows = {spec.name: _decoded_input(spec, written[spec.name]) for spec in inputs}
    except (binascii.Error, ValueError, TypeError, KeyError) as error:
        raise GoldenError(f"its golden rows cannot be read: {error}") from error
    counts = {len(values) for values in rows.values()}
    if len(counts) != 1 or not 0 < min(counts) <= MAX_GOLDEN_ROWS:
        raise GoldenError(f"it has {min(counts)} golden rows; it must have 1 to {MAX_GOLDEN_ROWS}")
    return rows


def answer(model: Model, rows: Tensors, outputs: Sequence[str]) -> Floats:
    """Answer the rows, one a call; all values of each output, one after the other.

    Raises:
        RunFailedError: when a run fails.
    """
    count = len(next(iter(rows.values())))
    runs = [model.run({name: values[i : i + 1] for name, values in rows.items()}, outputs) for i in range(count)]
    parts = [np.asarray(run[name], np.float32).ravel() for name in outputs for run in runs]
    return np.concatenate(parts)


def distance(ours: Floats, golden: Floats) -> float:
    """The largest difference of two arrays; infinite where they differ in size or in what is no number."""
    if ours.shape != golden.shape:
        return inf
    both = np.isnan(ours) & np.isnan(golden)
    equal = both | (ours == golden)
    apart = np.abs(ours[~equal].astype(np.float64) - golden[~equal])
    return float(np.where(np.isfinite(apart), apart, inf).max(initial=0.0))


def distances(pair: ModelPair, golden: GoldenRecord, roles: Sequence[Role]) -> Mapping[Role, float]:
    """How far the answers of these roles are from the golden ones.

    Raises:
        GoldenError: when they cannot be compared.
    """
    rows = decode_rows(golden, pair.inputs)
    found: dict[Role, float] = {}
    for role in roles:
        try:
            expected = np.frombuffer(base64.b64decode(golden.answers[role], validate=True), "<f4")
            found[role] = distance(answer(pair.models[role], rows, pair.deciding), expected)
        except (KeyError, ValueError, TypeError) as error:
            raise GoldenError(f"its golden answers of {role} cannot be compared: {error}") from error
        except RunFailedError as error:
            raise GoldenError(f"{role} fails on the golden rows: {error}") from error
    return found


def _encoded_input(values: Any) -> Any:  # noqa: ANN401 - any datatype
    shape = list(values.shape)
    if values.dtype.kind in "OSU":
        texts = [each.decode() if isinstance(each, bytes) else str(each) for each in values.ravel().tolist()]
        return {"shape": shape, "texts": texts}
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return {"shape": shape, "data": base64.b64encode(little.tobytes()).decode()}


def _decoded_input(spec: TensorSpec, written: Any) -> Any:  # noqa: ANN401 - any datatype
    """The values of an input, rows first.

    Raises:
        KeyError, TypeError or ValueError: when they do not fit it.
    """
    if isinstance(written, str):
        written = {"shape": [-1, *spec.shape[1:]], "data": written}
    shape = tuple(written["shape"])
    if len(shape) != len(spec.shape) or any(b not in {-1, a} for a, b in zip(shape[1:], spec.shape[1:], strict=True)):
        raise ValueError(f"{spec.name} has the shape {list(shape)}, the model {list(spec.shape)}")
    if spec.datatype == TEXT:
        return np.array(written["texts"], object).reshape(shape)
    dtype = dtype_of(spec.datatype)
    content = base64.b64decode(written["data"], validate=True)
    return np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype).reshape(shape)
