"""Arrays as rows for a model: an NPZ file, or a folder with NAME.npy for each input, which is not read into memory.

The array `label` holds the true classes, `parameter:NAME` the values of a request parameter. Nothing is unpickled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from tightrope.monitors.records import Ints, Tensors
from tightrope.offline.table import TableError
from tightrope.service.errors import quote
from tightrope.service.protocol.rest import Scalar
from tightrope.service.protocol.tensors import Tensor, TensorSpec, dtype_of

LABEL_ARRAY = "label"
PARAMETER_PREFIX = "parameter:"


@dataclass(frozen=True, slots=True)
class ArrayRows:
    """n rows: the inputs as one part, the labels if there are any, and each row's parameters, none without arrays."""

    parts: Sequence[Tensors]
    labels: Ints | None
    parameters: Sequence[Mapping[str, Scalar]]


def read(path: Path, specs: Sequence[TensorSpec], *, allow_nan: bool) -> ArrayRows:
    """Read the rows of a file or folder.

    Raises:
        TableError: naming the array, when it cannot be read or does not fit its input.
    """
    found = _arrays(path)
    names = {spec.name for spec in specs}
    for name in found:
        if name not in names and name != LABEL_ARRAY and not name.startswith(PARAMETER_PREFIX):
            raise TableError(f"{path}: array {quote(name)}: is no input; the inputs are {', '.join(sorted(names))}")
    missing = next((spec.name for spec in specs if spec.name not in found), None)
    if missing is not None:
        raise TableError(f"{path}: has no array {missing!r}; the inputs are {', '.join(sorted(names))}")
    inputs = {
        spec.name: _input(f"{path}: array {spec.name!r}", found[spec.name], spec, allow_nan=allow_nan) for spec in specs
    }
    rows = len(inputs[specs[0].name])
    for name, array in found.items():
        if array.shape[:1] != (rows,):
            shown = f"has shape {list(array.shape)}, and {specs[0].name!r} has {rows} rows"
            raise TableError(f"{path}: array {quote(name)}: {shown}")
    sent = {name.removeprefix(PARAMETER_PREFIX): a for name, a in found.items() if name.startswith(PARAMETER_PREFIX)}
    columns = {name: array.tolist() for name, array in sent.items()}
    parameters = [{name: values[row] for name, values in columns.items()} for row in range(rows)] if columns else []
    return ArrayRows([inputs], _labels(path, found.get(LABEL_ARRAY)), parameters)


def _arrays(path: Path) -> dict[str, Tensor]:
    """Return the arrays by name; those of a folder are mapped."""
    name = ""
    try:
        if path.is_dir():
            files = sorted(path.glob("*.npy"))
            return {(name := file.stem): np.load(file, mmap_mode="r", allow_pickle=False) for file in files}
        with np.load(path, allow_pickle=False) as archive:
            return {(name := each): archive[each] for each in archive.files}
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, BadZipFile) as error:
        array = f" array {quote(name)}:" if name else ""
        raise TableError(f"{path}:{array} no array of numbers or strings: {error}") from error


def _input(where: str, array: Tensor, spec: TensorSpec, *, allow_nan: bool) -> Tensor:
    """Return an array in the shape and dtype of its input; floats are cast freely, integers where they fit."""
    fits = array.ndim == len(spec.shape) and all(
        declared < 0 or length == declared for length, declared in zip(array.shape[1:], spec.shape[1:], strict=True)
    )
    if not fits or not array.size:
        shape = ", ".join(map(str, ("rows", *spec.shape[1:])))
        raise TableError(f"{where}: has shape {list(array.shape)}, must be [{shape}] (-1 is any length)")
    dtype = dtype_of(spec.datatype)
    if spec.datatype == "BYTES":
        if array.dtype.kind != "U":
            raise TableError(f"{where}: is {array.dtype}, must hold strings")
        return array.astype(object)
    whole = dtype.kind in "iu" and array.dtype.kind in "iu"
    if array.dtype != dtype and not whole and not dtype.kind == array.dtype.kind == "f":
        raise TableError(f"{where}: is {array.dtype}, must be {dtype} ({spec.datatype})")
    if whole and not (np.iinfo(dtype).min <= int(array.min()) and int(array.max()) <= np.iinfo(dtype).max):
        raise TableError(f"{where}: has values from {array.min()} to {array.max()}, more than {spec.datatype} can hold")
    with np.errstate(over="ignore"):
        cast = array.astype(dtype, copy=False)
    if dtype.kind == "f" and not allow_nan and not np.isfinite(cast).all():
        row = int(np.argmin(np.isfinite(cast).reshape(len(cast), -1).all(axis=1)))
        raise TableError(f"{where}: row {row}: has values that are not finite {spec.datatype} numbers")
    return cast


def _labels(path: Path, array: Tensor | None) -> Ints | None:
    if array is None:
        return None
    if array.dtype.kind not in "iu" or array.ndim != 1 or (array < 0).any():
        raise TableError(f"{path}: array {LABEL_ARRAY!r}: must hold a class index 0, 1, … a row, as integers")
    return array.astype(np.int64)
