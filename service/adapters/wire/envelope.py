"""The envelope of every record, and arrays in it: msgpack maps with a schema and a version.

    {"schema": "tightrope.comparisons", "version": 1, "body": {...}}

An array is a map {"dtype": "<f8", "shape": [...], "data": bytes} (numpy's dtype names, little-endian, row-major), an
array of strings {"dtype": "str", "shape": [...], "data": [...]}. Whatever does not fit is refused with one line that
names the field; nothing is guessed.
"""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

import msgpack
import numpy as np
from numpy.typing import NDArray

from tightrope.service.errors import TightropeError

VERSION = 1

PEEKED = 128
"""Bytes of a record that hold its schema and version."""
DTYPES = {
    name: np.dtype(name)  # what the protocol has
    for name in ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
}
TEXTS, SIZES = frozenset((str,)), frozenset((int,))
"""The types of names, and of the sides of an array: a bool is no number here."""
TEXT = "str"
PLAIN: dict[object, tuple[frozenset[type], str]] = {
    str: (frozenset((str,)), "text"),
    float: (frozenset((float, int)), "a number"),
    int: (frozenset((int,)), "a whole number"),
}
"""What a field of these types may hold, and that in words."""
T = TypeVar("T")


class WireError(TightropeError):
    """These bytes are not the record they should be: whoever wrote them is at fault. One line, whatever they hold."""

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.split())[:200])


def pack(schema: str, body: object) -> bytes:
    """A record in its envelope."""
    return bytes(msgpack.packb({"schema": schema, "version": VERSION, "body": body}, default=_plain))


def _plain(value: object) -> object:
    """What msgpack does not know: arrays, numpy scalars, nested records."""
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return {"dtype": TEXT, "shape": value.shape, "data": value.ravel().tolist()}
        little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        return {"dtype": little.dtype.str, "shape": value.shape, "data": little.data}
    if is_dataclass(value):
        return record_fields(value)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a record cannot hold {type(value).__name__}")


def record_fields(record: Any) -> dict[str, object]:  # noqa: ANN401 - any record of monitors
    """The fields of a record, one level deep."""
    return {f.name: getattr(record, f.name) for f in fields(record)}


def envelope(data: bytes) -> dict[str, Any]:
    """The envelope of these bytes, checked."""
    try:
        found = msgpack.unpackb(data, strict_map_key=False)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise WireError(f"not a record: {str(error)[:80] or type(error).__name__}") from error
    if not isinstance(found, dict) or "schema" not in found or "body" not in found:
        raise WireError("not a record: it must be a map with schema, version and body")
    if found.get("version") != VERSION:
        raise WireError(f"version: {str(found.get('version'))[:20]!r}; this reader knows {VERSION}")
    return found


def peek(data: bytes) -> str:
    """The schema of a record of this version, which its writer put first; the rest of it is not looked at."""
    unpacker = msgpack.Unpacker(strict_map_key=False)
    unpacker.feed(data[:PEEKED])
    try:
        unpacker.read_map_header()
        head = [unpacker.unpack() for _ in range(4)]
    except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError):
        head = []
    known = head[::2] == ["schema", "version"] and head[3] == VERSION and isinstance(head[1], str)
    return head[1] if known else str(envelope(data)["schema"])


def unpack(data: bytes, schema: str) -> object:
    """The body of a record of this schema."""
    found = envelope(data)
    if found["schema"] != schema:
        raise WireError(f"schema: {str(found['schema'])[:40]!r} where {schema!r} should be")
    return found["body"]


def mapping(value: object, where: str) -> Mapping[str, Any]:
    """A map with names as keys, or a `WireError`."""
    if not isinstance(value, dict) or not TEXTS.issuperset(map(type, value)):
        raise WireError(f"{where}: must be a map with names as keys")
    return value


def names(value: object, where: str) -> tuple[str, ...]:
    """A list of names, or a `WireError`."""
    if not isinstance(value, list) or not TEXTS.issuperset(map(type, value)):
        raise WireError(f"{where}: must be a list of names")
    return tuple(value)


def build(kind: type[T], body: object) -> T:
    """A record from its fields, each of the type that it declares."""
    where = kind.__name__.lower()
    given = mapping(body, where)
    try:
        record = kind(**given)
    except TypeError as error:
        raise WireError(f"{where}: {error}") from error
    for name, types, wanted in _plain_fields(kind):  # type: ignore[arg-type]  # a class can be hashed
        if type(getattr(record, name)) not in types:
            raise WireError(f"{where}.{name}: must be {wanted}")
    return record


@cache
def _plain_fields(kind: type) -> list[tuple[str, frozenset[type], str]]:
    """The fields of a record whose type is a plain one, with what they may hold."""
    return [(field.name, *PLAIN[field.type]) for field in fields(kind) if field.type in PLAIN]


def array(value: object, where: str, dtype: str | None = None) -> NDArray[Any]:
    """An array, checked: its bytes must be what its dtype and shape say."""
    box = mapping(value, where)
    kind, shape, data = box.get("dtype"), box.get("shape"), box.get("data")
    if not isinstance(shape, list) or not SIZES.issuperset(map(type, shape)) or min(shape, default=0) < 0:
        raise WireError(f"{where}: shape must be a list of sizes")
    if dtype is not None and kind != dtype:
        raise WireError(f"{where}: dtype {str(kind)[:20]!r} where {dtype!r} should be")
    if kind == TEXT:
        return _shaped(np.array(names(data, where), dtype=object), shape, where)
    if not isinstance(kind, str) or kind not in DTYPES or not isinstance(data, bytes):
        raise WireError(f"{where}: dtype {str(kind)[:20]!r} is not known, or its data are not bytes")
    if len(data) != math.prod(shape) * DTYPES[kind].itemsize:
        raise WireError(f"{where}: {len(data)} bytes cannot be {kind} of shape {str(shape)[:40]}")
    try:  # numpy itself knows which shapes there can be
        return np.ndarray(shape, DTYPES[kind], data)
    except (ValueError, OverflowError) as error:
        raise WireError(f"{where}: {str(error)[:80]}") from error


def _shaped(flat: NDArray[Any], shape: list[int], where: str) -> NDArray[Any]:
    try:
        return flat.reshape(shape)
    except (ValueError, OverflowError) as error:
        raise WireError(f"{where}: {str(error)[:80]}") from error
