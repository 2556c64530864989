"""Accepts the connections of a server, also where descriptors run out.

uvloop's own server gives its port up for good when it cannot accept, and accepts as long as it can, until none is left
for files and for the other parts of the process. Here the last descriptors are kept back: a connection that would need
one of them gets a 503 and is closed. If even that fails, the port rests for a moment. No connection that is made while
the server stops is lost: none begins any more, and all that began are accepted before the port is closed.
"""

import asyncio
import logging
import resource
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson

from tightrope.serving.syn_filter import drop_new_connections

log = logging.getLogger(__name__)

BACKLOG = 2048
"""Connections that may wait until they are accepted."""

RESERVED_DESCRIPTORS = 64
"""Descriptors that no connection gets: they are for files, other sockets and child processes; a quarter at most."""

ACCEPTED_AT_A_TIME = 64
"""Connections that are accepted before the event loop goes on."""

REST_SECONDS = 0.1
"""Time without accepting, after it failed."""

LAST_HANDSHAKES_SECONDS = 0.1
"""Time for the last segment of a handshake that began: a round trip to a caller."""

SHORTAGE_LOG_SECONDS = 60.0
"""Time between two lines in the log about descriptors."""

BODY = orjson.dumps({"error": "the server has no descriptors left for another connection"})
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


def allow_descriptors() -> None:
    """Allow this process as many descriptors as it may have."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Acceptor:
    """Accepts connections on a listening socket, for protocols that ``make`` makes. A ``shared`` socket is one that
    other processes inherited too: they may go on with it.
    """

    def __init__(self, listener: socket.socket, make: Callable[[], asyncio.Protocol], *, shared: bool = False) -> None:
        self._listener = listener
        self._shared = shared
        self._make = make
        self._opening: set[asyncio.Task[Any]] = set()
        self._resting: asyncio.TimerHandle | None = None
        self._spare: socket.socket | None = None
        self._warned_at = -SHORTAGE_LOG_SECONDS

    def start(self) -> None:
        """Accept from now on, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._open_spare()
        self._listener.settimeout(0)
        self._listener.listen(BACKLOG)
        self._loop.add_reader(self._listener, self._accept, ACCEPTED_AT_A_TIME)

    async def close(self) -> None:
        """Let no connection begin, accept what began, then close the socket; return when all connections are made.
        A shared socket loses none while another process has it; at the end of all, their supervisor lets none begin.
        """
        if not self._shared:
            drop_new_connections(self._listener)
        await asyncio.sleep(LAST_HANDSHAKES_SECONDS)
        self._loop.remove_reader(self._listener)
        self._accept(BACKLOG)
        if self._resting is not None:
            self._resting.cancel()
        self._listener.close()
        self._close_spare()
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _accept(self, most: int) -> None:
        for _ in range(most):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # its caller is gone already
            except OSError as error:
                self._warn(str(error))
                if not self._refuse_next():
                    self._pause()
                    return
                continue
            self._open(connection)

    def _open(self, connection: socket.socket) -> None:
        """Make a connection, unless it has one of the last descriptors: each gets the lowest that is free."""
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if connection.fileno() >= most - min(RESERVED_DESCRIPTORS, most // 4):
            self._warn(f"{most} descriptors are allowed")
            _refuse(connection)
            return
        opening = self._loop.create_task(self._connect(connection))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, connection)
        except OSError as error:
            log.debug("a connection could not be opened: %s", error)
            connection.close()

    def _refuse_next(self) -> bool:
        """Refuse the next connection with a spare descriptor; False without one."""
        if self._spare is None:
            self._open_spare()
        self._close_spare()
        try:
            _refuse(self._listener.accept()[0])
        except (BlockingIOError, ConnectionError):
            pass
        except OSError:
            return False
        finally:
            self._open_spare()
        return True

    def _open_spare(self) -> None:
        with suppress(OSError):
            self._spare = socket.socket()

    def _close_spare(self) -> None:
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    def _pause(self) -> None:
        """Stop for a moment: a socket that cannot be accepted would wake the event loop again and again."""
        self._loop.remove_reader(self._listener)
        self._resting = self._loop.call_later(REST_SECONDS, self._resume)

    def _resume(self) -> None:
        self._resting = None
        self._loop.add_reader(self._listener, self._accept, ACCEPTED_AT_A_TIME)

    def _warn(self, reason: str) -> None:
        now = time.monotonic()
        if now - self._warned_at >= SHORTAGE_LOG_SECONDS:
            self._warned_at = now
            log.warning("connections are refused, because descriptors run out: %s (see ulimit -n)", reason)


def _refuse(connection: socket.socket) -> None:
    """Answer 503 without waiting, and close."""
    with connection, suppress(OSError):
        connection.settimeout(0)
        connection.send(REFUSAL)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(65_536)  # unread data would make the closing reset the connection, and lose the answer
