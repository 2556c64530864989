"""Load generator for an open loop: requests arrive independently of the answers, like those of many callers.

Arrivals are a Poisson process of a given rate. A latency counts from the time at which a request was due, not from when
a connection was free, so a stall of the server delays all requests that were due meanwhile; a closed loop hides this
("coordinated omission"). The generator is one thread and reports how late it was itself.
"""

import random
import re
import select
import socket
import time
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

from benchmarks.serving.process import Request

MAX_CONNECTIONS = 256
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
SEED = 7
DRAIN_SECONDS, DRAIN_POLL_SECONDS = 10.0, 0.01
"""Time to wait for the last answers, and between two polls for them."""
MAX_IDLE_SECONDS = 2.0
"""Idle time after which a connection is closed: servers close theirs after five seconds."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Latencies in milliseconds from when each request was due; ``generator_late`` is the 99th percentile of the
    milliseconds by which the generator itself was late.
    """

    seconds: float
    latencies: Sequence[float]
    errors: int
    generator_late: float

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share of the answers arrived; nan without answers."""
        return float(np.percentile(self.latencies, 100 * share)) if self.latencies else float("nan")


def run_stream(address: str, requests: Sequence[Request], rate: float, seconds: float) -> Stream:
    """Send the requests in rotation, ``rate`` a second on average, for this many seconds."""
    url = urlsplit(address)
    pool = _ConnectionPool(url.hostname or "", url.port or 80)
    raw = [_raw(request, url.netloc) for request in requests]
    draw, waiting, late = random.Random(SEED), deque[float](), array("d")  # noqa: S311 - arrivals, no secrets
    began = time.perf_counter()
    due, sent = began + draw.expovariate(rate), 0
    while (now := time.perf_counter()) < began + seconds + DRAIN_SECONDS:
        while due <= now and due < began + seconds:
            waiting.append(due)
            late.append((now - due) * 1e3)
            due += draw.expovariate(rate)
        while waiting and pool.send(raw[sent % len(raw)], waiting[0]):
            waiting.popleft()
            sent += 1
        if due >= began + seconds and not waiting and not pool.busy:
            break
        pool.receive(max(0.0, due - time.perf_counter()) if due < began + seconds else DRAIN_POLL_SECONDS)
    unanswered = len(waiting) + pool.close()
    percentile = float(np.percentile(late, 99)) if late else 0.0
    return Stream(seconds, pool.latencies, pool.errors + unanswered, percentile)


def _raw(request: Request, host: str) -> bytes:
    headers = {"Host": host, **request.headers, "Content-Length": str(len(request.body))}
    lines = [f"POST {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + request.body


@dataclass(slots=True, eq=False)
class _Connection:
    """A connection and its pending request, with the bytes of the answer so far."""

    socket: socket.socket
    due: float = 0.0
    used: float = 0.0
    answer: bytes = b""

    def fileno(self) -> int:
        return self.socket.fileno()


class _ConnectionPool:
    """Keep-alive connections, opened when all others are busy."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._idle: list[_Connection] = []
        self.busy: set[_Connection] = set()
        self.latencies = array("d")
        self.errors = 0

    def send(self, raw: bytes, due: float) -> bool:
        """Send a request on a free connection; False when all are busy."""
        while self._idle and due - self._idle[-1].used > MAX_IDLE_SECONDS:
            self._idle.pop().socket.close()
        if not self._idle and len(self.busy) >= MAX_CONNECTIONS:
            return False
        connection = self._idle.pop() if self._idle else self._connect()
        connection.due, connection.answer = due, b""
        self.busy.add(connection)
        try:
            connection.socket.sendall(raw)
        except OSError:
            self._drop(connection)
        return True

    def receive(self, timeout: float) -> None:
        """Read the connections that have data, waiting at most ``timeout`` seconds for the first."""
        for connection in select.select([*self.busy], [], [], timeout)[0]:
            try:
                part = connection.socket.recv(65_536)
            except OSError:
                part = b""
            connection.answer += part
            if not part:
                self._drop(connection)
            elif _is_complete(connection.answer):
                self._finish(connection)

    def close(self) -> int:
        """Close all connections; returns the number of unanswered requests."""
        for connection in (*self.busy, *self._idle):
            connection.socket.close()
        return len(self.busy)

    def _connect(self) -> _Connection:
        connected = socket.create_connection(self._address)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Connection(connected)

    def _finish(self, connection: _Connection) -> None:
        self.busy.discard(connection)
        self._idle.append(connection)
        connection.used = time.perf_counter()
        if connection.answer.startswith(b"HTTP/1.1 200"):
            self.latencies.append((connection.used - connection.due) * 1e3)
        else:
            self.errors += 1

    def _drop(self, connection: _Connection) -> None:
        """Count an error: the server closed the connection before its answer was complete."""
        self.errors += 1
        self.busy.discard(connection)
        connection.socket.close()


def _is_complete(answer: bytes) -> bool:
    head = answer.find(b"\r\n\r\n")
    length = CONTENT_LENGTH.search(answer, 0, head + 2) if head >= 0 else None
    return length is not None and len(answer) >= head + 4 + int(length[1])
