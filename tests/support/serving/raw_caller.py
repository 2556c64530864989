"""A caller with a bare socket, which sends any bytes."""

import contextlib
import json
import socket
from typing import Any, Self
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 30.0


class RawCaller:
    """A connection to a server; ``source`` is the caller's own address."""

    def __init__(self, address: str, source: str = "127.0.0.1") -> None:
        parts = urlsplit(address)
        target = (parts.hostname, parts.port)
        self.socket = socket.create_connection(target, TIMEOUT_SECONDS, source_address=(source, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> Self:
        """Send data; a server that has closed the connection is no error."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)
        return self

    def read_all(self) -> bytes:
        """All data of the server, until it ends the connection."""
        pieces = []
        while piece := self.socket.recv(65_536):
            pieces.append(piece)
        return b"".join(pieces)

    def final(self) -> tuple[int, str]:
        """The status and the error of the last response, after which the server must end the connection."""
        head, _, body = self.read_all().rpartition(b"HTTP/1.1 ")[2].partition(b"\r\n\r\n")
        assert b"connection: close" in head
        return int(head[:3]), str(json.loads(body)["error"])

    def response(self) -> tuple[int, dict[str, Any]]:
        """The next response: its status and its JSON."""
        reading = self.socket.makefile("rb")
        status = int(reading.readline().split()[1])
        length = 0
        while (line := reading.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return status, json.loads(reading.read(length))
