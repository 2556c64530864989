"""Load in an open loop: requests come when they come, like those of many callers who know nothing of each other.

Arrivals are a Poisson stream of a given rate. A latency counts from the moment when a request was due, not from when
there was a connection for it: a server that stalls is charged for everybody who came meanwhile, which a closed loop
forgives ("coordinated omission"). The generator is one thread; how late it was itself is reported.
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

CONNECTIONS = 256
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
SEED = 7
PATIENCE, LAST_WAIT = 10.0, 0.01
"""Seconds for the last answers to come, and between two looks for them."""
KEPT_ALIVE = 2.0
"""Seconds after which a connection that nothing was on is not used any more: servers hang up after five."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What came of it: latencies in milliseconds from when each was due; ``late`` is how late the generator saw that,
    99th percentile.
    """

    seconds: float
    latencies: Sequence[float]
    errors: int
    late: float

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share of the answers came."""
        return float(np.percentile(self.latencies, 100 * share)) if self.latencies else float("nan")


def stream(address: str, requests: Sequence[Request], rate: float, seconds: float) -> Stream:
    """Requests in turn at this rate, for so long."""
    place = urlsplit(address)
    callers = _Callers(place.hostname or "", place.port or 80)
    raw = [_raw(request, place.netloc) for request in requests]
    draw, waiting, late = random.Random(SEED), deque[float](), array("d")  # noqa: S311 - arrivals, no secrets
    began = time.perf_counter()
    due, sent = began + draw.expovariate(rate), 0
    while (now := time.perf_counter()) < began + seconds + PATIENCE:
        while due <= now and due < began + seconds:
            waiting.append(due)
            late.append((now - due) * 1e3)
            due += draw.expovariate(rate)
        while waiting and callers.send(raw[sent % len(raw)], waiting[0]):
            waiting.popleft()
            sent += 1
        if due >= began + seconds and not waiting and not callers.busy:
            break
        callers.receive(max(0.0, due - time.perf_counter()) if due < began + seconds else LAST_WAIT)
    lost = len(waiting) + callers.close()
    percentile = float(np.percentile(late, 99)) if late else 0.0
    return Stream(seconds, callers.latencies, callers.errors + lost, percentile)


def _raw(request: Request, host: str) -> bytes:
    headers = {"Host": host, **request.headers, "Content-Length": str(len(request.body))}
    lines = [f"POST {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + request.body


@dataclass(slots=True, eq=False)
class _Caller:
    """One connection, and the request that is on it."""

    socket: socket.socket
    due: float = 0.0
    used: float = 0.0
    answer: bytes = b""

    def fileno(self) -> int:
        return self.socket.fileno()


class _Callers:
    """All connections: as many as are needed at once, kept alive."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._idle: list[_Caller] = []
        self.busy: set[_Caller] = set()
        self.latencies = array("d")
        self.errors = 0

    def send(self, raw: bytes, due: float) -> bool:
        """Put a request on a free connection; False when there is none."""
        while self._idle and due - self._idle[-1].used > KEPT_ALIVE:
            self._idle.pop().socket.close()
        if not self._idle and len(self.busy) >= CONNECTIONS:
            return False
        caller = self._idle.pop() if self._idle else self._connected()
        caller.due, caller.answer = due, b""
        self.busy.add(caller)
        try:
            caller.socket.sendall(raw)
        except OSError:
            self._drop(caller)
        return True

    def receive(self, timeout: float) -> None:
        """Whatever is there by now, or what comes first."""
        for caller in select.select([*self.busy], [], [], timeout)[0]:
            try:
                part = caller.socket.recv(65_536)
            except OSError:
                part = b""
            caller.answer += part
            if not part:
                self._drop(caller)
            elif _whole(caller.answer):
                self._done(caller)

    def close(self) -> int:
        """Hang up; how many had no answer yet."""
        for caller in (*self.busy, *self._idle):
            caller.socket.close()
        return len(self.busy)

    def _connected(self) -> _Caller:
        connection = socket.create_connection(self._address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Caller(connection)

    def _done(self, caller: _Caller) -> None:
        self.busy.discard(caller)
        self._idle.append(caller)
        caller.used = time.perf_counter()
        if caller.answer.startswith(b"HTTP/1.1 200"):
            self.latencies.append((caller.used - caller.due) * 1e3)
        else:
            self.errors += 1

    def _drop(self, caller: _Caller) -> None:
        """The server hung up in the middle of it."""
        self.errors += 1
        self.busy.discard(caller)
        caller.socket.close()


def _whole(answer: bytes) -> bool:
    head = answer.find(b"\r\n\r\n")
    length = LENGTH.search(answer, 0, head + 2) if head >= 0 else None
    return length is not None and len(answer) >= head + 4 + int(length[1])
