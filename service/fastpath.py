"""The fast path: small, whole inference requests are answered from uvicorn's protocol itself, without an ASGI task, its
messages and its second write, which cost more than a small model takes to run.

Everything else goes uvicorn's own way, to the ASGI layer: what is large, compressed, pipelined, chunked, of HTTP/1.0,
of a caller who does not read its answers, or no inference request at all. The answer is the same either way.
"""

import asyncio
import time
from functools import partial
from typing import Any, ClassVar, TypeAlias, cast

from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.batch import rows_of
from service.bodies import LENGTH_NAME, Reply, encode, refuse
from service.gateway import Answer
from service.http import PATH, InferLayer
from service.protocol import InferRequest
from service.respond import LARGE, is_large

OTHERWISE = frozenset({b"expect", b"transfer-encoding", b"content-encoding", b"upgrade"})
"""Headers of requests that go uvicorn's own way."""

_Asked: TypeAlias = tuple[str, str | None]

DIGITS = len(str(LARGE))
HEAD_ENDS = b"\r\n\r\n"

MOST_HEAD, MOST_HEADS = 2048, 512
"""Bytes of a head that is remembered, and how many are."""

NOTHING = InferRequest(None, {}, {}, (), binary_default=False)


class _Said(Struct, frozen=True):
    """What a request's head says: the model, the version, the bytes of the body, and those that are JSON."""

    model: str
    version: str | None
    size: int
    json_size: bytes | None


class _Shared:
    """What the connections of a server have in common: paths and heads that were seen, and the headers that every
    answer has.
    """

    def __init__(self, layer: InferLayer) -> None:
        self.layer = layer
        self._paths: dict[bytes, _Asked] = {}
        self._headers: list[tuple[bytes, bytes]] | None = None
        self._heads: dict[int, bytes] = {}
        self._said: dict[bytes, _Said] = {}

    def said(self, head: bytes) -> "_Said | None":
        """What a head says that was read before; callers send the same to the byte, again and again."""
        return self._said.get(head)

    def remember(self, head: bytes, said: "_Said") -> None:
        """A head that may come again. Where none does, all are forgotten from time to time."""
        if not self._is_served(said.model, said.version):
            return
        if len(self._said) >= MOST_HEADS:
            self._said.clear()
        self._said[head] = said

    def asked(self, url: bytes) -> "_Asked | None":
        """The model and the version that a path names, if it is one of inference."""
        known = self._paths.get(url)
        if known is None and b"%" not in url and (match := PATH.match(url.decode("latin-1"))):
            known = match[1], match[2]
            if self._is_served(*known):  # only these: what else callers make up has no end
                self._paths[url] = known
        return known

    def _is_served(self, model: str, version: str | None) -> bool:
        pair = self.layer.responder.gateway.pairs.get(model)
        return pair is not None and version in {None, pair.version}

    def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        """A status, and the headers that every answer has, as bytes; uvicorn makes these anew every second."""
        if headers is not self._headers:
            self._headers = headers
            self._heads.clear()
        head = self._heads.get(status)
        if head is None:
            head = self._heads[status] = STATUS_LINE[status] + b"".join(b"%b: %b\r\n" % one for one in headers)
        return head


def fast_path(layer: InferLayer) -> type[asyncio.Protocol]:
    """What uvicorn makes a connection of, for this application."""
    return cast(type[asyncio.Protocol], partial(FastPath, _Shared(layer)))


class FastPath(HttpToolsProtocol):
    """One connection."""

    def __init__(self, shared: _Shared, **given: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**given)
        self.shared = shared
        self._fast: _Exchange | None = None
        self._latest: _Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rested = 0.0
        self._within = False
        self._piece = b""

    def data_received(self, data: bytes) -> None:
        """A whole request whose head was read before needs no parser; the next one finds it as it was."""
        if not self._within:
            end = data.find(HEAD_ENDS, 0, MOST_HEAD) + len(HEAD_ENDS)
            said = self.shared.said(data[:end])
            if said is not None and len(data) - end == said.size and self._is_free():
                exchange = self._take(said)
                exchange.body = data[end:]
                exchange.begin()
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
            self._remember(self._fast)
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

    def _remember(self, of: "_Exchange") -> None:
        """The head of a request that came whole, and alone."""
        end = len(self._piece) - of.said.size
        if of.keep_alive and self._piece.find(HEAD_ENDS, 0, MOST_HEAD) == end - len(HEAD_ENDS):
            self.shared.remember(self._piece[:end], of.said)

    def _is_free(self) -> bool:
        """Whether an answer can be written as soon as there is one: nothing is pipelined, and the caller reads."""
        cycle: Any = self.cycle
        return (
            (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _asked(self) -> "_Said | None":
        """A request that can be answered here."""
        of, parser = self.shared.asked(self.url), self.parser
        if of is None or not self._is_free():
            return None
        size, json_size = b"", None
        for name, value in self.headers:
            if name == b"content-length":
                size = value
            elif name == LENGTH_NAME:
                json_size = value
            elif name in OTHERWISE:
                return None
        if not 0 < len(size) <= DIGITS or int(size) > LARGE:
            return None
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        return _Said(*of, int(size), json_size)

    def _take(self, said: "_Said", *, keep_alive: bool = True) -> "_Exchange":
        exchange: Any = _Exchange(self, said, keep_alive, time.perf_counter())
        self._fast = self._latest = self.cycle = exchange
        return cast(_Exchange, exchange)


class _Exchange(Struct, eq=False):
    """A request and its answer. To uvicorn it looks like its own cycle, to a batcher like what waits."""

    protocol: FastPath
    said: _Said
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
        layer, said = self.protocol.shared.layer, self.said
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
        protocol.shared.layer.responder.answered(self.said.model, reply.error, self.started, reply.request_id)

    def _bytes(self, reply: Reply) -> bytes:
        head, body = self.protocol.shared.head(reply.status, self.protocol.server_state.default_headers), reply.body
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
