"""The inference path as one outermost ASGI layer: bytes in, the gateway, bytes out. Everything else passes to FastAPI.

FastAPI's router costs more than a small model takes to run, so the one path that is called all the time does not go
through it. A body is refused by size before it is read; the error is always ``{"error": "…"}`` with a status by whose
fault it is.
"""

import asyncio
import contextlib
import math
import re
import time
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from dataclasses import replace
from typing import Any

import orjson

from service.batch import rows_of
from service.errors import (
    CallerError,
    OverloadedError,
    ServerError,
    TooLargeError,
    UnavailableError,
    UnknownModelError,
    UnsupportedEncodingError,
)
from service.pair import Pair
from service.protocol import (
    HEADER_LENGTH,
    InferRequest,
    InferResponse,
    decode_request,
    encode_response,
    parse_header_length,
)
from service.reader import Reader
from service.respond import LARGE, Responder, is_large, told

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = re.compile(r"^/v2/models/([^/]+)(?:/versions/([^/]+))?/infer\Z")
STATUS: tuple[tuple[type[Exception], int], ...] = (
    (UnknownModelError, 404),
    (TooLargeError, 413),
    (UnsupportedEncodingError, 415),
    (CallerError, 400),
    (UnavailableError, 503),
    (ServerError, 500),
)
LENGTH_NAME = HEADER_LENGTH.lower().encode()
JSON, BINARY = b"application/json", b"application/octet-stream"
MOST_DISCARDED = 512 * 1024 * 1024
DISCARD_SECONDS = 10.0
"""How much of a body that is too large is read and thrown away before the answer, in bytes and seconds."""
MOST_OTHER = 1024 * 1024
"""Bytes of a body that is no inference request: a full batch of labels has room, an order takes a fraction of it."""
EVENTS = "/payloads"
"""Ends the path of events that hold whole inference requests."""
WINDOWS = {"gzip": 31, "deflate": 47}
"""zlib's window bits for the encodings that clients compress requests with."""


def status_of(error: Exception) -> int:
    """The HTTP status of an error, by whose fault it is; what nobody foresaw is ours."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def error_body(error: Exception) -> bytes:
    """What the caller is told."""
    return orjson.dumps({"error": told(error)})


Answered = tuple[str, bytes, list[tuple[bytes, bytes]]]
"""The id of a request that could be answered, the body of the answer, and its headers."""


class DisconnectedError(Exception):
    """The caller went away while sending."""


class InferLayer:
    """Answers ``POST /v2/models/{m}[/versions/{v}]/infer``."""

    def __init__(self, app: App, responder: Responder, max_body: int) -> None:
        self._app = app
        self._responder = responder
        self._max_body = max_body
        self._readers: dict[str, Reader] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        match = PATH.match(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if match is None:
            await self._pass_on(scope, receive, send)
            return
        model, version = match.groups()
        started = time.perf_counter()
        wrong: Exception | None = None
        try:
            request_id, body, headers = await self._infer(scope, receive, model, version)
            status = 200
        except DisconnectedError:
            return
        except Exception as error:  # noqa: BLE001 - the one place where whatever went wrong becomes an answer
            request_id, body, headers, status = "", error_body(error), [(b"content-type", JSON)], status_of(error)
            wrong = error
            if isinstance(error, OverloadedError):
                headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.seconds))))
        self._responder.answered(model, wrong, started, request_id)
        await _respond(send, status, headers, body)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To FastAPI, which reads a body whole before it looks who sends it: so what it gets is bounded here."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        try:
            most = self._max_body if scope["path"].endswith(EVENTS) else MOST_OTHER
            body = await _read(dict(scope["headers"]), receive, most)
        except DisconnectedError:
            return
        except TooLargeError as error:
            await _respond(send, status_of(error), [(b"content-type", JSON)], error_body(error))
            return
        first = [{"type": "http.request", "body": body}]

        async def again() -> MutableMapping[str, Any]:
            return first.pop() if first else await receive()

        await self._app(scope, again, send)

    async def _infer(self, scope: Scope, receive: Receive, model: str, version: str | None) -> Answered:
        headers = dict(scope["headers"])
        pair = self._responder.gateway.pair(model, version)
        body = await _read(headers, receive, self._max_body)
        arrived = time.perf_counter()
        if len(body) > LARGE or b"content-encoding" in headers:
            request = await asyncio.to_thread(self._decode, pair, body, headers)
        else:
            request = self._decode(pair, body, headers)
        rows = rows_of(request)
        answer = self._responder.respond(pair, request, rows, arrived)
        response = await (answer if self._responder.is_short(pair, rows) else _unless_gone(receive, answer))
        return await asyncio.to_thread(_encode, request, response) if is_large(response) else _encode(request, response)

    def _decode(self, pair: Pair, raw: bytes, headers: Mapping[bytes, bytes]) -> InferRequest:
        body = _inflate(raw, headers, self._max_body) if b"content-encoding" in headers else raw
        length = parse_header_length(_text(headers, LENGTH_NAME))
        reader = self._readers.get(pair.name)
        if reader is None or reader.inputs is not pair.inputs:  # another artefact was deployed
            reader = self._readers[pair.name] = Reader(pair.inputs, pair.outputs)
        return reader.read(body, length) or decode_request(body, length, pair.inputs, pair.outputs)


def _encode(request: InferRequest, response: InferResponse) -> Answered:
    withheld = not response.outputs
    answer, json_length = encode_response(response, replace(request, outputs=()) if withheld else request)
    if json_length is None:
        return response.id or "", answer, [(b"content-type", JSON)]
    return response.id or "", answer, [(b"content-type", BINARY), (LENGTH_NAME, b"%d" % json_length)]


async def _unless_gone(receive: Receive, answer: Coroutine[None, None, InferResponse]) -> InferResponse:
    """An answer that takes a while, unless its caller goes away first: then nobody need work on it any more."""
    asking = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(receive())
    try:
        await asyncio.wait((asking, gone), return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            raise DisconnectedError
        return asking.result()
    finally:
        asking.cancel()
        gone.cancel()


async def _read(headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> bytes:
    """The whole body, never more than the limit in memory."""
    announced = headers.get(b"content-length", b"0")[:18]
    fits = int(announced) <= limit if announced.isdigit() else True
    chunks: list[bytes] = []
    size = 0
    while fits:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        fits = size <= limit
        if fits and not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if b"expect" not in headers:
        chunks.clear()
        await _discard(receive)
    raise TooLargeError(f"the body has more than {limit} bytes, which is the most that is taken")


async def _discard(receive: Receive) -> None:
    """Let a caller who sends before reading finish, within bounds, so that it sees the answer and not a reset."""
    left = MOST_DISCARDED
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


async def _respond(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers.append((b"content-length", b"%d" % len(body)))
    if status == 413:  # noqa: PLR2004 - the rest of the body is not read: the connection cannot go on
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def _inflate(body: bytes, headers: Mapping[bytes, bytes], limit: int) -> bytes:
    """Undo a request's compression, in bounded memory."""
    encoding = (_text(headers, b"content-encoding") or "identity").strip().lower()
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
