"""Admission control: the limits of one process, and what its callers hold of them at the moment.

Everything here belongs to the event loop, except the two limits of a decoded request, which any thread may check.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from math import prod
from types import TracebackType
from typing import Self

from tightrope.service.config.process.server import ServerSection
from tightrope.service.errors import LimitError, OverloadedError, TooLargeError
from tightrope.service.protocol.rest import InferRequest
from tightrope.service.protocol.tensors import Tensor

log = logging.getLogger(__name__)

STRING_BYTES = 80
"""Bytes of a short string in memory, and of the pointer to it."""
REFUSAL_LOG_SECONDS = 60.0
"""Time between two lines in the log about connections that are refused."""
ROOM_RETRY_SECONDS = 1.0
"""Seconds after which a caller should retry a request that found no room."""


def _uncounted(_: str) -> None:
    """Count nothing: the process shows no metrics of a gateway."""


class Admission:
    """The limits of a server, the connections of each peer, and the bytes in flight. ``beyond`` are the connections
    that were refused and are not closed yet. ``decoding`` admits the bodies
    that are decoded in a thread. A body of at most ``small_bytes`` cannot have too many rows or elements.
    ``count_refused`` is called with the reason for which a connection is refused or ended.
    """

    def __init__(self, server: ServerSection, count_refused: Callable[[str], None] = _uncounted) -> None:
        self.count_refused = count_refused
        self.limits = server.limits
        self.max_body_bytes = server.max_body_bytes
        self.max_bytes_in_flight = server.bytes_in_flight
        self.small_bytes = min(server.limits.rows, server.limits.elements)
        self.decoding = asyncio.Semaphore(server.limits.decodings)
        self.connections = self.beyond = 0
        self.bytes_in_flight = 0
        self._of_peer: dict[str, int] = {}
        self._logged_at = -REFUSAL_LOG_SECONDS

    def open_connection(self, peer: str) -> LimitError | None:
        """Count a connection; the refusal if there are too many: then it is not among those that are open."""
        if self.connections >= self.limits.connections:
            text = f"more than {self.limits.connections} connections are open (server.limits.connections)"
            return LimitError(text, 503, "connections")
        of_peer = self._of_peer.get(peer, 0)
        if of_peer >= self.limits.peer_connections:
            limit = self.limits.peer_connections
            text = f"your address has more than {limit} connections open (server.limits.connections_per_peer)"
            return LimitError(text, 429, "connections_per_peer")
        self.connections += 1
        self._of_peer[peer] = of_peer + 1
        return None

    def log_refusal(self, text: str, now: float) -> None:
        """Log that connections are refused, once a minute."""
        if now - self._logged_at >= REFUSAL_LOG_SECONDS:
            self._logged_at = now
            log.warning("connections are refused: %s", text)

    def close_connection(self, peer: str) -> None:
        """Forget a connection that was counted."""
        self.connections -= 1
        of_peer = self._of_peer.pop(peer) - 1
        if of_peer:
            self._of_peer[peer] = of_peer

    def check_size(self, request: InferRequest) -> None:
        """Refuse a request of too many rows or elements. A tensor with an empty axis counts as if that had one entry:
        its other sides are the caller's choice, and take no bytes.

        Raises:
            TooLargeError: in that case.
        """
        elements = rows = 0
        for tensor in request.inputs.values():
            elements += tensor.size or prod(length or 1 for length in tensor.shape)
            rows = max(rows, len(tensor) if tensor.ndim else 1)
        if rows > self.limits.rows:
            raise TooLargeError(f"the request has {rows} rows, the most are {self.limits.rows} (server.limits.rows)")
        if elements > self.limits.elements:
            limit = self.limits.elements
            raise TooLargeError(f"the request has {elements} elements, the most are {limit} (server.limits.elements)")


class Reservation:
    """The bytes that one request holds; a context that gives them back. ``is_refused``: its body was not read whole."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._bytes = 0
        self.is_refused = False

    def hold(self, count: int) -> None:
        """Hold this many bytes, instead of those so far.

        Raises:
            TooLargeError: when they are more than all requests together may hold.
            OverloadedError: when there is no room for them now.
        """
        limit = self._admission.max_bytes_in_flight
        if count > limit:
            text = f"the request takes {count} bytes, the most are {limit} (server.limits.bytes_in_flight)"
            raise TooLargeError(text)
        if count > self._bytes and self._admission.bytes_in_flight - self._bytes + count > limit:
            text = f"requests in flight hold all of {limit} bytes (server.limits.bytes_in_flight)"
            raise OverloadedError(text, ROOM_RETRY_SECONDS)
        self._admission.bytes_in_flight += count - self._bytes
        self._bytes = count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.hold(0)


def bytes_of(tensors: Mapping[str, Tensor]) -> int:
    """The memory of tensors; strings are taken as short ones."""
    return sum(t.size * STRING_BYTES if t.dtype == object else t.nbytes for t in tensors.values())
