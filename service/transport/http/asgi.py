"""The inference path as the outermost ASGI layer: bytes in, the engine, bytes out. All other requests go to FastAPI.

FastAPI's router takes longer than a small model's run, so the one path that is called all the time bypasses it. The
size of a body is checked before it is read; an error is always ``{"error": "…"}`` with the status of its kind.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

from tightrope.service.errors import TooLargeError
from tightrope.service.inference.engine import LARGE_BYTES, is_large, row_count
from tightrope.service.protocol.rest import InferResponse
from tightrope.service.transport.http.codec import Headers, InferenceReply, RequestDecoder, encode, refuse
from tightrope.service.transport.responder import Responder

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

INFER_PATH = re.compile(r"^/v2/models/([^/]+)(?:/versions/([^/]+))?/infer\Z")
MAX_DISCARDED_BYTES = 512 * 1024 * 1024
DISCARD_SECONDS = 10.0
"""Bytes of a body that is too large, and seconds, that are read and discarded before the response."""
MAX_OTHER_BODY_BYTES = 1024 * 1024
"""Bytes of a body outside inference: a full batch of labels fits, an operator's order is far smaller."""
PAYLOADS_SUFFIX = "/payloads"
"""End of the path of payload events, which hold whole inference requests."""


class DisconnectedError(Exception):
    """The caller disconnected before its response."""


class InferLayer:
    """Answers ``POST /v2/models/{m}[/versions/{v}]/infer``; ``make_app`` makes the application for all other paths."""

    def __init__(self, make_app: Callable[[], App], responder: Responder, max_body_bytes: int) -> None:
        self.responder = responder
        self.decoder = RequestDecoder(max_body_bytes)
        self._make_app = make_app
        self._app: asyncio.Future[App] | None = None
        self._max_body_bytes = max_body_bytes

    async def app(self) -> App:
        """The application for all other paths; made on first use, in a thread, so that inference goes on meanwhile."""
        if self._app is None:
            self._app = asyncio.ensure_future(asyncio.to_thread(self._make_app))
        return await asyncio.shield(self._app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry point."""
        match = INFER_PATH.match(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if match is None:
            await self._forward(scope, receive, send)
            return
        model, version = match.groups()
        started = time.perf_counter()
        try:
            reply = await self._infer(scope, receive, model, version)
        except DisconnectedError:
            return
        except Exception as error:  # noqa: BLE001 - every error becomes a reply
            reply = refuse(error)
        self.responder.count(model, reply.error, started, reply.request_id)
        await _send(send, reply)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request to FastAPI, which reads a body before it authenticates: so its size is bounded here."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await (await self.app())(scope, receive, send)
            return
        try:
            limit = self._max_body_bytes if scope["path"].endswith(PAYLOADS_SUFFIX) else MAX_OTHER_BODY_BYTES
            body = await _read(dict(scope["headers"]), receive, limit)
        except DisconnectedError:
            return
        except TooLargeError as error:
            await _send(send, refuse(error))
            return
        messages = [{"type": "http.request", "body": body}]

        async def replay() -> MutableMapping[str, Any]:
            return messages.pop() if messages else await receive()

        await (await self.app())(scope, replay, send)

    async def _infer(self, scope: Scope, receive: Receive, model: str, version: str | None) -> InferenceReply:
        headers = dict(scope["headers"])
        pair = self.responder.engine.pair(model, version)
        body = await _read(headers, receive, self._max_body_bytes)
        arrived = time.perf_counter()
        if len(body) > LARGE_BYTES or b"content-encoding" in headers:
            request = await asyncio.to_thread(self.decoder.decode, pair, body, headers)
        else:
            request = self.decoder.decode(pair, body, headers)
        is_short = self.responder.is_short(pair, row_count(request))
        responding = self.responder.respond(pair, request, arrived)
        response = await (responding if is_short else _unless_disconnected(receive, responding))
        return await asyncio.to_thread(encode, request, response) if is_large(response) else encode(request, response)


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


async def _read(headers: Headers, receive: Receive, limit: int) -> bytes:
    """Read a whole body; no more than ``limit`` bytes are ever in memory."""
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
    """Let a caller that sends before it reads finish, within bounds, so that it sees the response and not a reset."""
    remaining = MAX_DISCARDED_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while remaining > 0:
                message = await receive()
                remaining -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


async def _send(send: Send, reply: InferenceReply) -> None:
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    if reply.status == 413:  # noqa: PLR2004 - the rest of the body is not read: the connection cannot be reused
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
