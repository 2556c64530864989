"""What the heads of requests over HTTP say, as far as small inference requests go. Callers send the same head, to the
byte, again and again: then it need not be read again.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from tightrope.service.transport.http.asgi import PATH
from tightrope.service.transport.http.codec import LENGTH_NAME
from tightrope.service.transport.responder import LARGE

Header: TypeAlias = tuple[bytes, bytes]

OTHERWISE = frozenset({b"expect", b"transfer-encoding", b"content-encoding", b"upgrade"})
"""Headers of requests that go uvicorn's own way."""

DIGITS = len(str(LARGE))
ENDS = b"\r\n\r\n"

MOST_BYTES, MOST_HEADS = 2048, 512
"""Bytes of a head that is remembered, and how many are."""


class Said(Struct, frozen=True):
    """What a request's head says: the model, the version, the bytes of the body, and those that are JSON."""

    model: str
    version: str | None
    size: int
    json_size: bytes | None


class Heads:
    """Of the connections of a server. ``is_served`` says whether a model is there, in this version where one is named:
    only what is served is remembered, because what else callers make up has no end.
    """

    def __init__(self, is_served: Callable[[str, str | None], bool]) -> None:
        self._is_served = is_served
        self._paths: dict[bytes, tuple[str, str | None]] = {}
        self._said: dict[bytes, Said] = {}
        self._headers: Sequence[Header] | None = None
        self._begins: dict[int, bytes] = {}

    def read(self, url: bytes, headers: Sequence[Header]) -> Said | None:
        """What these say, if they are of a small inference request; the names are in lower case."""
        of = self._asked(url)
        if of is None:
            return None
        size, json_size = b"", None
        for name, value in headers:
            if name == b"content-length":
                size = value
            elif name == LENGTH_NAME:
                json_size = value
            elif name in OTHERWISE:
                return None
        if not 0 < len(size) <= DIGITS or int(size) > LARGE:
            return None
        return Said(*of, int(size), json_size)

    def remember(self, data: bytes, said: Said) -> None:
        """The head of a request that came whole, and alone, in ``data``. Where heads never come again, all are
        forgotten from time to time.
        """
        end = len(data) - said.size
        if data.find(ENDS, 0, MOST_BYTES) == end - len(ENDS) and self._is_served(said.model, said.version):
            if len(self._said) >= MOST_HEADS:
                self._said.clear()
            self._said[data[:end]] = said

    def recall(self, data: bytes) -> tuple[Said, bytes] | None:
        """What is said by the head of a request that is whole, and alone, in ``data``, if it was read before; and the
        body.
        """
        end = data.find(ENDS, 0, MOST_BYTES) + len(ENDS)
        said = self._said.get(data[:end])
        return (said, data[end:]) if said is not None and len(data) - end == said.size else None

    def begin(self, status: int, headers: Sequence[Header]) -> bytes:
        """How an answer begins: its status, and the headers that all have; uvicorn makes these anew every second."""
        if headers is not self._headers:
            self._headers = headers
            self._begins.clear()
        begins = self._begins.get(status)
        if begins is None:
            begins = self._begins[status] = STATUS_LINE[status] + b"".join(b"%b: %b\r\n" % one for one in headers)
        return begins

    def _asked(self, url: bytes) -> tuple[str, str | None] | None:
        """The model and the version that a path names, if it is one of inference."""
        known = self._paths.get(url)
        if known is None and b"%" not in url and (match := PATH.match(url.decode("latin-1"))):
            known = match[1], match[2]
            if self._is_served(*known):
                self._paths[url] = known
        return known
