"""The Open Inference Protocol v2 over HTTP from the caller's side: a request for a model elsewhere, and its answer.

Sources: Open Inference Protocol v2, `inference_rest.md`; Triton Inference Server, `extension_binary_data.md`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from tightrope.monitors.records import Tensors
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.errors import TightropeError, quote
from tightrope.service.protocol.tensors import (
    Tensor,
    datatype_of,
    decode_binary,
    decode_json,
    dtype_of,
    encode_binary,
    encode_json,
)

HEADER_LENGTH = "Inference-Header-Content-Length"
OK = 200


class Reply(NamedTuple):
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def encode(inputs: Tensors, outputs: Sequence[str], *, binary: bool) -> tuple[bytes, dict[str, str]]:
    """The body of a request, and its headers.

    Raises:
        RunFailedError: when these tensors have no JSON form.
    """
    asked: list[dict[str, object]] = [{"name": name} for name in outputs]
    if not binary:
        document = {"inputs": [_plain(name, tensor) for name, tensor in inputs.items()], "outputs": asked}
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), {"Content-Type": "application/json"}
    blobs = [encode_binary(tensor) for tensor in inputs.values()]
    described = [
        _described(name, tensor) | {"parameters": {"binary_data_size": len(blob)}}
        for (name, tensor), blob in zip(inputs.items(), blobs, strict=True)
    ]
    wanted = [output | {"parameters": {"binary_data": True}} for output in asked]
    text = orjson.dumps({"inputs": described, "outputs": wanted}, option=orjson.OPT_SERIALIZE_NUMPY)
    return b"".join((text, *blobs)), {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(text))}


def _described(name: str, tensor: Tensor) -> dict[str, object]:
    return {"name": name, "shape": list(tensor.shape), "datatype": datatype_of(tensor.dtype)}


def _plain(name: str, tensor: Tensor) -> dict[str, object]:
    described = _described(name, tensor)
    if described["datatype"] == "FP16":
        raise RunFailedError(f"input {name!r}: FP16 has no JSON form, and this server takes nothing else")
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        raise RunFailedError(f"input {name!r}: NaN and infinity have no JSON form, and this server takes nothing else")
    flat = encode_json(tensor) if tensor.dtype == object else np.ascontiguousarray(tensor).ravel()
    return described | {"data": flat}


def decode(reply: Reply, outputs: Sequence[str]) -> dict[str, Tensor]:
    """The named outputs of an answer.

    Raises:
        RunFailedError: with the server's own words, or with what is wrong with them.
    """
    if reply.status != OK:
        raise RunFailedError(f"status {reply.status}: {said(reply)}")
    try:
        found = _outputs(reply)
    except (TightropeError, orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunFailedError(f"the answer cannot be read: {type(error).__name__}: {quote(str(error))}") from error
    missing = [name for name in outputs if name not in found]
    if missing:
        raise RunFailedError(f"the answer has no output {quote(missing[0])}")
    return {name: found[name] for name in outputs}


def said(reply: Reply) -> str:
    """A server's own words about an error, short."""
    try:
        told = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        told = reply.body[:200].decode(errors="replace")
    if isinstance(told, Mapping):
        told = told.get("error", told)
    return " ".join(str(told).split())[:200]


def _outputs(reply: Reply) -> dict[str, Tensor]:
    header = reply.headers.get(HEADER_LENGTH)
    length = len(reply.body) if header is None else int(header)
    view = memoryview(reply.body)
    tail = view[length:]
    found: dict[str, Tensor] = {}
    for entry in orjson.loads(view[:length])["outputs"]:
        found[entry["name"]], tail = _output(entry, tail)
    return found


def _output(entry: dict[str, Any], tail: memoryview) -> tuple[Tensor, memoryview]:
    """One output, and the binary data of those after it."""
    name, shape, datatype = f"output {entry['name']!r}", tuple(map(int, entry["shape"])), str(entry["datatype"])
    dtype_of(datatype)
    if any(side < 0 for side in shape):
        raise ValueError(f"{name}: shape {shape}")
    size = (entry.get("parameters") or {}).get("binary_data_size")
    if size is None:
        return decode_json(datatype, shape, entry["data"], name), tail
    return decode_binary(datatype, shape, tail[:size], name), tail[size:]
