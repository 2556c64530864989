"""A folder with a folder for each row, `000/x.npy`, in the order of their names: rows may have any shapes.

An array is the tensor of the row, or has an axis of one row, as callers send it. `label.npy` and `parameter:NAME.npy`
hold one value.
"""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from tightrope.service.errors import quote
from tightrope.service.inference.row_files.array_rows import load_arrays, rows_of
from tightrope.service.inference.row_files.row_file import LABEL_NAME, RowFile, RowFileError, joined
from tightrope.service.inference.row_files.row_schema import RowSchema
from tightrope.service.protocol.tensors import Tensor


def holds_rows(path: Path) -> bool:
    """Whether a path is a folder that has folders in it."""
    return path.is_dir() and any(_folders(path))


def _folders(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))


def read_row_folders(path: Path, schema: RowSchema, *, labelled: bool = True, most: int | None = None) -> RowFile:
    """Read the first ``most`` rows of a folder, all without it; ``labelled`` reads the labels.

    Raises:
        RowFileError: naming the row and the array, when it cannot be read or does not fit its input.
    """
    stray = next(path.glob("*.npy"), None)
    if stray is not None:
        raise RowFileError(f"{path}: has the array {quote(stray.stem)} beside folders of rows; it must have either")
    found = []
    for folder in islice(_folders(path), most):
        arrays = _one_row(load_arrays(folder, mapped=False), schema)
        rows = rows_of(path, str(folder), arrays, schema, labelled=labelled, most=None)
        if len(rows) != 1:
            raise RowFileError(f"{folder}: has {len(rows)} rows; a folder holds one")
        found.append((folder.name, rows))
    names = [name for name, _ in found]
    labels = [None if rows.labels is None else int(rows.labels[0]) for _, rows in found]
    if None in labels and any(label is not None for label in labels):
        raise RowFileError(f"{path / names[labels.index(None)]}: has no array {LABEL_NAME!r}, and other rows have")
    parameters = [rows.parameters[0] if rows.parameters else {} for _, rows in found]
    return RowFile(
        path=path,
        parts=joined([rows.parts[0] for _, rows in found]),
        labels=None if None in labels else np.array(labels, dtype=np.int64),
        positions=names,
        unit="row",
        parameters=parameters if any(parameters) else [],
    )


def _one_row(arrays: Mapping[str, Tensor], schema: RowSchema) -> dict[str, Tensor]:
    """Return the arrays of a row with the axis of their rows."""
    found = {name: array[np.newaxis] if not array.ndim else array for name, array in arrays.items()}
    for spec in schema.arrays:
        axis, array = schema.row_axis(spec.name), arrays.get(spec.name)
        if array is not None:
            lacks_axis = axis is not None and array.ndim == len(spec.shape) - 1
            found[spec.name] = np.expand_dims(array, axis or 0) if lacks_axis else array
    return found
