"""Tensors of the Open Inference Protocol, in JSON and in binary form, to and from numpy.

Sources: Open Inference Protocol v2, `inference_rest.md`, "Tensor Data" and "Tensor Data Types";
Triton Inference Server, `extension_binary_data.md`, for the binary form.
Shapes hold one length per axis, data is row-major, and `where` names the tensor in errors.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tightrope.service.errors import CallerError, ServerError, quote

Tensor: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Datatype:
    """One datatype: its numpy dtype, `struct` code and Python types in JSON, and a description of its valid values."""

    dtype: np.dtype[Any]
    code: str
    json: frozenset[type]
    valid: str


def _whole(dtype: str, code: str) -> _Datatype:
    limits = np.iinfo(dtype)
    return _Datatype(np.dtype(dtype), code, frozenset({int}), f"a whole number from {limits.min} to {limits.max}")


SMALL_TENSOR_SIZE = 256
"""The number of elements up to which a sum of Python's numbers is faster than numpy's calls."""

_LIST = frozenset({list})
_NUMBER = frozenset({int, float})
_DATATYPES = {
    "BOOL": _Datatype(np.dtype("?"), "?", frozenset({bool}), "true or false"),
    "UINT8": _whole("<u1", "B"),
    "UINT16": _whole("<u2", "H"),
    "UINT32": _whole("<u4", "I"),
    "UINT64": _whole("<u8", "Q"),
    "INT8": _whole("<i1", "b"),
    "INT16": _whole("<i2", "h"),
    "INT32": _whole("<i4", "i"),
    "INT64": _whole("<i8", "q"),
    "FP16": _Datatype(np.dtype("<f2"), "e", frozenset(), "binary"),
    "FP32": _Datatype(np.dtype("<f4"), "f", _NUMBER, "a number no larger than FP32 can hold"),
    "FP64": _Datatype(np.dtype("<f8"), "d", _NUMBER, "a number"),
    # onnxruntime takes and gives string tensors as object arrays of str.
    "BYTES": _Datatype(np.dtype(object), "", frozenset({str}), "a string"),
}
HALF = "FP16"
"""The datatype that only binary data can hold."""

DATATYPE_NAMES = {kind.dtype: name for name, kind in _DATATYPES.items()}
"""The protocol datatype of each numpy dtype that has one."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A model's declaration of a tensor; -1 in `shape` is a dimension that the caller chooses. `classes` are the names
    of the columns of an output, where the model tells them. With `takes_half` an input of floats may be sent as FP16.

    Raises ServerError for an unsupported datatype.
    """

    name: str
    datatype: str
    shape: Shape
    classes: tuple[str, ...] = field(default=(), compare=False)
    takes_half: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse an unsupported datatype once, when the model is loaded."""
        dtype_of(self.datatype)


def dtype_of(datatype: str) -> np.dtype[Any]:
    """The numpy dtype of a protocol datatype. Raises ServerError unless it is one of the 13 supported ones."""
    if datatype not in _DATATYPES:
        raise ServerError(f"datatype {quote(datatype)} is not supported; use one of {', '.join(_DATATYPES)}")
    return _DATATYPES[datatype].dtype


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The protocol datatype of a numpy dtype. Raises ServerError if the protocol lacks it."""
    try:
        return DATATYPE_NAMES[dtype]
    except KeyError:
        raise ServerError(f"the protocol has no datatype for arrays of {dtype}") from None


def zeros(specs: Sequence[TensorSpec]) -> dict[str, Tensor]:
    """One row of zeros, or of empty strings, for these inputs; every variable dimension is 1."""
    return {
        spec.name: np.full(
            tuple(abs(side) for side in spec.shape), "" if spec.datatype == "BYTES" else 0, dtype_of(spec.datatype)
        )
        for spec in specs
    }


def check(shape: Shape, datatype: object, spec: TensorSpec, where: str) -> str:
    """The datatype of a tensor that fits the spec. Raises CallerError for one of another shape or datatype."""
    if datatype != spec.datatype and not (spec.takes_half and datatype == HALF):
        also = f" or {HALF}, in binary" if spec.takes_half else ""
        raise CallerError(f"{where}: datatype is {quote(datatype)}, must be {spec.datatype}{also}")
    if len(shape) != len(spec.shape):
        raise CallerError(f"{where}: shape is {quote(list(shape))}, must have {len(spec.shape)} dimensions")
    if shape[:1] == (0,) or min(shape, default=0) < 0:
        raise CallerError(f"{where}: shape is {quote(list(shape))}, must have at least one row, and no negative length")
    for length, declared in zip(shape, spec.shape, strict=True):
        if declared >= 0 and length != declared:
            raise CallerError(f"{where}: shape is {quote(list(shape))}, must be {list(spec.shape)} (-1 is any length)")
    return str(datatype)


def decode_json(datatype: str, shape: Shape, data: object, where: str) -> Tensor:
    """The read-only tensor written as a JSON array, flat or nested as `shape` says; CallerError if it is not that.

    Values are never converted: no number from a string or a boolean, no integer from 1.0 (as Triton has it).
    """
    kind = _DATATYPES[datatype]
    if not kind.json:
        raise CallerError(
            f"{where}: {datatype} has no JSON form, send FP32, or binary with parameters.binary_data_size"
        )
    flat = _flatten(data, shape, where)
    count = math.prod(shape)
    if len(flat) != count:
        raise CallerError(f"{where}: data has {len(flat)} elements, shape {quote(list(shape))} needs {quote(count)}")
    if not kind.json.issuperset(map(type, flat)):
        index = next(i for i, value in enumerate(flat) if type(value) not in kind.json)
        raise _element_error(kind, index, flat[index], where)
    if datatype == "BYTES":
        return np.array(flat, dtype=object).reshape(shape)
    try:
        # struct refuses what does not fit, where numpy wraps or writes inf; it is also 2-3 times faster on a list.
        packed = struct.pack(f"<{count}{kind.code}", *flat)
    except (struct.error, OverflowError):
        index = next(i for i, value in enumerate(flat) if not _fits(kind, value))
        raise _element_error(kind, index, flat[index], where) from None
    return np.frombuffer(packed, kind.dtype).reshape(shape)


def decode_binary(datatype: str, shape: Shape, data: memoryview, where: str) -> Tensor:
    """Decode a tensor from little-endian bytes without padding: a read-only view of `data` if it is aligned.

    Raises CallerError for a wrong size, a BOOL byte other than 0 and 1, or a string that is not UTF-8.
    """
    if datatype == "BYTES":
        return _decode_strings(shape, data, where)
    dtype = _DATATYPES[datatype].dtype
    size = math.prod(shape) * dtype.itemsize
    if data.nbytes != size:
        raise CallerError(
            f"{where}: {data.nbytes} bytes of binary data, {datatype} of shape {quote(list(shape))} needs {quote(size)}"
        )
    if datatype == "BOOL" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise CallerError(f"{where}: a BOOL byte is neither 0 nor 1")
    tensor: Tensor = np.frombuffer(data, dtype).reshape(shape)
    # The JSON before it has any length, so the view may be unaligned, which compiled code cannot read.
    return tensor if tensor.flags.aligned else tensor.copy()


def decode_binary_input(datatype: str, spec: TensorSpec, shape: Shape, data: memoryview, where: str) -> Tensor:
    """Decode an input as `decode_binary`, in the datatype of its spec; one that was sent as FP16 loses nothing."""
    tensor = decode_binary(datatype, shape, data, where)
    return tensor if datatype == spec.datatype else tensor.astype(dtype_of(spec.datatype))


def require_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise CallerError, naming input and row, for NaN or infinity in an input of floats."""
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f" and not is_finite(tensor):
            if not tensor.ndim:
                raise CallerError(f"input {name!r}: is {tensor}, must be finite unless allow_nan is true")
            row, *indices = np.argwhere(~np.isfinite(tensor))[0].tolist()
            where = f"input {name!r}, row {row}"
            raise CallerError(
                f"{where}: has {tensor[row, *indices]} at {indices}, must be finite unless allow_nan is true"
            )


def are_finite(tensors: Mapping[str, Tensor]) -> bool:
    """Whether no tensor of floats has NaN or infinity."""
    return all(is_finite(tensor) for tensor in tensors.values() if tensor.dtype.kind == "f")


def is_finite(tensor: Tensor) -> bool:
    """Whether a tensor of floats has neither NaN nor infinity. The sum of a small one is cheaper to test; it may
    overflow.
    """
    if tensor.size <= SMALL_TENSOR_SIZE and math.isfinite(sum(tensor.ravel().tolist())):
        return True
    return bool(np.isfinite(tensor).all())


def decode_raw(spec: TensorSpec, body: bytes, where: str) -> Tensor:
    """Decode the only input of a model from a whole body: one row, or one element of BYTES.

    A variable first axis is the batch and has length 1; the length of one more variable axis follows from the size.
    Raises CallerError as `decode_binary` does, and if the size does not determine the shape.
    """
    shape = (1, *spec.shape[1:]) if spec.shape[:1] == (-1,) else spec.shape
    fixed = math.prod(length for length in shape if length != -1)
    if shape.count(-1) > 1:
        raise CallerError(
            f"{where}: a raw body does not determine the shape {list(spec.shape)}, send the shape in JSON"
        )
    if spec.datatype == "BYTES":
        if fixed != 1:
            raise CallerError(f"{where}: a raw body is one element of BYTES, shape {list(spec.shape)} needs {fixed}")
        variable, body = 1, struct.pack("<I", len(body)) + body
    else:
        # Rounded down: decode_binary refuses a size that this length does not fit.
        variable = max(1, len(body) // (fixed * dtype_of(spec.datatype).itemsize))
    shape = tuple(variable if length == -1 else length for length in shape)
    return decode_binary(spec.datatype, shape, memoryview(body), where)


def encode_json(array: Tensor) -> list[Any]:
    """The elements as Python scalars, flat and row-major. Raises CallerError for FP16, which has no JSON form."""
    if datatype_of(array.dtype) == HALF:
        raise CallerError("FP16 has no JSON form, request it with binary_data: true")
    flat: list[Any] = array.ravel().tolist()
    return flat


def encode_binary(array: Tensor) -> bytes:
    """Encode the elements in binary form: little-endian, row-major, BYTES with 4-byte lengths."""
    if datatype_of(array.dtype) != "BYTES":
        return array.tobytes()
    texts = [text.encode() for text in array.flat]
    return b"".join(chain.from_iterable((struct.pack("<I", len(text)), text) for text in texts))


def _flatten(data: object, shape: Shape, where: str) -> list[Any]:
    """The elements of an array that is flat, or nested exactly as in `shape`."""
    if type(data) is not list:
        raise CallerError(f"{where}: data is {quote(data)}, must be an array")
    if not data or type(data[0]) is not list:
        return data
    rows = data
    # The first axis needs no check: the caller compares the number of all elements.
    for length in shape[1:]:
        if not _LIST.issuperset(map(type, rows)) or not {length}.issuperset(map(len, rows)):
            raise CallerError(f"{where}: data is nested unlike shape {quote(list(shape))}, nest it so or send it flat")
        rows = list(chain.from_iterable(rows))
    return rows


def _fits(kind: _Datatype, value: object) -> bool:
    try:
        struct.pack(f"<{kind.code}", value)
    except (struct.error, OverflowError):
        return False
    return True


def _element_error(kind: _Datatype, index: int, value: object, where: str) -> CallerError:
    return CallerError(f"{where}: data element {index} is {quote(value)}, must be {kind.valid}")


def _decode_strings(shape: Shape, data: memoryview, where: str) -> Tensor:
    count = math.prod(shape)
    # Every element has a length of 4 bytes: this bounds the allocation by the size of the body, for any shape.
    if 4 * count > data.nbytes:
        raise CallerError(
            f"{where}: {data.nbytes} bytes of binary data, too few for BYTES of shape {quote(list(shape))}"
        )
    texts = np.empty(count, object)
    end = 0
    for index in range(count):
        start = end + 4
        end = start + int.from_bytes(data[end:start], "little")
        if end > data.nbytes:
            raise CallerError(f"{where}: element {index} of the binary data runs past its {data.nbytes} bytes")
        try:
            texts[index] = str(data[start:end], "utf-8")
        except UnicodeDecodeError:
            raise CallerError(f"{where}: element {index} of the binary data is not valid UTF-8") from None
    if end != data.nbytes:
        raise CallerError(f"{where}: {data.nbytes} bytes of binary data, its {count} elements end at byte {end}")
    return texts.reshape(shape)
