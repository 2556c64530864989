"""JSON of callers, read in memory and time that its length bounds.

A parser makes an object of 64 bytes and more of every `{}`: a large text is read by its form here, so that only what a
request may hold becomes objects. Nesting is measured before a parser recurses into it.
"""

import re
from typing import Any, TypeAlias

import msgspec
import numpy as np
import orjson
from msgspec import Raw

from tightrope.service.errors import CallerError, quote

MAX_JSON_DEPTH = 32
"""Depth of arrays and objects, where none is configured."""
PLAIN_BYTES = 64 * 1024
"""Bytes of a text up to which it is parsed whole, and its mistakes are told in more words."""
MAX_ENTRIES = 1000
"""Inputs, or outputs, of a request in a large text."""
MAX_RANK = 8
"""Axes of a tensor that is written as nested arrays in a large text."""

_ARRAY, _NO_STRING = b"[]", b'""'
_MIDDLE, _CHUNK = np.int8(sum(_ARRAY) // 2), 64 * 1024
_KEPT = b'[]{}"'
_AS_ARRAYS = bytes.maketrans(b"{}", _ARRAY)
_OTHERS = bytes(byte for byte in range(256) if byte not in _KEPT)
_STRING, _NESTED = re.compile(b'"[^"]*"'), re.compile(rb"\s*\[\s*\[")
_ESCAPED_BACKSLASH, _ESCAPED_QUOTE = b"\\\\", b'\\"'
_NULL = Raw(b"null")

_Scalar: TypeAlias = bool | int | float | str | None


class _Entry(msgspec.Struct, gc=False):
    name: str
    shape: list[int] | None = None
    datatype: str | None = None
    data: Raw = _NULL
    parameters: dict[str, _Scalar] | None = None


class _Document(msgspec.Struct, gc=False):
    id: str | None = None
    parameters: dict[str, _Scalar] | None = None
    inputs: list[_Entry] | None = None
    outputs: list[_Entry] | None = None


_DOCUMENT = msgspec.json.Decoder(_Document)


def _array_decoders() -> list[msgspec.json.Decoder[Any]]:
    """The decoders of arrays of scalars, by the depth of their nesting."""
    kind: Any = _Scalar
    decoders = []
    for _ in range(MAX_RANK):
        kind = list[kind]
        decoders.append(msgspec.json.Decoder(kind))
    return decoders


_ARRAYS = _array_decoders()


def check_depth(text: bytes, max_depth: int = MAX_JSON_DEPTH) -> None:
    """Refuse JSON that is nested too deep, whether it is valid or not, in time that is linear in its length.

    Raises:
        CallerError: in that case.
    """
    if text.count(b"[") + text.count(b"{") <= max_depth:
        return
    if b"\\" in text:
        text = text.replace(_ESCAPED_BACKSLASH, b"").replace(_ESCAPED_QUOTE, b"")
    brackets = text.translate(_AS_ARRAYS, _OTHERS).replace(_NO_STRING, b"")
    if b'"' in brackets:
        brackets = _STRING.sub(b"", brackets)
    steps = _MIDDLE - np.frombuffer(brackets, np.int8)  # 1 where an array begins, -1 where it ends
    depth = 0
    for start in range(0, len(steps), _CHUNK):
        depths = np.cumsum(steps[start : start + _CHUNK], dtype=np.int32)
        if depth + int(depths.max()) > max_depth:
            raise CallerError(f"the JSON is nested deeper than {max_depth} levels (server.limits.json_depth)")
        depth += int(depths[-1])


def read_object(text: bytes, max_depth: int = MAX_JSON_DEPTH) -> dict[str, Any]:
    """The object in a text; of a large one only the fields of a request.

    Raises:
        CallerError: when it is not valid, or nested too deep, or a large one has another form than a request.
    """
    check_depth(text, max_depth)
    if len(text) > PLAIN_BYTES:
        return _read_large(text)
    document = _parse(text)
    if type(document) is not dict:
        raise CallerError(f"request is {quote(document)}, must be a JSON object")
    return document


def _parse(text: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CallerError(f"request is not valid JSON: {error}") from None


def _read_large(text: bytes) -> dict[str, Any]:
    try:
        document = _DOCUMENT.decode(text)
    except msgspec.ValidationError as error:
        raise CallerError(f"request has another form than an inference request: {error}") from None
    except msgspec.DecodeError as error:
        raise CallerError(f"request is not valid JSON: {error}") from None
    return {
        "id": document.id,
        "parameters": document.parameters,
        "inputs": _entries(document.inputs, "inputs"),
        "outputs": _entries(document.outputs, "outputs"),
    }


def _entries(entries: list[_Entry] | None, name: str) -> list[dict[str, Any]]:
    if entries is not None and len(entries) > MAX_ENTRIES:
        raise CallerError(f"{name} has {len(entries)} entries, must have at most {MAX_ENTRIES}")
    return [
        {
            "name": entry.name,
            "shape": entry.shape,
            "datatype": entry.datatype,
            "data": _data(entry),
            "parameters": entry.parameters,
        }
        for entry in entries or ()
    ]


def _data(entry: _Entry) -> Any:  # noqa: ANN401 - arrays of scalars
    """The data of a tensor: an array that is flat, or nested as deep as its shape is long."""
    text = bytes(entry.data)
    if text == bytes(_NULL):
        return None
    rank = min(len(entry.shape or ()), MAX_RANK) if _NESTED.match(text) else 1
    try:
        return _ARRAYS[max(rank, 1) - 1].decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CallerError(f"data of input {quote(entry.name)} is no array of its shape: {error}") from None
