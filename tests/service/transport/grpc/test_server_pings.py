"""Keepalive pings of gRPC clients: a ping each second is borne, and a flood of them is not."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

from tests.support.servers import Server
from tightrope.service.transport.grpc.server import MIN_PING_MS

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
ENHANCE_YOUR_CALM = 11
"""Types of frames, and an error code (RFC 9113)."""


def frame(kind: int, payload: bytes = b"") -> bytes:
    """A frame of HTTP/2 without flags, on the connection itself."""
    return len(payload).to_bytes(3) + bytes([kind, 0]) + bytes(4) + payload


PINGS = [frame(PING, number.to_bytes(8)) for number in range(6)]
"""More than the library bears by default: the third one that comes too soon ends the connection."""


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The type and the payload of each frame."""
    while data:
        size = int.from_bytes(data[:3])
        yield data[3], data[9 : 9 + size]
        data = data[9 + size :]


def heard(server: Server, *sent: bytes, seconds: float = 0.0) -> list[tuple[int, bytes]]:
    """The frames that a client without calls gets that sends these pieces at this interval."""
    host, port = server.grpc.rsplit(":", 1)
    received = b""
    with socket.create_connection((host, int(port)), timeout=10.0) as line, suppress(TimeoutError):
        line.sendall(PREFACE + frame(SETTINGS))
        for piece in sent:
            time.sleep(seconds)
            line.sendall(piece)
        line.settimeout(1.0)
        while data := line.recv(65536):
            received += data
    return list(frames(received))


def test_pings_without_calls_are_answered(server: Server) -> None:
    """Each of them, at the interval that is borne; Triton's client may ping each second, which is slower."""
    got = heard(server, *PINGS, seconds=1.2 * MIN_PING_MS / 1000)
    assert MIN_PING_MS < 1000
    assert [kind for kind, _ in got if kind == GOAWAY] == []
    assert len([kind for kind, _ in got if kind == PING]) >= len(PINGS)


def test_flood_of_pings_ends_the_connection(server: Server) -> None:
    """With the library's error for it: pings cost something, too."""
    (error,) = [payload for kind, payload in heard(server, b"".join(PINGS)) if kind == GOAWAY][-1:]
    assert int.from_bytes(error[4:8]) == ENHANCE_YOUR_CALM
    assert error[8:] == b"too_many_pings"
