"""Casts between the types that callers send and get, and those of a model.

Floats are cast to any float, and integers to wider ones; INT64 becomes INT32 where its values fit.
"""

import numpy as np

from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.protocol.tensors import Tensor, datatype_of, dtype_of

FLOATS = frozenset({"FP16", "FP32", "FP64"})
NARROWED = ("INT64", "INT32")


def can_cast(given: str, wanted: str) -> bool:
    """Whether tensors of one datatype can be cast to another."""
    if given == wanted or FLOATS.issuperset((given, wanted)) or (given, wanted) == NARROWED:
        return True
    one, other = dtype_of(given), dtype_of(wanted)
    return one.kind in "iu" and other.kind in "iu" and np.can_cast(one, other)


def cast(name: str, tensor: Tensor, datatype: str) -> Tensor:
    """Cast an input to the datatype of a model.

    Raises:
        RunFailedError: when a value does not fit, where the model would compute with another one.
    """
    dtype = dtype_of(datatype)
    if tensor.dtype == dtype:
        return tensor
    with np.errstate(over="ignore"):
        result = tensor.astype(dtype)
    if dtype.kind == "f":
        fits = not bool((np.isinf(result) & np.isfinite(tensor)).any())
    else:
        fits = bool((result == tensor).all())
    if not fits:
        raise RunFailedError(
            f"{name!r}: a value of {datatype_of(tensor.dtype)} is too large for the model's {datatype}"
        )
    return result


def cast_output(name: str, tensor: Tensor, datatype: str) -> Tensor:
    """Cast an output to the datatype that callers get; a float that does not fit is infinite, as one that a model gave.

    Raises:
        RunFailedError: when an integer does not fit.
    """
    dtype = dtype_of(datatype)
    if tensor.dtype.kind == "f" and dtype.kind == "f":
        with np.errstate(over="ignore"):
            return tensor.astype(dtype, copy=False)
    return cast(name, tensor, datatype)
