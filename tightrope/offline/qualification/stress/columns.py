"""Scenarios of inputs of numbers by their columns: missing values, and values that are rounded."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.qualification.split import draw
from tightrope.monitors.records import Tensors
from tightrope.offline.qualification.row_bytes import bytes_of_rows, numeric_columns
from tightrope.service.config.loader import ConfigError


class NotApplicableError(Exception):
    """A scenario does not apply to the rows; the text says why."""


def missing(parts: Sequence[Tensors], values: Mapping[int, float], seed: int) -> Sequence[Tensors]:
    """Take one of the named columns from each row: the row and the seed alone say which.

    Raises:
        ConfigError: when there is no such column.
        NotApplicableError: when a column of integers would have to hold no number.
    """
    positions = named_columns(parts[0], values, "missing")
    for number, (name, _) in positions.items():
        if parts[0][name].dtype.kind in "iu" and not float(values[number]).is_integer():
            raise NotApplicableError(f"column {number} holds integers; write an integer for a missing value")
    numbers = [*positions]
    changed = [copied(part) for part in parts]
    for part, new in zip(parts, changed, strict=True):
        for row, content in enumerate(bytes_of_rows([part])):
            number = numbers[int(draw("missing", seed, content) * len(numbers))]
            name, position = positions[number]
            flat(new[name])[row, position] = values[number]
    return changed


def quantised(parts: Sequence[Tensors], steps: Mapping[int, int]) -> Sequence[Tensors]:
    """Round each named column to a number of steps of its range in the file.

    Raises:
        ConfigError: when there is no such column.
    """
    changed = [copied(part) for part in parts]
    for number, (name, position) in named_columns(parts[0], steps, "quantised").items():
        values = np.concatenate([flat(part[name])[:, position] for part in parts]).astype(np.float64)
        known = values[np.isfinite(values)]
        if not len(known) or known.min() == known.max():
            continue
        low, step = known.min(), (known.max() - known.min()) / steps[number]
        for new in changed:
            column = flat(new[name])
            rounded = low + np.round((column[:, position].astype(np.float64) - low) / step) * step
            column[:, position] = np.round(rounded) if column.dtype.kind in "iu" else rounded
    return changed


def named_columns(part: Tensors, named: Mapping[int, Any], scenario: str) -> dict[int, tuple[str, int]]:
    """The named columns by their numbers: the input, and the position in its flattened row.

    Raises:
        ConfigError: when there is no such column.
    """
    columns = numeric_columns(part)
    if (wrong := next((each for each in named if not 0 <= each < len(columns)), None)) is not None:
        raise ConfigError([f"scenarios.{scenario}: there is no column {wrong}; the inputs have {len(columns)} numbers"])
    return {number: columns[number] for number in named}


def copied(part: Tensors) -> dict[str, NDArray[Any]]:
    """A part of a file whose tensors can be written, contiguous."""
    return {name: np.array(tensor, order="C") for name, tensor in part.items()}


def flat(tensor: NDArray[Any]) -> NDArray[Any]:
    """A view of a contiguous tensor with one row a row."""
    return tensor.reshape(len(tensor), -1)
