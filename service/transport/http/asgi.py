"""The inference path as one outermost ASGI layer: bytes in, the gateway, bytes out. Everything else passes to FastAPI.

FastAPI's router costs more than a small model takes to run, so the one path that is called all the time does not go
through it. A body is refused by size before it is read; the error is always ``{"error": "…"}`` with a status by whose
fault it is.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

from tightrope.service.errors import TooLargeError
from tightrope.service.inference.batch import rows_of
from tightrope.service.protocol.rest import InferResponse
from tightrope.service.transport.http.codec import Decoder, Headers, Reply, encode, refuse
from tightrope.service.transport.responder import LARGE, Responder, is_large

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = re.compile(r"^/v2/models/([^/]+)(?:/versions/([^/]+))?/infer\Z")
MOST_DISCARDED = 512 * 1024 * 1024
DISCARD_SECONDS = 10.0
"""How much of a body that is too large is read and thrown away before the answer, in bytes and seconds."""
MOST_OTHER = 1024 * 1024
"""Bytes of a body that is no inference request: a full batch of labels has room, an order takes a fraction of it."""
EVENTS = "/payloads"
"""Ends the path of events that hold whole inference requests."""


class DisconnectedError(Exception):
    """The caller went away while sending."""


class InferLayer:
    """Answers ``POST /v2/models/{m}[/versions/{v}]/infer``; ``make`` makes the application that answers the rest."""

    def __init__(self, make: Callable[[], App], responder: Responder, max_body: int) -> None:
        self.responder = responder
        self.decoder = Decoder(max_body)
        self._make = make
        self._made: asyncio.Future[App] | None = None
        self._max_body = max_body

    async def rest(self) -> App:
        """What answers the rest, made when it is first asked for: in a thread, because inference goes on meanwhile."""
        if self._made is None:
            self._made = asyncio.ensure_future(asyncio.to_thread(self._make))
        return await asyncio.shield(self._made)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        match = PATH.match(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if match is None:
            await self._pass_on(scope, receive, send)
            return
        model, version = match.groups()
        started = time.perf_counter()
        try:
            reply = await self._infer(scope, receive, model, version)
        except DisconnectedError:
            return
        except Exception as error:  # noqa: BLE001 - the one place where whatever went wrong becomes an answer
            reply = refuse(error)
        self.responder.answered(model, reply.error, started, reply.request_id)
        await _send(send, reply)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To FastAPI, which reads a body whole before it looks who sends it: so what it gets is bounded here."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await (await self.rest())(scope, receive, send)
            return
        try:
            most = self._max_body if scope["path"].endswith(EVENTS) else MOST_OTHER
            body = await _read(dict(scope["headers"]), receive, most)
        except DisconnectedError:
            return
        except TooLargeError as error:
            await _send(send, refuse(error))
            return
        first = [{"type": "http.request", "body": body}]

        async def again() -> MutableMapping[str, Any]:
            return first.pop() if first else await receive()

        await (await self.rest())(scope, again, send)

    async def _infer(self, scope: Scope, receive: Receive, model: str, version: str | None) -> Reply:
        headers = dict(scope["headers"])
        pair = self.responder.gateway.pair(model, version)
        body = await _read(headers, receive, self._max_body)
        arrived = time.perf_counter()
        if len(body) > LARGE or b"content-encoding" in headers:
            request = await asyncio.to_thread(self.decoder.decode, pair, body, headers)
        else:
            request = self.decoder.decode(pair, body, headers)
        rows = rows_of(request)
        answer = self.responder.respond(pair, request, rows, arrived)
        response = await (answer if self.responder.is_short(pair, rows) else _unless_gone(receive, answer))
        return await asyncio.to_thread(encode, request, response) if is_large(response) else encode(request, response)


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


async def _read(headers: Headers, receive: Receive, limit: int) -> bytes:
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


async def _send(send: Send, reply: Reply) -> None:
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    if reply.status == 413:  # noqa: PLR2004 - the rest of the body is not read: the connection cannot go on
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
