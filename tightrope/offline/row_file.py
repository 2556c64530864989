"""Rows of a file for a model, by the file's suffix: CSV, NPZ, a folder of .npy files, requests line by line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tightrope.monitors.compare import MATRIX_DIMENSIONS
from tightrope.monitors.records import Bools, Ints, Tensors
from tightrope.offline import arrays, request_lines
from tightrope.offline.table import TableError, read_csv
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.subgroups import Subgroups
from tightrope.service.protocol.rest import Scalar
from tightrope.service.protocol.tensors import TensorSpec, dtype_of


@dataclass(frozen=True, slots=True)
class RowFile:
    """n rows. ``parts`` hold consecutive rows of equal shapes: rows of other shapes never share a run.

    ``labels`` (n,) are the true classes if the file has them, ``lines`` (n,) the places in the file, in the ``unit``
    that errors name, and ``parameters`` (n,) what callers would send with each row.
    """

    path: Path
    parts: Sequence[Tensors]
    labels: Ints | None
    lines: Ints
    unit: str = "line"
    parameters: Sequence[Mapping[str, Scalar]] = ()

    def position(self, row: int) -> str:
        """Return the position of a row, for an error."""
        return f"{self.path}: {self.unit} {self.lines[row]}"

    def members(self, subgroups: Subgroups) -> Bools:
        """Return which rows belong to which subgroups, (n, S); a file without parameters has no absent values."""
        found, start = [], 0
        for inputs in self.parts:
            rows = len(next(iter(inputs.values())))
            given = self.parameters[start : start + rows] or [{}]
            found.append(subgroups.members(inputs, given, range(1, rows + 1) if self.parameters else [rows]))
            start += rows
        member = np.concatenate(found)
        sent = {name for parameters in self.parameters for name in parameters}
        for other in subgroups.others:
            member[:, other.scope] &= other.parameter is None or other.parameter in sent
        return member


def read_rows(path: Path, pair: ModelPair, *, at_least: int = 1) -> RowFile:
    """Read a file for a model.

    Raises:
        ConfigError: when the model has an input that such a file cannot feed.
        TableError: when the file cannot be read, does not fit, or has fewer than ``at_least`` rows.
    """
    if path.suffix in {".npz", ".jsonl"} or path.is_dir():
        _require_rows(pair)
        rows = _read_lines(path, pair) if path.suffix == ".jsonl" else _read_arrays(path, pair)
    else:
        table = read_csv(path, _matrix(pair), at_least=at_least)
        rows = RowFile(path, [{pair.inputs[0].name: table.inputs}], table.labels, table.lines)
    if len(rows.lines) < at_least:
        raise TableError(f"{path}: has too few rows: {len(rows.lines)}, and at least {at_least} are needed")
    return rows


def _read_lines(path: Path, pair: ModelPair) -> RowFile:
    requests = request_lines.read(path, pair)
    repeated = [request for request in requests for _ in range(request.rows)]
    return RowFile(
        path=path,
        parts=request_lines.joined([request.inputs for request in requests]),
        labels=request_lines.labels(path, requests),
        lines=np.array([request.line for request in repeated], dtype=np.int64),
        parameters=[request.parameters for request in repeated],
    )


def _read_arrays(path: Path, pair: ModelPair) -> RowFile:
    found = arrays.read(path, pair.inputs, allow_nan=pair.allow_nan)
    rows = sum(len(next(iter(part.values()))) for part in found.parts)
    return RowFile(path, found.parts, found.labels, np.arange(rows), "row", found.parameters)


def _require_rows(pair: ModelPair) -> None:
    wrong = next((spec for spec in pair.inputs if spec.shape[:1] not in {(-1,), (1,)}), None)
    if wrong is not None:
        shown = f"{wrong.name} {wrong.datatype}{list(wrong.shape)}"
        raise ConfigError(
            [f"models.{pair.name}: takes {shown}; a file of rows needs inputs with rows on their first axis"]
        )


def _matrix(pair: ModelPair) -> TensorSpec:
    """Return the model's only input, which must take rows of numbers."""
    spec = pair.inputs[0]
    numeric = spec.datatype != "BOOL" and dtype_of(spec.datatype).kind in "iuf"
    if len(pair.inputs) > 1 or not numeric or len(spec.shape) != MATRIX_DIMENSIONS or spec.shape[0] not in {-1, 1}:
        inputs = ", ".join(f"{each.name} {each.datatype}{list(each.shape)}" for each in pair.inputs)
        hint = (
            "a CSV file can feed one numeric input by rows only; an .npz file or a .jsonl file of requests feeds others"
        )
        raise ConfigError([f"models.{pair.name}: takes {inputs}; {hint}"])
    return spec
