"""Golden rows: a CSV file of inputs that a model's traffic is compared with, instead of the first rows of traffic.

The columns are those of the model's inputs, in their order, under any name. A column `label` is ignored, and a column
`tag_PARAMETER` holds the value of a request parameter, for subgroups that callers declare.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod
from pathlib import Path

import numpy as np

from tightrope.monitors.records import Bools, Tensors
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.subgroups import Subgroups
from tightrope.service.protocol.tensors import Tensor, TensorSpec, dtype_of

LABEL_COLUMN = "label"
TAG_PREFIX = "tag_"


@dataclass(frozen=True, slots=True)
class GoldenRows:
    """n rows: ``inputs`` in the model's shapes, ``columns`` the file's names of the flat input columns, ``member`` the
    subgroup membership, shape (n, scopes).
    """

    inputs: Tensors
    columns: tuple[str, ...]
    member: Bools


def read_golden(path: Path, key: str, specs: Sequence[TensorSpec], subgroups: Subgroups, max_rows: int) -> GoldenRows:
    """Read the first rows of a file; ``key`` is the setting that names it.

    Raises:
        ConfigError: when the file cannot be read, or does not fit the model's inputs.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = csv.reader(file)
            header = next(lines, [])
            rows = list(islice(lines, max_rows))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError([f"{key}: {path}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from error
    indices = [i for i, name in enumerate(header) if name != LABEL_COLUMN and not name.startswith(TAG_PREFIX)]
    widths = [prod(spec.shape[1:]) for spec in specs]
    if any(side < 0 for spec in specs for side in spec.shape[1:]) or len(indices) != sum(widths) or not rows:
        raise ConfigError(
            [f"{key}: {path}: has {len(indices)} columns and {len(rows)} rows; the inputs have {sum(widths)} columns"]
        )
    wrong = next((number for number, row in enumerate(rows, start=2) if len(row) != len(header)), None)
    if wrong is not None:
        raise ConfigError([f"{key}: {path}, line {wrong}: has {len(rows[wrong - 2])} values, not {len(header)}"])
    inputs = dict(_tensors(rows, indices, specs, f"{key}: {path}"))
    tags = {i: name.removeprefix(TAG_PREFIX) for i, name in enumerate(header) if name.startswith(TAG_PREFIX)}
    return GoldenRows(inputs, tuple(header[i] for i in indices), _members(rows, inputs, tags, subgroups))


def _tensors(
    rows: Sequence[Sequence[str]], indices: Sequence[int], specs: Sequence[TensorSpec], where: str
) -> Iterator[tuple[str, Tensor]]:
    start = 0
    for spec in specs:
        width = prod(spec.shape[1:])
        values = np.array([[row[i] for i in indices[start : start + width]] for row in rows], dtype=object)
        start += width
        if spec.datatype != "BYTES":
            values = _numbers(values, where).astype(dtype_of(spec.datatype))
        yield spec.name, values.reshape(len(rows), *spec.shape[1:])


def _numbers(values: Tensor, where: str) -> Tensor:
    try:
        return values.astype(np.float64)
    except ValueError as error:
        raise ConfigError([f"{where}: {error}; every value of this input must be a number"]) from error


def _members(rows: Sequence[Sequence[str]], inputs: Tensors, tags: dict[int, str], subgroups: Subgroups) -> Bools:
    """The rows' subgroup membership; each row is a request with the parameters of its tags."""
    parameters = [{parameter: row[i] for i, parameter in tags.items()} for row in rows]
    return subgroups.members(inputs, parameters, range(1, len(rows) + 1))
