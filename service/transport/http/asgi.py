"""The inference path as the outermost ASGI layer: bytes in, the engine, bytes out. All other requests go to FastAPI.

FastAPI's router takes longer than a small model's run, so the one path that is called all the time bypasses it. The
size of a body is checked before it is read; an error is always ``{"error": "…"}`` with the status of its kind.
"""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from typing import Any

from tightrope.service.errors import TightropeError, TooLargeError, UnavailableError
from tightrope.service.inference.engine import LARGE_BYTES, is_large
from tightrope.service.protocol.bounded_json import check_depth
from tightrope.service.protocol.rest import InferResponse
from tightrope.service.transport.admission import Admission, Reservation, bytes_of
from tightrope.service.transport.http.codec import (
    Headers,
    InferenceReply,
    RequestDecoder,
    echoed,
    encode,
    read_context,
    refuse,
)
from tightrope.service.transport.http.inflation import ENCODING_HEADER
from tightrope.service.transport.responder import Responder

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

INFER_PATH = re.compile(r"^/v2/models/([^/]+)(?:/versions/([^/]+))?/infer/?\Z")
MAX_DISCARDED_BYTES = 512 * 1024 * 1024
DISCARD_SECONDS = 10.0
"""Bytes of a body that is too large, and seconds, that are read and discarded before the response."""
BODY_KEY = " (server.max_body_bytes)"
"""The key that the refusal of a large body names."""
MAX_OTHER_BODY_BYTES = 1024 * 1024
"""Bytes of a body outside inference: a full batch of labels fits, an operator's order is far smaller."""
PAYLOADS_SUFFIX = "/payloads"
"""End of the path of payload events, which hold whole inference requests."""


class DisconnectedError(Exception):
    """The caller disconnected before its response."""


class InferLayer:
    """Answers ``POST /v2/models/{m}[/versions/{v}]/infer``; ``make_app`` makes the application for all other paths."""

    def __init__(self, make_app: Callable[[], App], responder: Responder, admission: Admission) -> None:
        self.responder = responder
        self.admission = admission
        self.decoder = RequestDecoder(admission)
        self._make_app = make_app
        self._app: asyncio.Future[App] | None = None

    async def app(self) -> App:
        """The application for all other paths; made on first use, in a thread, so that inference goes on meanwhile.

        Raises:
            UnavailableError: when it could not be made, because descriptors ran out, say; the next use tries again.
        """
        if self._app is None:
            self._app = asyncio.ensure_future(asyncio.to_thread(self._make_app))
        making = self._app
        try:
            return await asyncio.shield(making)
        except Exception as error:
            if self._app is making:
                self._app = None
                log.error(  # noqa: TRY400 - a caller can cause it: one line
                    "the API could not be loaded, the next request tries again: %s", error
                )
            raise UnavailableError("this part of the API could not be loaded; the server's log says more") from error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry point."""
        match = INFER_PATH.match(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if match is None:
            await self._forward(scope, receive, send)
            return
        model, version = match.groups()
        started = time.perf_counter()
        with Reservation(self.admission) as held:
            try:
                reply = await self._infer(scope, receive, held, model, version)
            except DisconnectedError:
                return
            except Exception as error:  # noqa: BLE001 - every error becomes a reply
                reply = refuse(error)
            if (context := read_context(dict(scope["headers"]))) is not None:
                reply.headers += echoed(context.request_id)
            self.responder.count(model, reply.error, started, reply.request_id, context)
            await _send(send, reply, is_last=held.is_refused)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request to FastAPI, which reads a body before it authenticates: so its size is bounded here."""
        if scope["type"] != "http":
            await self._call_app(scope, receive, send)
            return
        scope = _canonical(scope)
        if scope["method"] == "GET":
            await self._call_app(scope, receive, send)
            return
        with Reservation(self.admission) as held:
            try:
                body = await self._read_other(scope, receive, held)
            except DisconnectedError:
                return
            except TightropeError as error:
                await _send(send, refuse(error), is_last=held.is_refused)
                return
            messages = [{"type": "http.request", "body": body}]

            async def replay() -> MutableMapping[str, Any]:
                return messages.pop() if messages else await receive()

            await self._call_app({**scope, "headers": _without_encoding(scope["headers"])}, replay, send)

    async def _read_other(self, scope: Scope, receive: Receive, held: Reservation) -> bytes:
        """Read a body outside inference whole, inflate it, and check the depth of one that FastAPI parses."""
        is_payload = scope["path"].endswith(PAYLOADS_SUFFIX)
        limit = self.admission.max_body_bytes if is_payload else MAX_OTHER_BODY_BYTES
        headers = dict(scope["headers"])
        body = await _read(headers, receive, limit, held, BODY_KEY if is_payload else "")
        if ENCODING_HEADER in headers:
            async with self.admission.decoding:
                body = await asyncio.to_thread(self.decoder.inflate, body, headers, limit)
            held.hold(len(body))
        if not is_payload:
            check_depth(body, self.admission.limits.json_depth)
        return body

    async def _call_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            app = await self.app()
        except UnavailableError as error:
            await _send(send, refuse(error), is_last=False)
            return
        await app(scope, receive, send)

    async def _infer(
        self, scope: Scope, receive: Receive, held: Reservation, model: str, version: str | None
    ) -> InferenceReply:
        headers = dict(scope["headers"])
        pair = self.responder.engine.pair(model, version)
        body = await _read(headers, receive, self.admission.max_body_bytes, held, BODY_KEY)
        arrived = time.perf_counter()
        if len(body) > LARGE_BYTES or ENCODING_HEADER in headers:
            async with self.admission.decoding:
                request = await asyncio.to_thread(self.decoder.decode, pair, body, headers)
            held.hold(max(len(body), bytes_of(request.inputs)))
        else:
            request = self.decoder.decode(pair, body, headers)
        del body  # what JSON is made of is no longer needed
        is_short = self.responder.is_short(pair, request)
        responding = self.responder.respond(pair, request, arrived)
        response = await (responding if is_short else _unless_disconnected(receive, responding))
        return await asyncio.to_thread(encode, request, response) if is_large(response) else encode(request, response)


def _canonical(scope: Scope) -> Scope:
    """HEAD becomes GET, as uvicorn leaves out the body itself; a slash at the end of the path is dropped, because a
    redirect would need the scheme and the prefix of a proxy in front.
    """
    path = scope["path"]
    return {
        **scope,
        "method": "GET" if scope["method"] == "HEAD" else scope["method"],
        "path": path[:-1] if path.endswith("/") and path.strip("/") else path,
    }


def _without_encoding(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an inflated body: neither its encoding nor its former length."""
    present = list(headers)
    if not any(name == ENCODING_HEADER for name, _ in present):
        return present
    return [header for header in present if header[0] not in {ENCODING_HEADER, b"content-length"}]


async def _unless_disconnected(receive: Receive, responding: Coroutine[None, None, InferResponse]) -> InferResponse:
    """Await a response; cancel the request when its caller disconnects first.

    Raises:
        DisconnectedError: in that case.
    """
    answer = asyncio.ensure_future(responding)
    disconnect = asyncio.ensure_future(receive())
    try:
        await asyncio.wait((answer, disconnect), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise DisconnectedError
        return answer.result()
    finally:
        answer.cancel()
        disconnect.cancel()


async def _read(headers: Headers, receive: Receive, limit: int, held: Reservation, key: str) -> bytes:
    """Read a whole body; no more than ``limit`` bytes are ever in memory, and no more than can be ``held``. A refusal
    names the ``key`` of the limit.

    Raises:
        TooLargeError: when the body has more bytes.
        OverloadedError: when all requests together hold too many.
    """
    announced = headers.get(b"content-length", b"0")[:18]
    body: bytes | bytearray = b""
    try:
        _check_size(int(announced) if announced.isdigit() else 0, limit, key)
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            chunk = message.get("body", b"")
            _check_size(len(body) + len(chunk), limit, key)
            held.hold(len(body) + len(chunk))
            body = _joined(body, chunk) if body else chunk
            if not message.get("more_body"):
                return bytes(body)
    except TightropeError:
        del body
        held.hold(0)
        held.is_refused = True
        if b"expect" not in headers:
            await _discard(receive)
        raise


def _check_size(size: int, limit: int, key: str) -> None:
    if size > limit:
        raise TooLargeError(f"the body has more than {limit} bytes, which is the most that is taken{key}")


def _joined(body: bytes | bytearray, chunk: bytes) -> bytearray:
    """A body and its next piece, without another copy of the body."""
    if not isinstance(body, bytearray):
        body = bytearray(body)
    body += chunk
    return body


async def _discard(receive: Receive) -> None:
    """Let a caller that sends before it reads finish, within bounds, so that it sees the response and not a reset."""
    remaining = MAX_DISCARDED_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while remaining > 0:
                message = await receive()
                remaining -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


async def _send(send: Send, reply: InferenceReply, *, is_last: bool) -> None:
    """Send a reply. After the last one the connection ends, because the rest of the request's body was not read."""
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    if is_last:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
