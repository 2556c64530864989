"""Arrays as rows for a model: an NPZ file, or a folder with NAME.npy for each input, which is not read into memory.

Each array has its rows on the axis where callers have them; one that all rows share is there once. The array `label`
holds the true classes, `parameter:NAME` the values of a request parameter. Nothing is unpickled.
"""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from zipfile import BadZipFile

import numpy as np

from tightrope.monitors.records import Ints
from tightrope.service.errors import quote
from tightrope.service.inference.row_files.row_file import (
    LABEL_NAME,
    PARAMETER_PREFIX,
    RowFile,
    RowFileError,
    row_count,
)
from tightrope.service.inference.row_files.row_schema import RowSchema
from tightrope.service.inference.row_files.value_casts import cast_values, require_shape
from tightrope.service.protocol.rest import Scalar
from tightrope.service.protocol.tensors import Tensor

DAMAGED = (
    ValueError, EOFError, BadZipFile, zlib.error, NotImplementedError, KeyError, TypeError, AttributeError, MemoryError,
)  # fmt: skip
"""Errors of numpy and of archives where a file is damaged, or something else."""

MOST_TEXT = 200
"""Characters of such an error that are shown: it may repeat parts of the file."""

PARAMETER_KINDS = "biufU"
"""The kinds of arrays that a request parameter can come from."""


def read_arrays(path: Path, schema: RowSchema, *, labelled: bool = True, most: int | None = None) -> RowFile:
    """Read the first ``most`` rows of a file or folder, all without it; ``labelled`` reads the label.

    Raises:
        RowFileError: naming the array, when it cannot be read or does not fit its input.
    """
    return rows_of(path, str(path), load_arrays(path), schema, labelled=labelled, most=most)


def rows_of(
    path: Path, where: str, found: Mapping[str, Tensor], schema: RowSchema, *, labelled: bool, most: int | None
) -> RowFile:
    """The rows of some arrays; ``where`` begins an error.

    Raises:
        RowFileError: naming the array, when it does not fit its input.
    """
    specs = schema.arrays
    names = {spec.name for spec in specs}
    for name in found:
        if name not in names and name != LABEL_NAME and not name.startswith(PARAMETER_PREFIX):
            raise RowFileError(f"{where}: array {quote(name)}: is no input; the inputs are {', '.join(sorted(names))}")
    missing = next((spec.name for spec in specs if spec.name not in found), None)
    if missing is not None:
        raise RowFileError(f"{where}: has no array {missing!r}; the inputs are {', '.join(sorted(names))}")
    axes = {spec.name: schema.row_axis(spec.name) for spec in specs} | {
        name: 0 for name in found if name not in names and (labelled or name != LABEL_NAME)
    }
    for spec in specs:
        require_shape(f"{where}: array {spec.name!r}", found[spec.name], spec, axes[spec.name])
    first, rows = next((name, found[name].shape[axis]) for name, axis in axes.items() if axis is not None)
    cut: dict[str, Tensor] = {}
    for name, axis in axes.items():
        array = found[name]
        if axis is not None and (array.ndim <= axis or array.shape[axis] != rows):
            shown = f"has shape {list(array.shape)}, and {first!r} has {rows} rows"
            raise RowFileError(f"{where}: array {quote(name)}: {shown}")
        cut[name] = array if axis is None else array[(slice(None),) * axis + (slice(most),)]
    inputs = {
        spec.name: cast_values(
            f"{where}: array {spec.name!r}", cut[spec.name], spec, axes[spec.name], allow_nan=schema.allow_nan
        )
        for spec in specs
    }
    parts = schema.rows_first(inputs)
    return RowFile(
        path=path,
        parts=[parts],
        labels=_labels(where, cut[LABEL_NAME]) if LABEL_NAME in cut else None,
        positions=range(row_count(parts)),
        unit="row",
        parameters=_parameters(where, cut, row_count(parts)),
    )


def load_arrays(path: Path, *, mapped: bool = True) -> dict[str, Tensor]:
    """Return the arrays of a file or folder by name; those of a folder are ``mapped``, not read into memory.

    Raises:
        RowFileError: naming the array, when it cannot be read.
    """
    name = ""
    try:
        if path.is_dir():
            files = sorted(path.glob("*.npy"))
            return {(name := file.stem): np.load(file, "r" if mapped else None, allow_pickle=False) for file in files}
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {(name := each): archive[each] for each in archive.files}
    except OSError as error:
        raise RowFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    except DAMAGED as error:
        array = f" array {quote(name)}:" if name else ""
        raise RowFileError(
            f"{path}:{array} no array of numbers or strings: {shorten(str(error), MOST_TEXT)}"
        ) from error


def _labels(where: str, array: Tensor) -> Ints:
    if array.dtype.kind not in "iu" or array.ndim != 1 or (array < 0).any():
        raise RowFileError(f"{where}: array {LABEL_NAME!r}: must hold a class index 0, 1, … a row, as integers")
    return array.astype(np.int64)


def _parameters(where: str, found: Mapping[str, Tensor], rows: int) -> Sequence[Mapping[str, Scalar]]:
    """Return the parameters of each row; none where no array holds one."""
    columns: dict[str, Sequence[Scalar]] = {}
    for name, array in found.items():
        if name.startswith(PARAMETER_PREFIX):
            if array.ndim != 1 or array.dtype.kind not in PARAMETER_KINDS:
                raise RowFileError(f"{where}: array {quote(name)}: must hold a text, number or boolean a row")
            columns[name.removeprefix(PARAMETER_PREFIX)] = array.tolist()
    return [{name: values[row] for name, values in columns.items()} for row in range(rows)] if columns else []
