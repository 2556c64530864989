"""Inference over HTTP without its transport: a request's bytes and headers to what the gateway takes, an answer or an
error to a status, headers and bytes.
"""

import math
import zlib
from collections.abc import Mapping
from functools import lru_cache

import orjson
from msgspec import Struct
from msgspec.structs import replace

from tightrope.service.errors import (
    CallerError,
    OverloadedError,
    ServerError,
    TooLargeError,
    UnavailableError,
    UnknownModelError,
    UnsupportedEncodingError,
)
from tightrope.service.inference.model_pair import Pair
from tightrope.service.protocol.fast_json import Reader
from tightrope.service.protocol.rest import (
    HEADER_LENGTH,
    InferRequest,
    InferResponse,
    decode_request,
    encode_response,
    parse_header_length,
)
from tightrope.service.transport.responder import told

STATUS: tuple[tuple[type[Exception], int], ...] = (
    (UnknownModelError, 404),
    (TooLargeError, 413),
    (UnsupportedEncodingError, 415),
    (CallerError, 400),
    (UnavailableError, 503),
    (ServerError, 500),
)
LENGTH_NAME = HEADER_LENGTH.lower().encode()
JSON, BINARY = (b"content-type", b"application/json"), (b"content-type", b"application/octet-stream")
WINDOWS = {"gzip": 31, "deflate": 47}
"""zlib's window bits for the encodings that clients compress requests with."""

Headers = Mapping[bytes, bytes]


class Reply(Struct):
    """What a caller gets; ``request_id`` is that of a request that could be answered, ``error`` why it could not."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    request_id: str = ""
    error: Exception | None = None


class Decoder:
    """Reads requests; a body that is compressed is inflated to ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._readers: dict[str, tuple[Pair, Reader]] = {}

    def decode(self, pair: Pair, raw: bytes, headers: Headers) -> InferRequest:
        """The request in a body.

        Raises:
            CallerError: naming what is wrong with it.
        """
        body = _inflate(raw, headers, self._most) if b"content-encoding" in headers else raw
        return self.read(pair, body, headers.get(LENGTH_NAME))

    def read(self, pair: Pair, body: bytes, json_size: bytes | None) -> InferRequest:
        """The same of a body that is not compressed, given the header that says how much of it is JSON."""
        length = None if json_size is None else _length(json_size)
        of, reader = self._readers.get(pair.name, (None, None))
        if of is not pair or reader is None:  # another artefact was deployed
            reader = Reader(pair.inputs, pair.outputs)
            self._readers[pair.name] = pair, reader
        return reader.read(body, length) or decode_request(body, length, pair.inputs, pair.outputs)


def encode(request: InferRequest, response: InferResponse) -> Reply:
    """An answer. Outputs that are withheld are no error for who asks for them.

    Raises:
        TightropeError: when it cannot be written in the form that was asked for.
    """
    body, length = encode_response(response, request if response.outputs else replace(request, outputs=()))
    if length is None:
        return Reply(200, [JSON], body, response.id or "")
    return Reply(200, [BINARY, (LENGTH_NAME, b"%d" % length)], body, response.id or "")


def refuse(error: Exception) -> Reply:
    """An error: its status by whose fault it is, and what the caller is told."""
    headers = [JSON]
    if isinstance(error, OverloadedError):
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.seconds))))
    return Reply(status_of(error), headers, orjson.dumps({"error": told(error)}), error=error)


def status_of(error: Exception) -> int:
    """The HTTP status of an error, by whose fault it is; what nobody foresaw is ours."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


@lru_cache(maxsize=1024)
def _length(json_size: bytes) -> int | None:
    """The same few come again and again."""
    return parse_header_length(json_size.decode("latin-1"))


def _inflate(body: bytes, headers: Headers, limit: int) -> bytes:
    """Undo a request's compression, in bounded memory."""
    encoding = headers[b"content-encoding"].decode("latin-1").strip().lower() or "identity"
    if encoding == "identity":
        return body
    if encoding not in WINDOWS:
        raise UnsupportedEncodingError(f"content-encoding {encoding[:40]!r}; gzip, deflate and identity are understood")
    inflater = zlib.decompressobj(WINDOWS[encoding])
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise CallerError(f"the body is not {encoding}: {error}") from error
    if len(inflated) > limit or inflater.unconsumed_tail:
        raise TooLargeError(f"the body inflates to more than {limit} bytes, which is the most that is taken")
    if not inflater.eof:
        raise CallerError(f"the body is not {encoding}: it ends too early")
    return inflated
