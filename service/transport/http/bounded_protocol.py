"""The limits of a connection: how many there are, how large and slow a request's head may be, how long bodies take.

What exceeds a limit is answered with a status and a line that name it, after the responses that are still owed; then
the connection lingers: its input is discarded for a moment, so that the caller sees the answer and not a reset. Time is
checked by `expire`, which the server calls for every connection each second: no request needs a timer.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from tightrope.service.adapters.prometheus.connection_catalogue import PIPELINED
from tightrope.service.errors import CallerError, LimitError
from tightrope.service.transport.admission import Admission
from tightrope.service.transport.http.codec import InferenceReply, refuse
from tightrope.service.transport.http.connection import Connection

LINGERING_SECONDS = 2.0
"""Time for which the input of a refused caller is discarded."""
MAX_LINGERING = 64
"""Connections beyond the limit that are answered at a time; more are closed without an answer."""
MAX_PIPELINED = 16
"""Requests of a connection that wait for the responses before theirs."""


class _EndedError(Exception):
    """The connection has ended: the parser reads no further."""


class BoundedProtocol(Connection):
    """A connection within the limits of ``admission``."""

    is_ended = _in_head = _began = _had_body = False
    _peer: str | None = None
    _is_beyond = False
    _final: InferenceReply | None = None
    _closes_at = _paused_since = 0.0
    _head_bytes = _silent_bytes = _unsent = 0

    def __init__(self, admission: Admission, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**kwargs)
        self.admission = admission
        self.limits = admission.limits
        self._idle_since = self._message_since = self.loop.time()

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """Count the connection, or refuse it."""
        super().connection_made(transport)
        peer = self.client[0] if self.client else ""
        refusal = self.admission.open_connection(peer)
        if refusal is None:
            self._peer = peer
            return
        self.admission.log_refusal(str(refusal), self.loop.time())
        self.admission.beyond += 1
        self._is_beyond = True
        if self.admission.beyond > MAX_LINGERING:
            self.admission.count_refused(refusal.reason)
            self.is_ended = self._in_message = True
            transport.abort()
        else:
            self._bound(refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back what the connection held."""
        super().connection_lost(exc)
        if self._peer is not None:
            self.admission.close_connection(self._peer)
        self.admission.beyond -= self._is_beyond
        self._hold_unsent(0)

    def data_received(self, data: bytes) -> None:
        """Parse data, and bound what the parser collects of a head, of trailers and of extensions."""
        if self.is_ended:
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_head or self._began:
            self._head_bytes = 0  # or it began somewhere in this piece
        if self._in_head:
            self._bound(self._head_error(self._head_bytes - self.limits.url_bytes))
        elif self._in_message:
            self._silent_bytes = 0 if self._had_body else self._silent_bytes + len(data)
            self._bound(self._framing_error())
        self._began = self._had_body = False

    def begin_head(self) -> None:
        """Note that a request begins."""
        self._message_since = self.loop.time()
        self._in_head = self._began = True

    def check_head(self) -> None:
        """Refuse a request whose head is complete, if it is too large or one too many.

        Raises:
            _EndedError: in that case, which ends the parsing.
        """
        self._in_head = False
        self._message_since = self.loop.time()
        self._silent_bytes = size = 0
        if self._head_bytes > self.limits.header_bytes:
            size = sum(len(name) + len(value) for name, value in self.headers)
        error = self._head_error(size)
        if len(self.pipeline) >= MAX_PIPELINED:
            error = LimitError(f"more than {MAX_PIPELINED} requests wait on this connection", 429, PIPELINED)
        if error is not None:
            self._bound(error)
            raise _EndedError

    def _bound(self, error: LimitError | None) -> None:
        """Count a connection that exceeds a limit, and end it."""
        if error is not None and not self.is_ended:
            self.admission.count_refused(error.reason)
            self.end_with(refuse(error))

    def _framing_error(self) -> LimitError | None:
        most = self.limits.header_bytes
        if self._silent_bytes <= most:
            return None
        text = f"chunk extensions or trailers have more than {most} bytes (server.limits.header_bytes)"
        return LimitError(text, 431, "header_bytes")

    def _head_error(self, header_bytes: int) -> LimitError | None:
        limits = self.limits
        if len(self.url) > limits.url_bytes:
            text = f"the URL has more than {limits.url_bytes} bytes (server.limits.url_bytes)"
            return LimitError(text, 414, "url_bytes")
        if len(self.headers) > limits.headers:
            text = f"the request has more than {limits.headers} headers (server.limits.headers)"
            return LimitError(text, 431, "headers")
        if header_bytes > limits.header_bytes:
            text = f"the headers have more than {limits.header_bytes} bytes (server.limits.header_bytes)"
            return LimitError(text, 431, "header_bytes")
        return None

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.begin_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start a request that is within the limits."""
        if not self.skips_upgrade():
            self.check_head()
            self.start_cycle()

    def on_body(self, body: bytes) -> None:
        """Add a part of the body."""
        self._had_body = True
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Note that a response was sent; the refusal that ends the connection follows the last one."""
        self._idle_since = self.loop.time()
        if self.is_ended and not self.pipeline:
            self._write_final()
        super().on_response_complete()
        self._unset_keepalive_if_required()

    def send_400_response(self, msg: str) -> None:
        """End the connection, whose data cannot be parsed; a limit has ended it already where it is the cause."""
        self.end_with(refuse(CallerError(msg)))

    def eof_received(self) -> bool:  # type: ignore[override] # uvicorn's closes always
        """Close a connection that lingers: its caller has read the answer, or sends no more."""
        return False if self._closes_at else super().eof_received()

    def close_if_idle(self) -> None:
        """Close the connection, also one that lingers."""
        if self._closes_at:
            self.transport.abort()
        super().close_if_idle()

    def pause_writing(self) -> None:
        """Count what the caller does not read among the bytes in flight."""
        super().pause_writing()
        self._paused_since = self.loop.time()
        self._hold_unsent(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Give it back."""
        super().resume_writing()
        self._paused_since = 0.0
        self._hold_unsent(0)

    def end_with(self, reply: InferenceReply | None) -> None:
        """Answer with this reply once the responses that are owed are sent, if the request in hand has none; then end
        the connection. Nothing that follows is read.
        """
        if self.is_ended:
            return
        self.is_ended = self._in_message = True
        self._final = reply
        partial, self._partial = self._partial, None
        is_owed = self._is_answering() if partial is None else self._drop(partial)
        if not is_owed:
            self._write_final()

    def _drop(self, partial: Any) -> bool:  # noqa: ANN401 - uvicorn's cycle, or one that stands for it
        """Drop the request whose body is not whole; whether a request before it has no response yet."""
        if self.pipeline and self.pipeline[0][0] is partial:
            self.pipeline.popleft()
            return True
        if partial.response_started or partial.response_complete:
            self._final = None
        if partial.waiting_for_100_continue:
            partial.waiting_for_100_continue = False
        partial.disconnected = partial.response_complete = True
        partial.message_event.set()
        return False

    def _write_final(self) -> None:
        if self.transport.is_closing():
            return
        if self._final is not None:
            self.transport.write(self._encode_final(self._final))
        self._closes_at = self.loop.time() + LINGERING_SECONDS
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()

    def expire(self, now: float) -> None:
        """End the connection if it takes too long, by the clock of its event loop: to send a head or a body, to read a
        response, or to send anything at all.
        """
        limits = self.limits
        if self.transport.is_closing():  # it closes once its caller has read what is written
            self._paused_since = self._paused_since or now
        if self._closes_at:
            if now >= self._closes_at:
                self.transport.abort()
        elif self._paused_since:  # unread bytes
            if now - self._paused_since > limits.body_seconds:
                self.admission.count_refused("body_seconds")
                self.transport.abort()
        elif self._in_message:
            self._expire_message(now - self._message_since)
        elif not self._is_answering() and now - self._idle_since > self.timeout_keep_alive:
            self.transport.close()

    def _expire_message(self, seconds: float) -> None:
        limits = self.limits
        if self.is_ended or self.flow.read_paused:  # it is not the caller who delays
            self._message_since = self.loop.time()
        elif self._in_head and seconds > limits.head_seconds:
            text = f"URL and headers took more than {limits.head_seconds:g} s (server.limits.head_seconds)"
            self._bound(LimitError(text, 408, "head_seconds"))
        elif not self._in_head and seconds > limits.body_seconds:
            text = f"the body took more than {limits.body_seconds:g} s (server.limits.body_seconds)"
            self._bound(LimitError(text, 408, "body_seconds"))

    def _encode_final(self, reply: InferenceReply) -> bytes:
        headers = [*self.server_state.default_headers, *reply.headers, (b"connection", b"close")]
        headers.append((b"content-length", b"%d" % len(reply.body)))
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        return b"%b%b\r\n%b" % (STATUS_LINE[reply.status], head, reply.body)

    def _hold_unsent(self, count: int) -> None:
        self.admission.bytes_in_flight += count - self._unsent
        self._unsent = count
