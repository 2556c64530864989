"""The bytes of hostile and broken callers: requests in every framing, cut, doubled, mixed and changed, by a seeded
generator; and how they end their connections.
"""

import random
from collections.abc import Iterator, Sequence
from enum import Enum

from tests.support.fuzz.mutations import changed_bytes


class Ending(Enum):
    """The last act of a caller."""

    SENDS_NO_MORE = "closes its side, and reads"
    RESETS = "resets the connection"
    STAYS = "keeps the connection, and does nothing"


Conversation = tuple[Sequence[bytes], Ending]
"""The pieces that are sent, and the ending."""

INFER = b"/v2/models/plain/infer"
BODY = b'{"inputs":[{"name":"input","datatype":"FP32","shape":[1,2],"data":[0,5]}]}'
METHODS = (b"POST", b"POST", b"POST", b"GET", b"HEAD", b"PUT", b"OPTIONS", b"CONNECT", b"PRI", b"TRACE", b"post", b"")
PATHS = (
    INFER, INFER, INFER, INFER + b"?a=b", b"/v2/health/live", b"/v2/health/ready", b"/metrics", b"/v1/models/plain",
    b"/v1/models/plain/labels", b"/v2/models/plain", b"*", b"/", b"http://h" + INFER, b"//", b"/%00%ff", b"h:443",
    b"/v2/models/%/infer", b"/" + b"a" * 9000, b"/v2/models/plain/versions/1/infer", b"/../..", b"/\xc3\xa9", b"/ x",
)  # fmt: skip
VERSIONS = (b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/9.9", b"RTSP/1.0", b"")
HEADERS = (
    b"Connection: close", b"Connection: keep-alive", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c",
    b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"HTTP2-Settings: AAMAAABkAAQAAP__",
    b"Expect: 100-continue", b"Expect: nonsense", b"Content-Encoding: gzip", b"Content-Encoding: br", b"Host:",
    b"Content-Type: application/json", b"Inference-Header-Content-Length: 5", b"Inference-Header-Content-Length: -1",
    b"Inference-Header-Content-Length: 99999999999999999999", b"Content-Length: 0", b"Content-Length: -1",
    b"Content-Length: 99999999999999999999", b"Content-Length: 4, 4", b"Content-Length: +4", b"Content-Length:",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: xchunked", b"Transfer-Encoding : chunked", b" folded: yes", b"no colon", b": no name",
    b"X: " + b"x" * 40_000, b"X: \x00", b"X: \xff\xfe", b"X-Request-Id: \x7f", b"Trailer: X",
    b"Authorization: Bearer \xff", b"Range: bytes=0-", b"Cookie: " + b"a=b;" * 100,
)  # fmt: skip
CHUNK_SIZES = (
    b"0",
    b"-1",
    b"ffffffffffffffffff",
    b"zz",
    b"",
    b"5;name=value",
    b"5;" + b"x" * 40_000,
    b"0x5",
    b" 5",
    b"5 ",
)


def conversations(rng: random.Random, number: int) -> Iterator[Conversation]:
    """Conversations, as many as asked for."""
    for _ in range(number):
        data = b"".join(_message(rng) for _ in range(rng.choice((1, 1, 1, 2, 3, 70))))
        if rng.randrange(5) == 0:
            data = changed_bytes(rng, data)
        if rng.randrange(6) == 0:
            data = data[: rng.randint(0, len(data))]
        cuts = sorted(rng.randint(0, len(data)) for _ in range(rng.choice((0, 0, 1, 2))))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        yield pieces, rng.choice((Ending.SENDS_NO_MORE,) * 6 + (Ending.RESETS, Ending.STAYS))


def _message(rng: random.Random) -> bytes:
    """A request, or something else."""
    if rng.randrange(12) == 0:
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)
        tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(64)
        proxy = b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n"
        return rng.choice(
            (preface, tls, proxy, rng.randbytes(200), b"\r\n\r\n", b"\n" * 50, b"GET /\r\n", b"\x00" * 999)
        )
    body = rng.choice((BODY, BODY, BODY, changed_bytes(rng, BODY), b"", b"{}", b"[" * 999, b'{"id":' + b"9" * 9000))
    line = b" ".join((rng.choice(METHODS), rng.choice(PATHS), rng.choice(VERSIONS)))
    if rng.randrange(4):
        line = b"POST %b HTTP/1.1" % INFER
    headers = [b"Host: h", *rng.choices(HEADERS, k=rng.choice((0, 0, 0, 0, 1, 1, 1, 2, 3)))]
    headers += [b"X: y"] * rng.choice((0,) * 19 + (150,))
    if rng.randrange(3) == 0:
        headers.append(b"Transfer-Encoding: chunked")
        body = _chunks(rng, body)
    else:
        headers.append(b"Content-Length: %d" % max(0, len(body) + rng.choice((0, 0, 0, 0, 1, -1, 10**6, 10**12))))
    end = b"\r\n" if rng.randrange(20) else b"\n"
    return end.join((line, *headers, b"", b"")) + body


def _chunks(rng: random.Random, body: bytes) -> bytes:
    """A body in chunks; some are broken."""
    cut = rng.randint(0, len(body))
    chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:cut], body[cut:]) if part]
    if rng.randrange(3) == 0:
        chunks.insert(rng.randint(0, len(chunks)), rng.choice(CHUNK_SIZES) + b"\r\nabcde\r\n")
    return b"".join(chunks) + rng.choice((b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\n", b""))
