"""The bytes and the columns of the rows of a file, over all inputs."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Tensors
from tightrope.service.inference.row_files.row_file import row_count

TEXT_SEPARATOR = b"\0"


def bytes_of_rows(parts: Sequence[Tensors]) -> Iterator[bytes]:
    """The bytes of each row's inputs, one input after the other, little-endian, in the model's datatypes."""
    for inputs in parts:
        for row in range(row_count(inputs)):
            yield b"".join(_row_bytes(tensor[row : row + 1]) for tensor in inputs.values())


def _row_bytes(row: NDArray[Any]) -> bytes:
    if row.dtype.kind in "OSU":
        texts = (each if isinstance(each, bytes) else str(each).encode() for each in row.ravel().tolist())
        return TEXT_SEPARATOR.join(texts)
    return np.ascontiguousarray(row, row.dtype.newbyteorder("<")).tobytes()


def numeric_columns(inputs: Tensors) -> list[tuple[str, int]]:
    """The columns of inputs of numbers, by their number: the input and the position in its flattened row."""
    return [
        (name, position)
        for name, tensor in inputs.items()
        if tensor.dtype.kind in "fiu"
        for position in range(tensor[:1].size)
    ]
