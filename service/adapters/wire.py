"""Records as bytes: msgpack maps whose keys are the records' field names, in an envelope with a schema and a version.

    {"schema": "tightrope.comparisons", "version": 1, "body": {...}}

An array is a map {"dtype": "<f8", "shape": [...], "data": bytes} (numpy's dtype names, little-endian, row-major), an
array of strings {"dtype": "str", "shape": [...], "data": [...]}. Whatever does not fit is refused with one line that
names the field; nothing is guessed.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar

import msgpack
import numpy as np
from numpy.typing import NDArray

from monitors.cells import Cells
from monitors.plan import State
from monitors.records import ROW_ARRAYS, Comparisons, Event, Order, Role, Routes, Sample
from monitors.safemode import Mode
from monitors.safemode import State as ModeState
from service.errors import TightropeError

VERSION = 1
SAMPLES, COMPARISONS, EVENT, ORDER, ROUTES, STATE = (
    f"tightrope.{name}" for name in ("samples", "comparisons", "event", "order", "routes", "state")
)
DTYPES = frozenset(
    ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")  # what the protocol has
)
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


def schema_of(data: bytes) -> str:
    """Which record these bytes hold.

    Raises:
        WireError: when they are no record of this version.
    """
    return str(_envelope(data)["schema"])


def encode_samples(samples: list[Sample]) -> bytes:
    """Several samples as one record."""
    return _pack(SAMPLES, [_fields(sample) for sample in samples])


def decode_samples(data: bytes) -> list[Sample]:
    """Samples; each is checked to be self-consistent."""
    body = _open(data, SAMPLES)
    if not isinstance(body, list):
        raise WireError("samples: the body must be a list")
    return [_sample(item) for item in body]


def encode_comparisons(rows: Comparisons) -> bytes:
    """One batch of comparisons."""
    return _pack(COMPARISONS, _fields(rows))


def decode_comparisons(data: bytes) -> Comparisons:
    """One batch of comparisons; all columns are checked to have the same length."""
    return _comparisons(_open(data, COMPARISONS))


def encode_event(event: Event) -> bytes:
    """One event."""
    return _pack(EVENT, asdict(event))


def decode_event(data: bytes) -> Event:
    """One event."""
    event = _build(Event, _open(data, EVENT))
    try:
        json.dumps(_map(event.detail, "event.detail"))
    except (TypeError, ValueError) as error:
        raise WireError(f"event.detail: {error}") from error
    return event


def encode_order(order: Order) -> bytes:
    """One order of an operator."""
    return _pack(ORDER, asdict(order))


def decode_order(data: bytes) -> Order:
    """One order of an operator."""
    return _build(Order, _open(data, ORDER))


def encode_routes(routes: Routes) -> bytes:
    """Which scopes the baseline answers."""
    return _pack(ROUTES, asdict(routes))


def decode_routes(data: bytes) -> Routes:
    """Which scopes the baseline answers."""
    body = _map(_open(data, ROUTES), "routes")
    states = _map(body.get("states"), "routes.states")
    _names(list(states.values()), "routes.states")
    return _build(Routes, {**body, "safe": _names(body.get("safe"), "routes.safe")})


def encode_state(state: State) -> bytes:
    """A snapshot of one model's judgement."""
    return _pack(STATE, _fields(state))


def decode_state(data: bytes) -> State:
    """A snapshot of one model's judgement."""
    body = _map(_open(data, STATE), "state")
    try:
        return State(
            **{
                **body,
                "scopes": _names(body["scopes"], "scopes"),
                "monitors": _names(body["monitors"], "monitors"),
                "pending": None if body["pending"] is None else _comparisons(body["pending"]),
                "modes": tuple(Mode(**{**mode, "state": ModeState(mode["state"])}) for mode in body["modes"]),
                **{name: _array(body[name], name) for name in ("compared", "disagreed", "errors", "faulty")},
                "cells": tuple(
                    Cells(**{name: _array(value, name) for name, value in cells.items()}) for cells in body["cells"]
                ),
            }
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WireError(f"state: not a snapshot of this version: {error}") from error


def _pack(schema: str, body: object) -> bytes:
    return bytes(msgpack.packb({"schema": schema, "version": VERSION, "body": body}, default=_plain))


def _plain(value: object) -> object:
    """What msgpack does not know: arrays, numpy scalars, nested records."""
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return {"dtype": TEXT, "shape": value.shape, "data": value.ravel().tolist()}
        little = value.astype(value.dtype.newbyteorder("<"), copy=False)
        return {"dtype": little.dtype.str, "shape": value.shape, "data": little.tobytes()}
    if is_dataclass(value):
        return _fields(value)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a record cannot hold {type(value).__name__}")


def _fields(record: Any) -> dict[str, object]:  # noqa: ANN401 - any record of monitors
    return {f.name: getattr(record, f.name) for f in fields(record)}


def _envelope(data: bytes) -> dict[str, Any]:
    try:
        envelope = msgpack.unpackb(data, strict_map_key=False)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise WireError(f"not a record: {str(error)[:80] or type(error).__name__}") from error
    if not isinstance(envelope, dict) or "schema" not in envelope or "body" not in envelope:
        raise WireError("not a record: it must be a map with schema, version and body")
    if envelope.get("version") != VERSION:
        raise WireError(f"version: {str(envelope.get('version'))[:20]!r}; this reader knows {VERSION}")
    return envelope


def _open(data: bytes, schema: str) -> object:
    envelope = _envelope(data)
    if envelope["schema"] != schema:
        raise WireError(f"schema: {str(envelope['schema'])[:40]!r} where {schema!r} should be")
    return envelope["body"]


def _map(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise WireError(f"{where}: must be a map with names as keys")
    return value


def _names(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise WireError(f"{where}: must be a list of names")
    return tuple(value)


def _build(kind: type[T], body: object) -> T:
    where = kind.__name__.lower()
    given = _map(body, where)
    try:
        record = kind(**given)
    except TypeError as error:
        raise WireError(f"{where}: {error}") from error
    for field in fields(kind):  # type: ignore[arg-type]  # every record is a dataclass
        types, wanted = PLAIN.get(field.type, (None, ""))
        if types and type(getattr(record, field.name)) not in types:
            raise WireError(f"{where}.{field.name}: must be {wanted}")
    return record


def _array(value: object, where: str, dtype: str | None = None) -> NDArray[Any]:
    """An array, checked: its bytes must be what its dtype and shape say."""
    box = _map(value, where)
    kind, shape, data = box.get("dtype"), box.get("shape"), box.get("data")
    if not isinstance(shape, list) or not all(type(side) is int and side >= 0 for side in shape):
        raise WireError(f"{where}: shape must be a list of sizes")
    if dtype is not None and kind != dtype:
        raise WireError(f"{where}: dtype {str(kind)[:20]!r} where {dtype!r} should be")
    if kind == TEXT:
        return _shaped(np.array(_names(data, where), dtype=object), shape, where)
    if not isinstance(kind, str) or kind not in DTYPES or not isinstance(data, bytes):
        raise WireError(f"{where}: dtype {str(kind)[:20]!r} is not known, or its data are not bytes")
    if len(data) != math.prod(shape) * np.dtype(kind).itemsize:
        raise WireError(f"{where}: {len(data)} bytes cannot be {kind} of shape {str(shape)[:40]}")
    return _shaped(np.frombuffer(data, dtype=kind), shape, where)


def _shaped(flat: NDArray[Any], shape: list[int], where: str) -> NDArray[Any]:
    """numpy itself knows which shapes there can be."""
    try:
        return flat.reshape(shape)
    except (ValueError, OverflowError) as error:
        raise WireError(f"{where}: {str(error)[:80]}") from error


_COLUMNS = {"partition": "<i8", "offset": "<i8", "fault": "|i1", "member": "|b1"} | dict.fromkeys(
    ("served_by_baseline", "disagree", "refused_baseline", "refused_compressed"), "|b1"
)


def _comparisons(body: object) -> Comparisons:
    given = _map(body, "comparisons")
    columns = {name: _array(given.get(name), name, _COLUMNS.get(name, "<f8")) for name in ROW_ARRAYS}
    ids, scopes = _names(given.get("request_id"), "request_id"), _names(given.get("scopes"), "scopes")
    wrong = [name for name, column in columns.items() if len(column.shape) != 1 + (name == "member")]
    wrong += [name for name, column in columns.items() if name not in wrong and len(column) != len(ids)]
    if wrong or columns["member"].shape[1] != len(scopes):
        msg = (
            f"{(wrong or ['member'])[0]}: must have one entry for each of {len(ids)} rows (and of {len(scopes)} scopes)"
        )
        raise WireError(msg)
    whole = {name: given.get(name) for name in ("model", "baseline_digest", "compressed_digest", "log")}
    return _build(Comparisons, {**whole, **columns, "request_id": ids, "scopes": scopes})


def _sample(body: object) -> Sample:
    given = _map(body, "sample")
    member = _array(given.get("member"), "member", "|b1")
    tensors = {
        side: {name: _array(value, f"{side}.{name}") for name, value in _map(given.get(side), side).items()}
        for side in ("inputs", "outputs")
    }
    scopes = _names(given.get("scopes"), "scopes")
    if member.ndim != 2 or member.shape[1] != len(scopes):  # noqa: PLR2004 - rows and scopes
        raise WireError(f"member: shape {member.shape} does not fit {len(scopes)} scopes")
    try:
        served_by = Role(str(given.get("served_by")))
    except ValueError as error:
        raise WireError(
            f"served_by: {str(given.get('served_by'))[:20]!r} is neither baseline nor compressed"
        ) from error
    return _build(Sample, {**given, **tensors, "scopes": scopes, "member": member, "served_by": served_by})
