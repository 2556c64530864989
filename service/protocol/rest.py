"""Inference requests and answers of the Open Inference Protocol v2 over HTTP, from and to bytes.

Sources: Open Inference Protocol v2, `inference_rest.md`, "Inference";
Triton Inference Server, `extension_binary_data.md`, for tensors as binary data and the raw form.

A body is JSON, or JSON of `Inference-Header-Content-Length` bytes followed by the binary tensors in their JSON order.
Unknown fields are ignored, and null means that an optional field is absent, as common clients send it.

orjson stays here because it writes numpy arrays without a Python object per element: msgspec, through `tolist`, costs
10 % more for one row and 58 % more for 1024 rows of 10, and writes FP32 values with 17 digits instead of 8.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import orjson
from msgspec import Struct

from tightrope.service.errors import CallerError, ServerError, quote
from tightrope.service.protocol.bounded_json import MAX_JSON_DEPTH, read_object
from tightrope.service.protocol.tensors import (
    DATATYPE_NAMES,
    Tensor,
    TensorSpec,
    are_finite,
    check,
    datatype_of,
    decode_binary_input,
    decode_json,
    decode_raw,
    encode_binary,
    encode_json,
)

Scalar: TypeAlias = str | int | float | bool
_Object: TypeAlias = dict[str, Any]

HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_ID_LENGTH = 256
"""Characters of a request id: ids are copied into answers, logs and records, so they must be short."""

_MAX_DIGITS = 18
"""Digits of a header's number: enough for any real body, and below the limit of int()."""

_SCALARS, _INTEGER, _OBJECT = frozenset({str, int, float, bool}), frozenset({int}), frozenset({dict})
UNSUPPORTED = frozenset({"classification", "shared_memory_region"})
"""Triton extensions that change the meaning of an output; refused, since ignoring them would give a wrong answer."""


class OutputRequest(NamedTuple):
    """A requested output, and whether it is returned as binary data."""

    name: str
    binary: bool


class InferRequest(Struct, frozen=True):
    """A request that fits the model. Empty `outputs` means all of them, as binary data if `binary_default`. `caller` is
    the value of the header that names the caller, where one is configured; `trace_id` that of its trace, if it has one.
    """

    id: str | None
    parameters: Mapping[str, Scalar]
    inputs: dict[str, Tensor]
    outputs: tuple[OutputRequest, ...]
    binary_default: bool
    caller: str = ""
    trace_id: str = ""


class InferResponse(Struct, frozen=True):
    """An answer: the model's outputs, and flat `parameters` that describe how it was made."""

    model_name: str
    model_version: str
    id: str | None
    parameters: dict[str, Scalar]
    outputs: Mapping[str, Tensor]


def parse_header_length(value: str | None) -> int | None:
    """The bytes of JSON at the start of the body, None without the header. Raises CallerError unless it is digits."""
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS):
        raise CallerError(f"header {HEADER_LENGTH} is {quote(value)}, must be a number of bytes")
    return int(value)


def decode_request(
    body: bytes,
    header_length: int | None,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    max_depth: int = MAX_JSON_DEPTH,
) -> InferRequest:
    """Decode a request for a model with these inputs and outputs; its JSON may be nested to ``max_depth``.

    `header_length` is the result of `parse_header_length`; 0 means the raw form. Tensors may be read-only views of
    `body`. Raises CallerError, naming the field, for every request that does not fit the model.
    """
    if header_length == 0:
        return _decode_raw(body, inputs)
    document, tail = _split(body, header_length, max_depth)
    parameters = _parameters(document, "request")
    binary_default = _flag(parameters.pop("binary_data_output", False), "parameters.binary_data_output")
    return InferRequest(
        id=_request_id(document),
        parameters=parameters,
        inputs=_decode_inputs(document, tail, inputs),
        outputs=_decode_outputs(document, outputs, default=binary_default),
        binary_default=binary_default,
    )


def encode_response(response: InferResponse, request: InferRequest) -> tuple[bytes, int | None]:
    """Encode an answer: the body, and the bytes of JSON at its start if binary tensors follow (None: it is all JSON).

    Raises CallerError for an FP16 output requested as JSON, and ServerError for a missing output or for NaN or infinity
    in an output requested as JSON, CallerError where the inputs have such values; in an answer with `monitored: false`
    they are null.
    """
    wanted: Sequence[tuple[str, bool]] = request.outputs
    if not wanted:
        wanted = [(name, request.binary_default) for name in response.outputs]
    blobs: list[bytes] = []
    document: _Object = {"model_name": response.model_name, "model_version": response.model_version}
    if response.id is not None:
        document["id"] = response.id
    if response.parameters:
        document["parameters"] = response.parameters
    document["outputs"] = [_encode_output(name, response.outputs, blobs, binary=binary) for name, binary in wanted]
    text = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    # orjson writes NaN and infinity as null, and nothing else here is null: a cheap test before the slow search. An
    # answer that is marked as unmonitored may have them.
    if b"null" in text and response.parameters.get("monitored", True):
        _refuse_non_finite(response, wanted, request)
    return (b"".join((text, *blobs)), len(text)) if blobs else (text, None)


def _split(body: bytes, header_length: int | None, max_depth: int) -> tuple[_Object, memoryview]:
    """Split a body into its JSON object and the binary data."""
    length = len(body) if header_length is None else header_length
    if length > len(body):
        raise CallerError(f"header {HEADER_LENGTH} is {length}, the body has only {len(body)} bytes")
    return read_object(body[:length], max_depth), memoryview(body)[length:]


def _request_id(document: _Object) -> str | None:
    value = document.get("id")
    if value is not None and (type(value) is not str or len(value) > MAX_ID_LENGTH):
        raise CallerError(f"id is {quote(value)}, must be a string of at most {MAX_ID_LENGTH} characters")
    return value


def _parameters(owner: _Object, where: str) -> dict[str, Scalar]:
    """The `parameters` of the request, an input or an output; the protocol allows flat scalars only. One that is null
    is absent.
    """
    value = owner.get("parameters")
    if value is None:
        return {}
    if type(value) is not dict:
        raise CallerError(f"{where}: parameters is {quote(value)}, must be an object")
    value = {name: item for name, item in value.items() if item is not None}
    if not _SCALARS.issuperset(map(type, value.values())):
        name = next(name for name, item in value.items() if type(item) not in _SCALARS)
        raise CallerError(f"{where}: parameters[{quote(name)}] must be a string, a number or a boolean")
    return value


def _flag(value: Scalar, where: str) -> bool:
    if type(value) is not bool:
        raise CallerError(f"{where} is {quote(value)}, must be true or false")
    return value


def _entries(document: _Object, key: str) -> list[_Object]:
    value = document.get(key)
    if value is None:
        return []
    if type(value) is not list or not _OBJECT.issuperset(map(type, value)):
        raise CallerError(f"{key} is {quote(value)}, must be an array of objects")
    return value


def _find_spec(entry: _Object, specs: dict[str, TensorSpec], what: str) -> TensorSpec:
    """The spec of the input or output that an entry names."""
    name = entry.get("name")
    if type(name) is not str or name not in specs:
        raise CallerError(f"{what} name is {quote(name)}, must be one of {', '.join(specs)}")
    return specs[name]


def _decode_inputs(document: _Object, tail: memoryview, specs: Sequence[TensorSpec]) -> dict[str, Tensor]:
    by_name = {spec.name: spec for spec in specs}
    tensors: dict[str, Tensor] = {}
    for entry in _entries(document, "inputs"):
        spec = _find_spec(entry, by_name, "input")
        if spec.name in tensors:
            raise CallerError(f"input {spec.name!r} is given twice")
        tensors[spec.name], tail = _decode_input(entry, spec, tail)
    if len(tensors) != len(by_name):
        raise CallerError(f"inputs: missing {', '.join(name for name in by_name if name not in tensors)}")
    if tail:
        raise CallerError(f"request has {len(tail)} bytes after those binary_data_size announces")
    return tensors


def _decode_input(entry: _Object, spec: TensorSpec, tail: memoryview) -> tuple[Tensor, memoryview]:
    """Decode one input: its tensor, and the binary data of the inputs after it."""
    where = f"input {spec.name!r}"
    shape = _shape(entry.get("shape"), where)
    datatype = check(shape, entry.get("datatype"), spec, where)
    data, size = entry.get("data"), _parameters(entry, where).get("binary_data_size")
    if (data is None) == (size is None):
        raise CallerError(f"{where}: give either data or parameters.binary_data_size, and not both")
    if size is None:
        return decode_json(datatype, shape, data, where), tail
    if type(size) is not int or size < 0:
        raise CallerError(f"{where}: binary_data_size is {quote(size)}, must be a number of bytes")
    if size > len(tail):
        raise CallerError(
            f"{where}: binary_data_size is {size}, but {len(tail)} bytes follow the JSON (see header {HEADER_LENGTH})"
        )
    return decode_binary_input(datatype, spec, shape, tail[:size], where), tail[size:]


def _shape(value: object, where: str) -> tuple[int, ...]:
    if type(value) is not list or not _INTEGER.issuperset(map(type, value)):
        raise CallerError(f"{where}: shape is {quote(value)}, must be an array of whole numbers")
    return tuple(value)


def _decode_outputs(document: _Object, specs: Sequence[TensorSpec], *, default: bool) -> tuple[OutputRequest, ...]:
    entries = _entries(document, "outputs")
    if not entries:
        return ()
    by_name = {spec.name: spec for spec in specs}
    wanted: dict[str, OutputRequest] = {}
    for entry in entries:
        name = _find_spec(entry, by_name, "output").name
        where = f"output {name!r}"
        if name in wanted:
            raise CallerError(f"{where} is requested twice")
        parameters = _parameters(entry, where)
        for key in UNSUPPORTED & parameters.keys():
            raise CallerError(f"{where}: parameters.{key} is not supported, leave it out")
        wanted[name] = OutputRequest(name, _flag(parameters.get("binary_data", default), f"{where}: binary_data"))
    return tuple(wanted.values())


def _decode_raw(body: bytes, specs: Sequence[TensorSpec]) -> InferRequest:
    """Decode the raw form: the body is the data of the only input, and all outputs are returned as binary data."""
    if len(specs) != 1:
        raise CallerError(f"header {HEADER_LENGTH} is 0, but a raw body needs a model of 1 input, not {len(specs)}")
    spec = specs[0]
    tensor = decode_raw(spec, body, f"input {spec.name!r}")
    return InferRequest(id=None, parameters={}, inputs={spec.name: tensor}, outputs=(), binary_default=True)


def _encode_output(name: str, tensors: Mapping[str, Tensor], blobs: list[bytes], *, binary: bool) -> _Object:
    """Encode one output as JSON; its binary data, if requested, is appended to `blobs`."""
    if name not in tensors:
        raise ServerError(f"output {name!r}: the model did not give it")
    array = tensors[name]
    datatype = DATATYPE_NAMES.get(array.dtype) or datatype_of(array.dtype)  # which raises
    entry: _Object = {"name": name, "shape": array.shape, "datatype": datatype}
    if binary:
        blobs.append(encode_binary(array) if datatype == "BYTES" else array.tobytes())
        entry["parameters"] = {"binary_data_size": len(blobs[-1])}
    elif datatype == "FP16":
        raise CallerError(f"output {name!r}: FP16 has no JSON form, request it with binary_data: true")
    else:
        # orjson writes contiguous arrays of numbers without a Python object per element.
        entry["data"] = encode_json(array) if datatype == "BYTES" else array.ravel()
    return entry


def _refuse_non_finite(response: InferResponse, wanted: Sequence[tuple[str, bool]], request: InferRequest) -> None:
    """Raise an error for NaN or infinity in a parameter, or in an output requested as JSON: CallerError where the
    caller sent such values.
    """
    fault = ServerError if are_finite(request.inputs) else CallerError
    for name, value in response.parameters.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise fault(f"parameters[{name!r}] is {value}, which JSON cannot hold")
    for wanted_name, binary in wanted:
        array = response.outputs[wanted_name]
        if not binary and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise fault(f"output {wanted_name!r} has NaN or infinity, which JSON cannot hold: request binary_data")
