"""The fast path: small, whole inference requests are answered from uvicorn's protocol itself, without an ASGI task, its
messages and its second write, which cost more than a small model takes to run.

Everything else goes uvicorn's own way, to the ASGI layer: what is large, compressed, pipelined, chunked, of HTTP/1.0,
of a caller who does not read its answers, or no inference request at all. The answer is the same either way.
"""

import asyncio
import time
from functools import partial
from typing import Any, ClassVar, cast

from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tightrope.service.inference.batch import rows_of
from tightrope.service.inference.engine import Answer
from tightrope.service.protocol.rest import InferRequest
from tightrope.service.transport.http.asgi import InferLayer
from tightrope.service.transport.http.codec import Reply, encode, refuse
from tightrope.service.transport.http.head_cache import Heads, Said
from tightrope.service.transport.responder import is_large

NOTHING = InferRequest(None, {}, {}, (), binary_default=False)


def fast_path(layer: InferLayer) -> type[asyncio.Protocol]:
    """What uvicorn makes a connection of, for this application."""
    heads = Heads(layer.responder.gateway.is_served)
    return cast(type[asyncio.Protocol], partial(FastPath, layer, heads))


class FastPath(HttpToolsProtocol):
    """One connection."""

    def __init__(self, layer: InferLayer, heads: Heads, **given: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**given)
        self.layer = layer
        self.heads = heads
        self._fast: _Exchange | None = None
        self._latest: _Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rested = 0.0
        self._within = False
        self._piece = b""

    def data_received(self, data: bytes) -> None:
        """A whole request whose head was read before needs no parser; the next one finds it as it was."""
        if not self._within:
            known = self.heads.recall(data)
            if known is not None and self._is_free():
                said, body = known
                self._take(said, body).begin()
                return
            self._piece = data
        super().data_received(data)
        self._piece = b""

    def on_message_begin(self) -> None:
        """What is made here for ASGI is made when it turns out to be needed."""
        self._within = True
        self.url = b""
        self.headers = []
        self._fast = None
        self._rested = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of a request."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Choose the way."""
        said = self._asked()
        if said is not None:
            self._take(said, keep_alive=self.parser.should_keep_alive())
            return
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        if self._fast is not None:
            self._fast.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """All of a request is there."""
        self._within = False
        if self._fast is not None:
            if self._fast.keep_alive:
                self.heads.remember(self._piece, self._fast.said)
            self._fast.begin()
        else:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer was sent. A timer for every one of them would cost more than to look again when one goes off."""
        self._rested = self.loop.time()
        if self._timer is not None and not (self.pipeline or self.flow.read_paused):
            self.server_state.total_requests += 1
            return
        self._forget_timer()
        super().on_response_complete()
        self._timer, self.timeout_keep_alive_task = self.timeout_keep_alive_task, None

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has rested for so long."""
        self._timer = None
        if self.cycle.response_complete:  # a timer is only set when there was one
            left = self._rested + self.timeout_keep_alive - self.loop.time()
            if left > 0.0:
                self._timer = self.loop.call_later(left, self.timeout_keep_alive_handler)
            else:
                super().timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody need work any more on what this caller asked."""
        super().connection_lost(exc)
        self._forget_timer()
        if self._latest is not None:
            self._latest.gone = True
        # What was asked last knows this connection: they would hold each other until Python looks at all that is old.
        nothing: Any = None
        self._fast = self._latest = self.cycle = nothing

    def _is_free(self) -> bool:
        """Whether an answer can be written as soon as there is one: nothing is pipelined, and the caller reads."""
        cycle: Any = self.cycle
        return (
            (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _asked(self) -> Said | None:
        """A request that can be answered here."""
        parser = self.parser
        if not self._is_free() or parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        return self.heads.read(self.url, self.headers)

    def _take(self, said: Said, body: bytes = b"", *, keep_alive: bool = True) -> "_Exchange":
        exchange: Any = _Exchange(self, said, keep_alive, time.perf_counter(), body)
        self._fast = self._latest = self.cycle = exchange
        return cast(_Exchange, exchange)


class _Exchange(Struct, eq=False):
    """A request and its answer. To uvicorn it looks like its own cycle, to a batcher like what waits."""

    protocol: FastPath
    said: Said
    keep_alive: bool
    started: float
    body: bytes = b""
    gone: bool = False
    disconnected: bool = False
    response_complete: bool = False
    arrived: float = 0.0
    rows: int = 0
    request: InferRequest = NOTHING
    message_event: ClassVar = asyncio.Event()  # uvicorn sets it for whoever waits for a body; here nobody does

    def begin(self) -> None:
        """Read the request, and let it wait for its turn."""
        layer, said = self.protocol.layer, self.said
        self.arrived = time.perf_counter()
        try:
            pair = layer.responder.gateway.pair(said.model, said.version)
            self.request = layer.decoder.read(pair, self.body, said.json_size)
            self.rows = rows_of(self.request)
            layer.responder.put(pair, self)
        except Exception as error:  # noqa: BLE001 - whatever went wrong becomes an answer
            self._reply(refuse(error))

    def tell(self, answer: Answer) -> None:
        """Write the answer; a large one in a thread."""
        if isinstance(answer, Exception):
            self._reply(refuse(answer))
        elif is_large(answer):
            writing = asyncio.get_running_loop().run_in_executor(None, _written, self.request, answer)
            writing.add_done_callback(lambda done: self._reply(done.result()))
        else:
            self._reply(_written(self.request, answer))

    def _reply(self, reply: Reply) -> None:
        """Send in one piece, and count."""
        protocol = self.protocol
        self.response_complete = True
        if not protocol.transport.is_closing():
            protocol.transport.write(self._bytes(reply))
            if not self.keep_alive:
                protocol.transport.close()
            protocol.on_response_complete()
        protocol.layer.responder.answered(self.said.model, reply.error, self.started, reply.request_id)

    def _bytes(self, reply: Reply) -> bytes:
        head, body = self.protocol.heads.begin(reply.status, self.protocol.server_state.default_headers), reply.body
        for header in reply.headers:
            head += b"%b: %b\r\n" % header
        if not self.keep_alive:
            head += b"connection: close\r\n"
        return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


def _written(request: InferRequest, answer: Any) -> Reply:  # noqa: ANN401 - InferResponse
    try:
        return encode(request, answer)
    except Exception as error:  # noqa: BLE001 - as above
        return refuse(error)
