"""The envelope of every record, and the form of arrays in it: msgpack maps with a schema and a version.

    {"schema": "tightrope.comparisons", "version": 2, "body": {...}}

An array is a map {"dtype": "<f8", "shape": [...], "data": bytes} (numpy's dtype names, little-endian, row-major), an
array of strings {"dtype": "str", "shape": [...], "data": [...]}. A record that does not fit is refused with one line
that names the field; readers never guess. Records of the version before are read: fields that it lacked have defaults.
Records that members exchange stay readable for the version before (`first_release`).
"""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from tightrope.service.adapters.wire import bounds
from tightrope.service.adapters.wire.first_release import FIRST_RELEASE_FIELDS, FIRST_VERSION, split_fields
from tightrope.service.errors import TightropeError

WIRE_VERSION = 2
READ_VERSIONS = (WIRE_VERSION - 1, WIRE_VERSION)
"""The versions that this reader knows: while a cluster is upgraded, both are on its topics."""

DTYPES = {
    name: np.dtype(name)
    for name in ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
}
"""The numeric dtypes of the Open Inference Protocol."""

STRING_DTYPE = "str"
STRING_TYPES, SIZE_TYPES = frozenset((str,)), frozenset((int,))
"""The exact types of names and of array sizes: a bool is not a number here."""

FIELD_TYPES: dict[object, tuple[frozenset[type], str]] = {
    str: (STRING_TYPES, "text"),
    float: (frozenset((float, int)), "a number"),
    int: (SIZE_TYPES, "a whole number"),
    bool: (frozenset((bool,)), "true or false"),
}
"""The value types that a field declared as the key may hold, and their description in error messages."""

MALFORMED = (msgspec.MsgspecError, ValueError, TypeError, RecursionError)
"""Errors of the decoder on bytes that are not msgpack, or nest too deeply."""

T = TypeVar("T")


class WireError(TightropeError):
    """These bytes are not the expected record; their writer is at fault. The message is one line of at most 200
    characters.
    """

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.split())[:200])


class _Head(msgspec.Struct):
    """An envelope whose body is skipped, not decoded."""

    schema: str
    version: int
    body: msgspec.Raw


def little_endian(value: NDArray[Any]) -> NDArray[Any]:
    """An array as its bytes stand in a record; most are so already, and are not copied."""
    if value.dtype.str in DTYPES and value.flags.c_contiguous:
        return value
    return np.ascontiguousarray(value, value.dtype.newbyteorder("<"))


def _to_plain(value: object) -> object:
    """Convert types that msgpack lacks: arrays and numpy scalars."""
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return {"dtype": STRING_DTYPE, "shape": value.shape, "data": value.ravel().tolist()}
        little = little_endian(value)
        return {"dtype": little.dtype.str, "shape": value.shape, "data": little.data}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a record cannot hold {type(value).__name__}")


_encode = msgspec.msgpack.Encoder(enc_hook=_to_plain).encode
_decode_any = msgspec.msgpack.Decoder().decode
_decode_head = msgspec.msgpack.Decoder(_Head).decode


def pack(schema: str, body: object) -> bytes:
    """A record in its envelope."""
    if schema not in FIRST_RELEASE_FIELDS:
        return _encode({"schema": schema, "version": WIRE_VERSION, "body": body})
    first, later = split_fields(schema, body)
    added = {} if later is None else {"added": later}
    return _encode({"schema": schema, "version": FIRST_VERSION, "body": first, **added})


def record_fields(record: Any) -> dict[str, object]:  # noqa: ANN401 - any record of monitors
    """The fields of a record, one level deep."""
    return {f.name: getattr(record, f.name) for f in fields(record)}


def envelope(data: bytes) -> dict[str, Any]:
    """The envelope of these bytes, checked.

    Raises:
        WireError: when it is not an envelope, or of a version that is not read.
    """
    try:
        document = _decode_any(data)
    except MALFORMED as error:
        raise WireError(f"not a record: {str(error)[:80] or type(error).__name__}") from error
    if not isinstance(document, dict) or "schema" not in document or "body" not in document:
        raise WireError("not a record: it must be a map with schema, version and body")
    if not _is_read(document.get("version")):
        known = " and ".join(map(str, READ_VERSIONS))
        raise WireError(f"version: {str(document.get('version'))[:20]!r}; this reader knows {known}")
    if "added" in document:
        document["body"] = _joined(document["body"], document.pop("added"))
    return document


def _joined(body: object, added: object) -> object:
    """The body of a record with its later fields, which never replace those that every version reads."""
    if isinstance(body, list) and isinstance(added, list):
        if len(body) != len(added):
            raise WireError(f"added: {len(added)} entries where {len(body)} should be")
        return [{**mapping(more, "added"), **mapping(item, "body")} for item, more in zip(body, added, strict=True)]
    return {**mapping(added, "added"), **mapping(body, "body")}


def _is_read(version: object) -> bool:
    return type(version) is int and version in READ_VERSIONS


def peek(data: bytes) -> str:
    """The schema of a record that can be read; its body is not decoded."""
    try:
        head = _decode_head(data)
    except MALFORMED:
        return str(envelope(data)["schema"])
    return head.schema if _is_read(head.version) else str(envelope(data)["schema"])


def unpack(data: bytes, schema: str) -> object:
    """The body of a record of this schema.

    Raises:
        WireError: when it is another record, or not a record.
    """
    limit = bounds.MAX_RECORD_BYTES.get(schema)
    if limit is not None and len(data) > limit:
        raise WireError(f"{schema}: {len(data)} bytes; it must have at most {limit}")
    document = envelope(data)
    if document["schema"] != schema:
        raise WireError(f"schema: {str(document['schema'])[:40]!r} where {schema!r} should be")
    return document["body"]


def mapping(value: object, where: str) -> Mapping[str, Any]:
    """A map with names as keys, or a `WireError`."""
    if not isinstance(value, dict) or not STRING_TYPES.issuperset(map(type, value)):
        raise WireError(f"{where}: must be a map with names as keys")
    return value


def text(value: object, where: str) -> str:
    """A text, or a `WireError`."""
    if not isinstance(value, str):
        raise WireError(f"{where}: must be a text")
    return value


def names(value: object, where: str) -> tuple[str, ...]:
    """A list of names, or a `WireError`."""
    texts = _texts(value, where)
    if violation := bounds.names_violation(where, texts):
        raise WireError(f"{where}: {violation}")
    return tuple(texts)


def _texts(value: object, where: str) -> list[str]:
    """A list of texts, of any length: an input of a model may be a text."""
    if not isinstance(value, list) or not STRING_TYPES.issuperset(map(type, value)):
        raise WireError(f"{where}: must be a list of names")
    return value


def build(kind: type[T], where: str, body: object) -> T:
    """A record from its fields, each of the type that it declares; ``where`` names it in errors."""
    values = mapping(body, where)
    try:
        record = kind(**values)
    except TypeError as error:
        raise WireError(f"{where}: {error}") from error
    check_fields(record, where)
    return record


def check_fields(record: object, where: str) -> None:
    """Check that the plain fields of a record have the types that it declares, and values within their bounds.

    Raises:
        WireError: when one does not.
    """
    for name, types, wanted in _checked_fields(type(record)):  # type: ignore[arg-type]  # a class can be hashed
        value: Any = getattr(record, name)
        if type(value) not in types:
            raise WireError(f"{where}.{name}: must be {wanted}")
        if types is STRING_TYPES:
            violation = bounds.text_violation(name, value)
        else:
            violation = bounds.number_violation(
                name, value, bounds.WHOLE_NUMBERS if types is SIZE_TYPES else bounds.NUMBERS
            )
        if violation:
            raise WireError(f"{where}.{name}: {violation}")


@cache
def _checked_fields(kind: type) -> list[tuple[str, frozenset[type], str]]:
    """The fields of a record with a type of `FIELD_TYPES`, and the values they may hold."""
    return [(field.name, *FIELD_TYPES[field.type]) for field in fields(kind) if field.type in FIELD_TYPES]


def array(value: object, where: str, dtype: str | None = None) -> NDArray[Any]:
    """An array from its map; its bytes must match its dtype and shape.

    Raises:
        WireError: when they do not, or when ``dtype`` is given and it is another one.
    """
    if not isinstance(value, dict):
        raise WireError(f"{where}: must be a map with names as keys")
    kind, data = value.get("dtype"), value.get("data")
    shape: Any = value.get("shape")
    entries = _entries(shape)
    if entries is None:
        raise WireError(f"{where}: shape must be a list of sizes")
    if not data and (violation := bounds.shape_violation(shape)):  # others have the bytes for their sides
        raise WireError(f"{where}: {violation}")
    if dtype is not None and kind != dtype:
        raise WireError(f"{where}: dtype {str(kind)[:20]!r} where {dtype!r} should be")
    if kind == STRING_DTYPE:
        return _reshape(np.array(_texts(data, where), dtype=object), shape, where)
    if not isinstance(kind, str) or kind not in DTYPES or not isinstance(data, bytes):
        raise WireError(f"{where}: dtype {str(kind)[:20]!r} is not known, or its data are not bytes")
    if len(data) != entries * DTYPES[kind].itemsize:
        raise WireError(f"{where}: {len(data)} bytes cannot be {kind} of shape {str(shape)[:40]}")
    try:  # numpy rejects the shapes that it does not support
        return np.ndarray(shape, DTYPES[kind], data)
    except (ValueError, OverflowError) as error:
        raise WireError(f"{where}: {str(error)[:80]}") from error


def _entries(shape: Any) -> int | None:  # noqa: ANN401 - as it was received
    """The number of entries of an array of this shape; None where it is no list of sizes. A loop takes half of the time
    of checks of all sides together: there are forty arrays in a record, which often has one row.
    """
    if type(shape) is not list:
        return None
    entries = 1
    for side in shape:
        if type(side) is not int or side < 0:
            return None
        entries *= side
    return entries


def _reshape(flat: NDArray[Any], shape: list[int], where: str) -> NDArray[Any]:
    try:
        return flat.reshape(shape)
    except (ValueError, OverflowError) as error:
        raise WireError(f"{where}: {str(error)[:80]}") from error
