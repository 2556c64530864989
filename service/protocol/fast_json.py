"""Fast reader of common requests: numbers for every input, in JSON or in binary.

There are two readers because msgspec parses a request and checks its types in one pass, but cannot name the field that
is wrong: this reader returns None for every request that is invalid or unusual, and `rest.decode_request` then reads it
again and reports the error.
"""

import math
import struct
from collections.abc import Sequence

import msgspec
import numpy as np

from tightrope.service.protocol.rest import MAX_ID_LENGTH, UNSUPPORTED, InferRequest, OutputRequest, Scalar
from tightrope.service.protocol.tensors import Tensor, TensorSpec, dtype_of, is_finite

JSON_STRUCT_CODES = {"FP32": "f", "FP64": "d"}
"""`struct` codes of the datatypes that are read from JSON. The other datatypes need checks that msgspec does not do."""

UNCHECKED_BINARY_TYPES = frozenset(
    {"FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"}
)
"""Datatypes for which every bit pattern is a valid value."""


class _Input(msgspec.Struct, gc=False):
    name: str
    shape: list[int]
    datatype: str
    data: list[float] | None = None
    parameters: dict[str, str | int | float | bool] | None = None


class _Output(msgspec.Struct, gc=False):
    name: str
    parameters: dict[str, str | int | float | bool] | None = None


class _Request(msgspec.Struct, gc=False):
    inputs: list[_Input]
    id: str | None = None
    parameters: dict[str, str | int | float | bool] | None = None
    outputs: list[_Output] | None = None


_DECODER = msgspec.json.Decoder(_Request)


class FastReader:
    """Reads requests for a model with these inputs and outputs; NaN and infinity only if ``allow_nan``."""

    def __init__(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], *, allow_nan: bool) -> None:
        self.inputs = inputs
        floats = frozenset(spec.name for spec in inputs if spec.datatype in JSON_STRUCT_CODES)
        self._finite = frozenset() if allow_nan else floats
        self._specs = {spec.name: spec for spec in inputs}
        self._types = {spec.name: dtype_of(spec.datatype) for spec in inputs}
        self._item_sizes = {
            spec.name: self._types[spec.name].itemsize if spec.datatype in UNCHECKED_BINARY_TYPES else 0
            for spec in inputs
        }
        self._row_shapes = {spec.name: list(spec.shape[1:]) for spec in inputs if _only_rows_vary(spec)}
        self._outputs = frozenset(spec.name for spec in outputs)

    def read(self, body: bytes, header_length: int | None) -> InferRequest | None:
        """Read a request; None if `rest.decode_request` must read it."""
        if header_length == 0 or (header_length or 0) > len(body):
            return None
        try:
            document = _DECODER.decode(body if header_length is None else body[:header_length])
            tensors = self._tensors(document.inputs, body, len(body) if header_length is None else header_length)
        except (msgspec.DecodeError, struct.error, OverflowError, ValueError, KeyError, RecursionError):
            return None
        parameters: dict[str, Scalar] = document.parameters or {}
        default = parameters.pop("binary_data_output", False) if parameters else False
        outputs = self._output_requests(document.outputs, default) if document.outputs else ()
        if tensors is None or outputs is None or type(default) is not bool or len(document.id or "") > MAX_ID_LENGTH:
            return None
        return InferRequest(document.id, parameters, tensors, outputs, default)

    def _tensors(self, inputs: Sequence[_Input], body: bytes, offset: int) -> dict[str, Tensor] | None:
        """Read the tensors; binary ones lie in ``body``, from ``offset`` to its end."""
        tensors: dict[str, Tensor] = {}
        for entry in inputs:
            spec, shape, data = self._specs[entry.name], entry.shape, entry.data
            if entry.datatype != spec.datatype:
                return None
            if not (shape and shape[1:] == self._row_shapes.get(spec.name)) and not _fits(shape, spec):
                return None
            count = math.prod(shape)
            if data is not None:
                if entry.parameters or len(data) != count or count == 0:
                    return None
                packed = struct.pack(f"<{count}{JSON_STRUCT_CODES[entry.datatype]}", *data)
            else:
                size = count * self._item_sizes[spec.name]
                if entry.parameters != {"binary_data_size": size} or not 0 < size <= len(body) - offset:
                    return None
                packed, offset = body[offset : offset + size], offset + size
            tensor = np.frombuffer(packed, self._types[spec.name])
            if data is None and spec.name in self._finite and not is_finite(tensor):  # in JSON every number is
                return None
            tensors[entry.name] = tensor.reshape(shape)
        return tensors if len(tensors) == len(self._specs) == len(inputs) and offset == len(body) else None

    def _output_requests(self, outputs: Sequence[_Output], default: Scalar) -> tuple[OutputRequest, ...] | None:
        requested: dict[str, OutputRequest] = {}
        for output in outputs:
            parameters = output.parameters or {}
            binary = parameters.get("binary_data", default)
            if output.name not in self._outputs or UNSUPPORTED & parameters.keys() or type(binary) is not bool:
                return None
            requested[output.name] = OutputRequest(output.name, binary)
        return tuple(requested.values()) if len(requested) == len(outputs) else None


def _only_rows_vary(spec: TensorSpec) -> bool:
    return spec.shape[:1] == (-1,) and -1 not in spec.shape[1:]


def _fits(shape: list[int], spec: TensorSpec) -> bool:
    return len(shape) == len(spec.shape) and all(
        given >= 1 and declared in {-1, given} for given, declared in zip(shape, spec.shape, strict=True)
    )
