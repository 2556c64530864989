"""Inference messages over HTTP: bytes and headers to requests, responses and errors to status, headers and bytes."""

import math
from collections.abc import Mapping
from functools import lru_cache

import orjson
from msgspec import Struct
from msgspec.structs import replace

from tightrope.service.errors import (
    CallerError,
    ConflictError,
    LimitError,
    OverloadedError,
    ServerError,
    TooLargeError,
    UnavailableError,
    UnknownModelError,
    UnsupportedEncodingError,
)
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.fast_json import FastReader
from tightrope.service.protocol.rest import (
    HEADER_LENGTH,
    InferRequest,
    InferResponse,
    decode_request,
    encode_response,
    parse_header_length,
)
from tightrope.service.protocol.tensors import require_finite
from tightrope.service.transport.admission import Admission
from tightrope.service.transport.call_context import REQUEST_ID_HEADER, TRACE_HEADER, CallContext
from tightrope.service.transport.http.inflation import ENCODING_HEADER, inflate
from tightrope.service.transport.responder import error_text

HTTP_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (UnknownModelError, 404),
    (ConflictError, 409),
    (TooLargeError, 413),
    (UnsupportedEncodingError, 415),
    (CallerError, 400),
    (UnavailableError, 503),
    (ServerError, 500),
)
"""The status of each kind of error; the first match counts."""

JSON_LENGTH_HEADER = HEADER_LENGTH.lower().encode()
REQUEST_ID, TRACE = REQUEST_ID_HEADER.encode(), TRACE_HEADER.encode()
JSON_TYPE, BINARY_TYPE = (b"content-type", b"application/json"), (b"content-type", b"application/octet-stream")

Headers = Mapping[bytes, bytes]


class InferenceReply(Struct):
    """A reply to a caller. ``request_id`` is set for an answered request, ``error`` for one that failed."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    request_id: str = ""
    error: Exception | None = None


class RequestDecoder:
    """Decodes requests, within the limits of ``admission``."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._max_depth = admission.limits.json_depth
        self._small_bytes = admission.small_bytes
        self._readers: dict[str, tuple[ModelPair, FastReader]] = {}

    def decode(self, pair: ModelPair, raw: bytes, headers: Headers) -> InferRequest:
        """Decode a request from its raw body.

        Raises:
            CallerError: naming the mistake.
        """
        body = self.inflate(raw, headers) if ENCODING_HEADER in headers else raw
        request = self.decode_body(pair, body, headers.get(JSON_LENGTH_HEADER))
        context = read_context(headers, pair.caller_header)
        return request if context is None else context.applied(request)

    def inflate(self, body: bytes, headers: Headers, max_bytes: int | None = None) -> bytes:
        """Inflate a body, to ``max_bytes`` or to the maximum size of a request.

        Raises:
            CallerError: when it cannot be inflated within the limits.
        """
        admission = self._admission
        return inflate(body, headers, max_bytes or admission.max_body_bytes, admission.limits.inflation_ratio)

    def decode_body(self, pair: ModelPair, body: bytes, json_length: bytes | None) -> InferRequest:
        """Decode a request from an uncompressed body, and the header with the bytes of JSON in it.

        Raises:
            CallerError: naming the mistake.
        """
        length = None if json_length is None else _parse_length(json_length)
        known_pair, reader = self._readers.get(pair.name, (None, None))
        if known_pair is not pair or reader is None:  # a new artefact was deployed
            reader = FastReader(pair.declared_inputs, pair.outputs, allow_nan=pair.allow_nan)
            self._readers[pair.name] = pair, reader
        request = reader.read(body, length)
        if request is None:
            request = decode_request(body, length, pair.declared_inputs, pair.outputs, self._max_depth)
            if not pair.allow_nan:
                require_finite(request.inputs)
            if pair.has_free_width:  # a tensor with an empty axis may be of any shape in a small body
                self._admission.check_size(request)
        if len(body) > self._small_bytes:
            self._admission.check_size(request)
        return request if pair.layout is None else pair.rows_first(request)


def read_context(headers: Headers, caller_header: bytes | None = None) -> CallContext | None:
    """The context of a call in its headers, if they have any."""
    names = (caller_header or b"", REQUEST_ID, TRACE)
    return CallContext.read(*(headers.get(name, b"").decode("latin-1") for name in names))


def echoed(request_id: str) -> list[tuple[bytes, bytes]]:
    """The header that gives a caller its request id back."""
    return [(REQUEST_ID, request_id.encode())] if request_id else []


def encode(request: InferRequest, response: InferResponse) -> InferenceReply:
    """Encode a response. Outputs that are withheld may be requested: they are left out.

    Raises:
        TightropeError: when it cannot be written in the form that the request asks for.
    """
    body, length = encode_response(response, request if response.outputs else replace(request, outputs=()))
    if length is None:
        return InferenceReply(200, [JSON_TYPE], body, response.id or "")
    return InferenceReply(200, [BINARY_TYPE, (JSON_LENGTH_HEADER, b"%d" % length)], body, response.id or "")


def encode_or_refuse(request: InferRequest, response: InferResponse) -> InferenceReply:
    """Encode a response, or the error of doing so."""
    try:
        return encode(request, response)
    except Exception as error:  # noqa: BLE001 - every error becomes a reply
        return refuse(error)


def refuse(error: Exception) -> InferenceReply:
    """Encode an error: ``{"error": "…"}`` with its status."""
    headers = [JSON_TYPE]
    if isinstance(error, OverloadedError):
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.seconds))))
    return InferenceReply(status_of(error), headers, orjson.dumps({"error": error_text(error)}), error=error)


def status_of(error: Exception) -> int:
    """The HTTP status of an error; 500 for an unexpected one."""
    if isinstance(error, LimitError):
        return error.status
    return next((status for kind, status in HTTP_STATUS if isinstance(error, kind)), 500)


@lru_cache(maxsize=1024)
def _parse_length(json_length: bytes) -> int | None:
    """The number in a header; callers repeat the same few values."""
    return parse_header_length(json_length.decode("latin-1"))
