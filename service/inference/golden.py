"""Golden rows: a CSV of inputs that a model's traffic is compared with, instead of the first rows that came.

The columns are those of the model's inputs, in their order, whatever they are called; a column `label` is passed over,
and a column `tag_PARAMETER` gives the value of a request parameter, so that subgroups that callers tell are known.
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

LABEL = "label"
TAG = "tag_"


@dataclass(frozen=True, slots=True)
class Golden:
    """n rows: ``inputs`` as the model takes them, ``columns`` the file's names of the flat input columns, ``member``
    (n, subgroups).
    """

    inputs: Tensors
    columns: tuple[str, ...]
    member: Bools


def read(path: Path, key: str, specs: Sequence[TensorSpec], subgroups: Subgroups, most: int) -> Golden:
    """The first ``most`` rows of a file; ``key`` is the setting that names it.

    Raises:
        ConfigError: when the file cannot be read, or does not fit the model's inputs.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = csv.reader(file)
            header = next(lines, [])
            rows = list(islice(lines, most))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError([f"{key}: {path}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from error
    places = [i for i, name in enumerate(header) if name != LABEL and not name.startswith(TAG)]
    widths = [prod(spec.shape[1:]) for spec in specs]
    if any(side < 0 for spec in specs for side in spec.shape[1:]) or len(places) != sum(widths) or not rows:
        raise ConfigError(
            [f"{key}: {path}: has {len(places)} columns and {len(rows)} rows; the inputs have {sum(widths)} columns"]
        )
    wrong = next((number for number, row in enumerate(rows, start=2) if len(row) != len(header)), None)
    if wrong is not None:
        raise ConfigError([f"{key}: {path}, line {wrong}: has {len(rows[wrong - 2])} values, not {len(header)}"])
    inputs = dict(_tensors(rows, places, specs, f"{key}: {path}"))
    tags = {i: name.removeprefix(TAG) for i, name in enumerate(header) if name.startswith(TAG)}
    return Golden(inputs, tuple(header[i] for i in places), _members(rows, inputs, tags, subgroups))


def _tensors(
    rows: Sequence[Sequence[str]], places: Sequence[int], specs: Sequence[TensorSpec], where: str
) -> Iterator[tuple[str, Tensor]]:
    start = 0
    for spec in specs:
        width = prod(spec.shape[1:])
        texts = np.array([[row[i] for i in places[start : start + width]] for row in rows], dtype=object)
        start += width
        if spec.datatype != "BYTES":
            texts = _numbers(texts, where).astype(dtype_of(spec.datatype))
        yield spec.name, texts.reshape(len(rows), *spec.shape[1:])


def _numbers(texts: Tensor, where: str) -> Tensor:
    try:
        return texts.astype(np.float64)
    except ValueError as error:
        raise ConfigError([f"{where}: {error}; every value of this input must be a number"]) from error


def _members(rows: Sequence[Sequence[str]], inputs: Tensors, tags: dict[int, str], subgroups: Subgroups) -> Bools:
    """Each row is a request of its own."""
    told = [{parameter: row[place] for place, parameter in tags.items()} for row in rows]
    return subgroups.members(inputs, told, range(1, len(rows) + 1))
