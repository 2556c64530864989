"""The usual request, read in one pass: numbers for every input, in JSON or in binary. Whatever is unusual, or wrong, is
left to `protocol`, which says what is wrong with it.

The JSON is checked against its types while it is parsed; what is left to check are names, shapes and sizes.
"""

import math
import struct
from collections.abc import Sequence

import msgspec
import numpy as np

from tightrope.service.protocol.rest import MAX_ID_LENGTH, UNSUPPORTED, InferRequest, OutputRequest, Scalar
from tightrope.service.protocol.tensors import Tensor, TensorSpec, dtype_of

CODES = {"FP32": "f", "FP64": "d"}
"""`struct`'s code for the datatypes whose JSON form is read here: of the others a type says too little."""

BINARY = frozenset({"FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
"""Datatypes whose binary form needs no look at the values."""


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


class Reader:
    """Reads requests for a model with these inputs and outputs."""

    def __init__(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        self.inputs = inputs
        self._specs = {spec.name: spec for spec in inputs}
        self._types = {spec.name: dtype_of(spec.datatype) for spec in inputs}
        self._sizes = {n: self._types[n].itemsize if of.datatype in BINARY else 0 for n, of in self._specs.items()}
        self._sides = {spec.name: list(spec.shape[1:]) for spec in inputs if _is_free_by_rows_only(spec)}
        self._outputs = frozenset(spec.name for spec in outputs)

    def read(self, body: bytes, header_length: int | None) -> InferRequest | None:
        """The request; None for one that `protocol.decode_request` must look at."""
        if header_length == 0 or (header_length or 0) > len(body):
            return None
        try:
            said = _DECODER.decode(body if header_length is None else body[:header_length])
            tensors = self._tensors(said.inputs, body, len(body) if header_length is None else header_length)
        except (msgspec.DecodeError, struct.error, OverflowError, ValueError, KeyError):
            return None
        parameters: dict[str, Scalar] = said.parameters or {}
        default = parameters.pop("binary_data_output", False) if parameters else False
        outputs = self._wanted(said.outputs, default) if said.outputs else ()
        if tensors is None or outputs is None or type(default) is not bool or len(said.id or "") > MAX_ID_LENGTH:
            return None
        return InferRequest(said.id, parameters, tensors, outputs, default)

    def _tensors(self, inputs: Sequence[_Input], body: bytes, at: int) -> dict[str, Tensor] | None:
        """Those in binary stand in ``body``, from ``at`` to its end."""
        tensors: dict[str, Tensor] = {}
        for given in inputs:
            spec, shape, data = self._specs[given.name], given.shape, given.data
            if given.datatype != spec.datatype:
                return None
            if not (shape and shape[1:] == self._sides.get(spec.name)) and not _fits(shape, spec):
                return None
            count = math.prod(shape)
            if data is not None:
                if given.parameters or len(data) != count or count == 0:
                    return None
                packed = struct.pack(f"<{count}{CODES[given.datatype]}", *data)
            else:
                size = count * self._sizes[spec.name]
                if given.parameters != {"binary_data_size": size} or not 0 < size <= len(body) - at:
                    return None
                packed, at = body[at : at + size], at + size
            tensors[given.name] = np.frombuffer(packed, self._types[spec.name]).reshape(shape)
        return tensors if len(tensors) == len(self._specs) == len(inputs) and at == len(body) else None

    def _wanted(self, outputs: Sequence[_Output], default: Scalar) -> tuple[OutputRequest, ...] | None:
        wanted: dict[str, OutputRequest] = {}
        for output in outputs:
            parameters = output.parameters or {}
            binary = parameters.get("binary_data", default)
            if output.name not in self._outputs or UNSUPPORTED & parameters.keys() or type(binary) is not bool:
                return None
            wanted[output.name] = OutputRequest(output.name, binary)
        return tuple(wanted.values()) if len(wanted) == len(outputs) else None


def _is_free_by_rows_only(spec: TensorSpec) -> bool:
    return spec.shape[:1] == (-1,) and -1 not in spec.shape[1:]


def _fits(shape: list[int], spec: TensorSpec) -> bool:
    return len(shape) == len(spec.shape) and all(
        given >= 1 and declared in {-1, given} for given, declared in zip(shape, spec.shape, strict=True)
    )
