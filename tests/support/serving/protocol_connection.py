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
from tightrope.service.transport.http.uvicorn_protocol import InferenceProtocol, protocol_factory
from tightrope.serving.server import KEEP_ALIVE_SECONDS

RESPONSE_TIMEOUT_SECONDS = 30.0


class Transport(asyncio.Transport):
    """Records the bytes written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Record data."""
        self.written += bytes(data)

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def close(self) -> None:
        """Record the call."""
        self.closed = True

    def abort(self) -> None:
        """Record the call."""
        self.closed = True

    def can_write_eof(self) -> bool:
        """Whether one direction can be closed."""
        return False

    def get_write_buffer_size(self) -> int:
        """All data counts as not sent."""
        return len(self.written)

    def pause_reading(self) -> None:
        """Do nothing: no data is read here."""

    def resume_reading(self) -> None:
        """Do nothing."""


class SteppedLoop:
    """An event loop whose clock is stepped: ``seconds`` are ahead of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.seconds = 0.0

    def time(self) -> float:
        """The present time."""
        return self._loop.time() + self.seconds

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the loop's own
        """The rest of the loop."""
        return getattr(self._loop, name)


class Answers:
    """Parses the bytes written: statuses, headers and bodies."""

    def __init__(self, written: bytes) -> None:
        self.statuses: list[int] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(written)

    def on_message_begin(self) -> None:
        """Start a response."""
        self.headers.append({})
        self.bodies.append(b"")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header."""
        self.headers[-1][name.decode().lower()] = value.decode()

    def on_headers_complete(self) -> None:
        """Note the status."""
        self.statuses.append(self._parser.get_status_code())

    def on_body(self, body: bytes) -> None:
        """Add a part of a body."""
        self.bodies[-1] += body

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The bodies as JSON, without the ids, which always differ."""
        found = [json.loads(body) for body in self.bodies]
        for one in found:
            one.pop("id", None)
        return found


class Connection:
    """A connection to a layer; ``slow`` counts the requests that took the ASGI path."""

    def __init__(self, layer: InferLayer) -> None:
        self.slow = 0

        async def counted(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401
            self.slow += 1
            await layer(scope, receive, send)

        config = uvicorn.Config(
            counted,
            http=protocol_factory(layer),
            lifespan="off",
            log_level="warning",
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        config.load()
        self.transport = Transport()
        loop = asyncio.get_running_loop()
        self.protocol: InferenceProtocol = config.http_protocol_class(  # type: ignore[call-arg, assignment]
            config=config, server_state=ServerState(), app_state={}, _loop=loop
        )
        self.protocol.connection_made(self.transport)

    async def answers(self, count: int) -> Answers:
        """Wait for this number of whole responses."""
        async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
            while not self._has(count):  # noqa: ASYNC110 - a transport has no event to wait for
                await asyncio.sleep(0.001)
        return Answers(self.transport.written)

    def _has(self, count: int) -> bool:
        return len(Answers(self.transport.written).bodies) >= count and self.protocol.cycle.response_complete


def post(body: bytes = GOOD, path: str = INFER, version: str = "1.1", method: str = "POST", **headers: str) -> bytes:
    """A request's bytes."""
    named = {"Host": "h", "Content-Length": str(len(body))} | {n.replace("_", "-"): v for n, v in headers.items()}
    lines = [f"{method} {path} HTTP/{version}", *(f"{name}: {value}" for name, value in named.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(body: bytes = GOOD, path: str = INFER) -> bytes:
    """A chunked request's bytes."""
    head = post(b"", path, Content_Length="", Transfer_Encoding="chunked")
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
