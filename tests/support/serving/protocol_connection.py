"""A connection to the inference layer without a network: bytes in, bytes out."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import httptools
import uvicorn
from uvicorn.server import ServerState

from tests.support.serving.asgi_harness import GOOD, INFER
from tightrope.service.transport.http.asgi import InferLayer
from tightrope.service.transport.http.uvicorn_protocol import FastPath, fast_path

PATIENCE = 30.0


class Transport(asyncio.Transport):
    """Remembers what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take it."""
        self.written += bytes(data)

    def is_closing(self) -> bool:
        """Whether somebody closed it."""
        return self.closed

    def close(self) -> None:
        """Remember that."""
        self.closed = True

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """As above."""


class Answers:
    """Reads what was written: statuses, headers and bodies."""

    def __init__(self, written: bytes) -> None:
        self.statuses: list[int] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(written)

    def on_message_begin(self) -> None:
        """One more."""
        self.headers.append({})
        self.bodies.append(b"")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self.headers[-1][name.decode().lower()] = value.decode()

    def on_headers_complete(self) -> None:
        """The status is known."""
        self.statuses.append(self._parser.get_status_code())

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self.bodies[-1] += body

    @property
    def told(self) -> list[dict[str, Any]]:
        """The bodies, but for what no two answers have in common."""
        found = [json.loads(body) for body in self.bodies]
        for one in found:
            one.pop("id", None)
        return found


class Line:
    """A connection to a layer; ``slow`` counts the requests that took uvicorn's own way."""

    def __init__(self, layer: InferLayer) -> None:
        self.slow = 0

        async def counted(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401
            self.slow += 1
            await layer(scope, receive, send)

        config = uvicorn.Config(counted, http=fast_path(layer), lifespan="off", log_level="warning", ws="none")
        config.load()
        self.transport = Transport()
        loop = asyncio.get_running_loop()
        self.protocol: FastPath = config.http_protocol_class(  # type: ignore[call-arg, assignment]
            config=config, server_state=ServerState(), app_state={}, _loop=loop
        )
        self.protocol.connection_made(self.transport)

    async def answers(self, count: int) -> Answers:
        """So many, each of them whole."""
        async with asyncio.timeout(PATIENCE):
            while not self._has(count):  # noqa: ASYNC110 - a transport has no event to wait for
                await asyncio.sleep(0.001)
        return Answers(self.transport.written)

    def _has(self, count: int) -> bool:
        return len(Answers(self.transport.written).bodies) >= count and self.protocol.cycle.response_complete


def post(body: bytes = GOOD, path: str = INFER, version: str = "1.1", method: str = "POST", **headers: str) -> bytes:
    """A request as it is on the wire."""
    named = {"Host": "h", "Content-Length": str(len(body))} | {n.replace("_", "-"): v for n, v in headers.items()}
    lines = [f"{method} {path} HTTP/{version}", *(f"{name}: {value}" for name, value in named.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(body: bytes = GOOD, path: str = INFER) -> bytes:
    """The same without an announced length."""
    head = post(b"", path, Content_Length="", Transfer_Encoding="chunked")
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
