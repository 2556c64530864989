"""Compressed bodies of requests (RFC 9110, "Content Codings"), inflated in bounded memory and time.

A gzip body may have several members, as proxies and parallel compressors write them; what follows the last one is
refused. `deflate` is zlib's format, or the bare stream that old clients send under this name.
"""

import zlib
from collections.abc import Mapping

from tightrope.service.errors import CallerError, TooLargeError, UnsupportedEncodingError

ENCODING_HEADER = b"content-encoding"
IDENTITY = "identity"
GZIP_NAMES = frozenset({"gzip", "x-gzip"})
DEFLATE = "deflate"

GZIP_BITS, ZLIB_OR_GZIP_BITS, BARE_BITS = 31, 47, -15
"""zlib's `wbits` for the formats."""
GZIP_MAGIC = b"\x1f\x8b"
ZLIB_METHOD_MASK, ZLIB_METHOD, ZLIB_CHECK = 0x0F, 8, 31
"""The first two bytes of gzip; the method in the first byte of zlib, and the divisor of its first two (RFC 1950)."""

MAX_MEMBERS = 1000
"""Members of a gzip body: each costs time and memory, however few bytes it inflates to."""
MAX_RATIO = 200
"""Bytes that one compressed byte may inflate to, where no ratio is configured."""
FREE_BYTES = 1024 * 1024
"""Bytes that any body may inflate to, at any ratio."""
PIECE_BYTES = 64 * 1024
"""Bytes that are inflated at a time: zlib copies what follows a member."""


def inflate(body: bytes, headers: Mapping[bytes, bytes], max_bytes: int, max_ratio: int = MAX_RATIO) -> bytes:
    """The body without its content encoding; of at most ``max_bytes`` bytes, and ``max_ratio`` times those it has.

    Raises:
        CallerError: when the body is not of its encoding, or too large, or the encoding is unknown.
    """
    encoding = headers.get(ENCODING_HEADER, b"").decode("latin-1").strip().lower() or IDENTITY
    if encoding == IDENTITY:
        return body
    if encoding not in {*GZIP_NAMES, DEFLATE}:
        raise UnsupportedEncodingError(f"content-encoding {encoding[:40]!r}; gzip, deflate and identity are understood")
    bits = GZIP_BITS if encoding in GZIP_NAMES else ZLIB_OR_GZIP_BITS if _has_header(body) else BARE_BITS
    by_ratio = max(max_ratio * len(body), FREE_BYTES)
    text = f"the body inflates to more than {max_bytes} bytes, which is the most that is taken (server.max_body_bytes)"
    if by_ratio < max_bytes:
        text = f"the body inflates to more than {max_ratio} times its bytes (server.limits.inflation_ratio)"
    try:
        return _inflate_members(body, bits, encoding, min(max_bytes, by_ratio), text)
    except zlib.error as error:
        raise CallerError(f"the body is not {encoding}: {error}") from error


def _has_header(body: bytes) -> bool:
    """Whether the body begins as zlib's or gzip's format does."""
    is_zlib = body[:1] and body[0] & ZLIB_METHOD_MASK == ZLIB_METHOD and int.from_bytes(body[:2]) % ZLIB_CHECK == 0
    return bool(is_zlib) or body.startswith(GZIP_MAGIC)


def _inflate_members(body: bytes, bits: int, encoding: str, max_bytes: int, refusal: str) -> bytes:
    """Inflate one member after another, in small pieces of the body."""
    view, start, room = memoryview(body), 0, max_bytes
    pieces: list[bytes] = []
    for _ in range(MAX_MEMBERS):
        inflater = zlib.decompressobj(bits)
        while not inflater.eof:
            chunk = view[start : start + PIECE_BYTES]
            if not chunk:
                raise CallerError(f"the body is not {encoding}: it ends too early")
            piece = inflater.decompress(chunk, room + 1)
            if len(piece) > room:
                raise TooLargeError(refusal)
            pieces.append(piece)
            room -= len(piece)
            start += len(chunk) - len(inflater.unused_data)
        if start == len(body):
            return b"".join(pieces)
        if bits != GZIP_BITS or not body.startswith(GZIP_MAGIC, start):
            raise CallerError(f"the body has {len(body) - start} bytes after the end of its {encoding}")
    raise CallerError(f"the body is not {encoding} of at most {MAX_MEMBERS} members")
