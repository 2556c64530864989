"""The fast path: small inference requests, answered from uvicorn's protocol without an ASGI task, its messages and its
second write, which take longer than a small model's run.

How it works: a request whose head is in the cache skips the parser; another one is parsed, and taken here when its
headers are those of a small inference request. An `_Exchange` decodes the request and submits it to the batcher; the
batcher delivers the answer, which is encoded and written in one piece. All other requests go to the ASGI layer and get
the same responses: large, compressed, chunked and pipelined ones, HTTP/1.0, and callers that do not read theirs.

It relies on uvicorn's internals: the callbacks of `HttpToolsProtocol`, and its `cycle`.
"""

import asyncio
import time
from functools import partial
from typing import Any, ClassVar, cast

from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from tightrope.service.inference.engine import Answer, is_large
from tightrope.service.protocol.rest import InferRequest
from tightrope.service.transport.http.asgi import InferLayer
from tightrope.service.transport.http.bounded_protocol import BoundedProtocol
from tightrope.service.transport.http.codec import InferenceReply, echoed, encode_or_refuse, refuse
from tightrope.service.transport.http.head_cache import HEAD_END, MAX_HEAD_BYTES, HeadCache, Header, RequestHead

EMPTY_REQUEST = InferRequest(None, {}, {}, (), binary_default=False)


def protocol_factory(layer: InferLayer) -> type[asyncio.Protocol]:
    """The protocol class for uvicorn's `http` setting, bound to a layer."""
    heads = HeadCache(layer.responder.engine.is_served, layer.responder.engine.caller_header)
    return cast(type[asyncio.Protocol], partial(InferenceProtocol, layer, heads))


class InferenceProtocol(BoundedProtocol):
    """One connection."""

    def __init__(self, layer: InferLayer, heads: HeadCache, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(layer.admission, **kwargs)
        self.layer = layer
        self.heads = heads
        self._fast: _Exchange | None = None
        self._latest: _Exchange | None = None
        self._piece = b""
        self._default_headers: list[Header] | None = None
        self._response_starts: dict[int, bytes] = {}

    def data_received(self, data: bytes) -> None:
        """Answer a whole request whose head is cached; leave all other data to the parser."""
        if not self._in_message:
            end = data.find(HEAD_END, 0, MAX_HEAD_BYTES) + len(HEAD_END)
            head = self.heads.get(data[:end])
            if head is not None and len(data) - end == head.body_bytes and self._can_write():
                self._start_exchange(head, data[end:]).submit()
                return
            self._piece = data
        super().data_received(data)
        self._piece = b""

    def on_message_begin(self) -> None:
        """Begin a request; what uvicorn prepares for ASGI here is prepared once it is needed."""
        self._in_message = True
        self.url = b""
        self.headers = []
        self._fast = None
        self.begin_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Take the request here, or give it to uvicorn."""
        if self.skips_upgrade():
            return
        self.check_head()
        head = self._parse_head()
        if head is not None:
            self._partial = self._start_exchange(head, keep_alive=self.parser.should_keep_alive())
            return
        url, headers = self.url, self.headers
        super(BoundedProtocol, self).on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        self.start_cycle()

    def on_body(self, body: bytes) -> None:
        """Add a part of the body."""
        if self._fast is not None:
            self._had_body = True
            self._fast.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request: submit it, or let uvicorn end it."""
        if self._upgrade is None and self._fast is not None:
            self._in_message, self._partial = False, None
            if self._fast.keep_alive:
                self.heads.remember(self._piece, self._fast.head)
            self._fast.submit()
        else:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Note that a response was sent; there is more to do only where something waits for it."""
        if self.pipeline or self.flow.read_paused or self.has_ended or self.is_ended:
            super().on_response_complete()
        else:
            self._idle_since = self.loop.time()
            self.server_state.total_requests += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the request under way."""
        super().connection_lost(exc)
        if self._latest is not None:
            self._latest.is_gone = True
        # The exchange refers to this connection: the cycle would keep both until the garbage collector's oldest run.
        nothing: Any = None
        self._fast = self._latest = self.cycle = nothing

    def send(self, reply: InferenceReply, *, keep_alive: bool) -> None:
        """Write a reply in one piece."""
        self.transport.write(self._encode_reply(reply, keep_alive=keep_alive))
        if not keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _encode_reply(self, reply: InferenceReply, *, keep_alive: bool) -> bytes:
        if self.server_state.default_headers is not self._default_headers:  # uvicorn makes new ones every second
            self._default_headers = self.server_state.default_headers
            self._response_starts.clear()
        head = self._response_starts.get(reply.status)
        if head is None:
            head = STATUS_LINE[reply.status] + b"".join([b"%b: %b\r\n" % header for header in self._default_headers])
            self._response_starts[reply.status] = head
        for header in reply.headers:
            head += b"%b: %b\r\n" % header
        if not keep_alive:
            head += b"connection: close\r\n"
        return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(reply.body), reply.body)

    def _can_write(self) -> bool:
        """Whether a response can be written at once: no request is under way, and the caller reads its responses."""
        cycle: Any = self.cycle
        return (
            (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _parse_head(self) -> RequestHead | None:
        """The head of a request that can be answered here."""
        parser = self.parser
        if not self._can_write() or parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        return self.heads.parse(self.url, self.headers)

    def _start_exchange(self, head: RequestHead, body: bytes = b"", *, keep_alive: bool = True) -> "_Exchange":
        exchange: Any = _Exchange(self, head, keep_alive, time.perf_counter(), body)
        self._fast = self._latest = self.cycle = exchange
        if self.is_draining:
            self.close_after(exchange)
        return cast(_Exchange, exchange)


class _Exchange(Struct, eq=False):
    """A request and its response; serves uvicorn as its cycle and the batcher as a queued request."""

    protocol: InferenceProtocol
    head: RequestHead
    keep_alive: bool
    started: float
    body: bytes = b""
    is_gone: bool = False
    disconnected: bool = False
    response_complete: bool = False
    arrived: float = 0.0
    rows: int = 0
    request: InferRequest = EMPTY_REQUEST
    response_started: ClassVar = False  # a response is written in one piece
    waiting_for_100_continue: ClassVar = False
    message_event: ClassVar = asyncio.Event()  # uvicorn sets it for an application that awaits a body; none does here

    def submit(self) -> None:
        """Decode the request and queue it."""
        layer, head = self.protocol.layer, self.head
        self.arrived = time.perf_counter()
        try:
            pair = layer.responder.engine.pair(head.model, head.version)
            self.request = layer.decoder.decode_body(pair, self.body, head.json_length)
            if head.context is not None:
                self.request = head.context.applied(self.request)
            layer.responder.batchers[pair.name].submit(self)
        except Exception as error:  # noqa: BLE001 - every error becomes a reply
            self._reply(refuse(error))

    def deliver(self, answer: Answer) -> None:
        """Encode the answer and send it; a large one is encoded in a thread."""
        if isinstance(answer, Exception):
            self._reply(refuse(answer))
        elif is_large(answer):
            encoding = asyncio.get_running_loop().run_in_executor(None, encode_or_refuse, self.request, answer)
            encoding.add_done_callback(self._reply_encoded)
        else:
            self._reply(encode_or_refuse(self.request, answer))

    def _reply_encoded(self, encoding: asyncio.Future[InferenceReply]) -> None:
        self._reply(encoding.result())

    def _reply(self, reply: InferenceReply) -> None:
        """Send a reply, unless the connection is closing, and count it."""
        self.response_complete = True
        if self.head.context is not None:
            reply.headers += echoed(self.head.context.request_id)
        if not self.protocol.transport.is_closing():
            self.protocol.send(reply, keep_alive=self.keep_alive)
        self.protocol.layer.responder.count(
            self.head.model, reply.error, self.started, reply.request_id, self.head.context
        )
