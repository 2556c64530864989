"""The life of a connection: what uvicorn's own protocol would lose or cut off is answered.

- An `Upgrade` is never taken, and ignored as RFC 9110 section 7.8 says. The parser skips the body of a request that
  asks for one, and would read it as the next request; so such a request is parsed again without this header.
- A caller that sends no more, but still reads, gets its responses; only a request that is not whole is dropped.
- A connection that drains answers what was sent, and says `Connection: close` in its last response. While it is idle
  its caller may be sending, so it stays open until its server closes it.

It relies on uvicorn's internals: `cycle` is the latest request, and `pipeline` has those that wait for the one before.
"""

import select
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

NOT_HTTP = "the request is not valid HTTP"


class Connection(HttpToolsProtocol):
    """One connection. ``is_draining``: the next response is the last; ``has_ended``: the caller sends no more."""

    is_draining = has_ended = False
    _in_message = False
    _partial: Any = None
    """The request whose head is complete and whose body is not."""
    _running: Any = None
    """The request that uvicorn runs."""
    _last: Any = None
    """The request whose response says that it is the last, because the connection drains."""
    _upgrade: tuple[bytes, str] | None = None
    """Method and version of a request that is parsed again."""

    def data_received(self, data: bytes) -> None:
        """Parse data; a request that asks for an upgrade is parsed again from its head."""
        self._unset_keepalive_if_required()
        unparsed: bytes | memoryview = data
        try:
            while unparsed:
                unparsed = self._parse(unparsed)
        except httptools.HttpParserError:
            self.send_400_response(NOT_HTTP)

    def _parse(self, data: bytes | memoryview) -> bytes | memoryview:
        """Parse data as far as a head that asks for an upgrade; return the rest."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            self._parse_without_upgrade()
            return memoryview(data)[stop.args[0] :]
        return b""

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_message = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start a request, unless it is parsed again."""
        if not self.skips_upgrade():
            self.start_cycle()

    def on_message_complete(self) -> None:
        """End a request."""
        if self._upgrade is None:
            self._in_message, self._partial = False, None
            super().on_message_complete()

    def skips_upgrade(self) -> bool:
        """Whether the request asks for an upgrade, so that it is parsed again; its head is complete."""
        if not self.parser.should_upgrade():
            return False
        self._upgrade = self.parser.get_method(), self.parser.get_http_version()
        return True

    def start_cycle(self) -> None:
        """Let uvicorn start a request, or queue it behind those that wait for their responses."""
        before: Any = self.cycle
        super().on_headers_complete()
        self._partial = self.cycle
        if self.is_draining:
            if before is not None and before is self._last and not before.response_started:
                before.keep_alive = True
            self.close_after(self.cycle)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:  # noqa: ANN401 - uvicorn's
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def close_after(self, cycle: Any) -> None:  # noqa: ANN401 - uvicorn's, or a subclass's
        """Say in the response to a request that it is the last, unless the caller asked for that already."""
        if cycle.keep_alive:
            cycle.keep_alive = False
            self._last = cycle

    def on_response_complete(self) -> None:
        """Close a connection whose caller sends no more after its last response."""
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last and self.has_ended:
            self.transport.close()

    def eof_received(self) -> bool:  # type: ignore[override] # uvicorn's closes always
        """Keep the connection open for the responses to what was received whole."""
        self.has_ended = True
        partial, self._partial = self._partial, None
        if partial is None:
            return self._is_answering()
        if self.pipeline and self.pipeline[0][0] is partial:
            self.pipeline.popleft()
            return True
        return False

    def shutdown(self) -> None:
        """Begin to drain: answer what was sent, and say in the last response that it is the last."""
        self.is_draining = True
        if self._is_answering():
            self.close_after(self.cycle)

    def close_if_idle(self) -> None:
        """Close the connection unless a request on it waits for its response, or is being received, or was not read."""
        if self._in_message or self._is_answering() or self.transport.is_closing():
            return
        unread = select.poll()
        unread.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        if not unread.poll(0):
            self.transport.close()

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _parse_without_upgrade(self) -> None:
        """Parse the head of the present request again, without its `Upgrade`, in a new parser.

        Raises:
            httptools.HttpParserError: when it asks for a tunnel.
        """
        assert self._upgrade is not None  # noqa: S101 - the parser stops for no other reason
        (method, version), self._upgrade = self._upgrade, None
        if method == b"CONNECT":
            raise httptools.HttpParserError("this server is no proxy")
        head = [b"%b %b HTTP/%b\r\n" % (method, self.url, version.encode())]
        head += [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"".join([*head, b"\r\n"]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that runs, which uvicorn does only if it is the latest; forget all of them, because they
        refer to this connection, which only the garbage collector would free.
        """
        super().connection_lost(exc)
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()
        self.pipeline.clear()
        self._partial = self._running = self._last = None
