"""Checks of a file's values: the shape of an input, and casts to its datatype where nothing is lost."""

import numpy as np

from tightrope.service.inference.row_files.row_file import RowFileError
from tightrope.service.protocol.tensors import Tensor, TensorSpec, dtype_of


def cast_values(where: str, array: Tensor, spec: TensorSpec, row_axis: int | None, *, allow_nan: bool) -> Tensor:
    """Cast an array to the datatype of its input: floats freely, integers where they fit. ``where`` begins an error.

    Raises:
        RowFileError: when the array is of another kind, or holds a value that the input cannot have.
    """
    dtype = dtype_of(spec.datatype)
    if spec.datatype == "BYTES":
        if array.dtype.kind != "U":
            raise RowFileError(f"{where}: is {array.dtype}, must hold strings")
        return array.astype(object)
    whole = dtype.kind in "iu" and array.dtype.kind in "iu"
    if array.dtype != dtype and not whole and not dtype.kind == array.dtype.kind == "f":
        raise RowFileError(f"{where}: is {array.dtype}, must be {dtype} ({spec.datatype})")
    if (
        whole
        and array.size
        and not (np.iinfo(dtype).min <= int(array.min()) and int(array.max()) <= np.iinfo(dtype).max)
    ):
        raise RowFileError(
            f"{where}: has values from {array.min()} to {array.max()}, more than {spec.datatype} can hold"
        )
    with np.errstate(over="ignore"):
        cast = array.astype(dtype, copy=False)
    if dtype.kind == "f" and (bad := ~np.isfinite(cast) & ~(allow_nan & ~np.isfinite(array))).any():
        row = "" if row_axis is None else f" row {np.argwhere(bad)[0][row_axis]}:"
        raise RowFileError(f"{where}:{row} has values that are not finite {spec.datatype} numbers")
    return cast


def require_shape(where: str, array: Tensor, spec: TensorSpec, axis: int | None) -> None:
    """Check that an array has the declared sides; the one of its rows may have any but 0. ``where`` begins an error.

    Raises:
        RowFileError: when it has others.
    """
    fits = array.ndim == len(spec.shape) and all(
        declared < 0 or length == declared
        for index, (length, declared) in enumerate(zip(array.shape, spec.shape, strict=True))
        if index != axis
    )
    if not fits or (axis is not None and not array.shape[axis]):
        shape = ", ".join("rows" if index == axis else str(side) for index, side in enumerate(spec.shape))
        raise RowFileError(f"{where}: has shape {list(array.shape)}, must be [{shape}] (-1 is any length)")
