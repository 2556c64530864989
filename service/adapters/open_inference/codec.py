"""The Open Inference Protocol v2 over HTTP from the client's side: a request to a remote model, and its response.

Sources: Open Inference Protocol v2, `inference_rest.md`; Triton Inference Server, `extension_binary_data.md`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from tightrope.monitors.records import Tensors
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.errors import TightropeError, quote
from tightrope.service.protocol.rest import HEADER_LENGTH
from tightrope.service.protocol.tensors import (
    Tensor,
    datatype_of,
    decode_binary,
    decode_json,
    dtype_of,
    encode_binary,
    encode_json,
)

HTTP_OK = 200


class HttpReply(NamedTuple):
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def encode_request(inputs: Tensors, outputs: Sequence[str], *, binary: bool) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a request.

    Raises:
        RunFailedError: when these tensors have no JSON form.
    """
    requested: list[dict[str, object]] = [{"name": name} for name in outputs]
    if not binary:
        document = {"inputs": [_plain(name, tensor) for name, tensor in inputs.items()], "outputs": requested}
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), {"Content-Type": "application/json"}
    blobs = [encode_binary(tensor) for tensor in inputs.values()]
    described = [
        _described(name, tensor) | {"parameters": {"binary_data_size": len(blob)}}
        for (name, tensor), blob in zip(inputs.items(), blobs, strict=True)
    ]
    wanted = [output | {"parameters": {"binary_data": True}} for output in requested]
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


def decode_response(reply: HttpReply, outputs: Sequence[str]) -> dict[str, Tensor]:
    """The named outputs of a response.

    Raises:
        RunFailedError: with the server's error, or with the reason for which the response cannot be read.
    """
    if reply.status != HTTP_OK:
        raise RunFailedError(f"status {reply.status}: {error_text(reply)}")
    try:
        tensors = _outputs(reply)
    except (TightropeError, orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunFailedError(f"the answer cannot be read: {type(error).__name__}: {quote(str(error))}") from error
    missing = [name for name in outputs if name not in tensors]
    if missing:
        raise RunFailedError(f"the answer has no output {quote(missing[0])}")
    return {name: tensors[name] for name in outputs}


def error_text(reply: HttpReply) -> str:
    """The server's error message, cut to 200 characters."""
    try:
        document = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        document = reply.body[:200].decode(errors="replace")
    if isinstance(document, Mapping):
        document = document.get("error", document)
    return " ".join(str(document).split())[:200]


def _outputs(reply: HttpReply) -> dict[str, Tensor]:
    header = reply.headers.get(HEADER_LENGTH)
    length = len(reply.body) if header is None else int(header)
    view = memoryview(reply.body)
    tail = view[length:]
    tensors: dict[str, Tensor] = {}
    for entry in orjson.loads(view[:length])["outputs"]:
        tensors[entry["name"]], tail = _output(entry, tail)
    return tensors


def _output(entry: dict[str, Any], tail: memoryview) -> tuple[Tensor, memoryview]:
    """One output, and the remaining binary data."""
    name, shape, datatype = f"output {entry['name']!r}", tuple(map(int, entry["shape"])), str(entry["datatype"])
    dtype_of(datatype)
    if any(side < 0 for side in shape):
        raise ValueError(f"{name}: shape {shape}")
    size = (entry.get("parameters") or {}).get("binary_data_size")
    if size is None:
        return decode_json(datatype, shape, entry["data"], name), tail
    return decode_binary(datatype, shape, tail[:size], name), tail[size:]
