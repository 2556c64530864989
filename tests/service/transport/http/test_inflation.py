"""Compressed bodies: every form that clients and proxies write, in bounded memory and time."""

import gzip
import re
import time
import tracemalloc
import zlib
from itertools import count

import pytest

from tightrope.service.errors import CallerError, TooLargeError, UnsupportedEncodingError
from tightrope.service.transport.http.inflation import ENCODING_HEADER, MAX_MEMBERS, PIECE_BYTES, inflate

TEXT = b'{"inputs": []}'
LIMIT = 1 << 20


def bare(data: bytes) -> bytes:
    """A deflate stream without zlib's head and checksum, as old clients send it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("identity", TEXT),
        ("", TEXT),
        ("gzip", gzip.compress(TEXT)),
        (" GZip ", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:5]) + gzip.compress(TEXT[5:])),
        ("gzip", gzip.compress(b"") * 3 + gzip.compress(TEXT) + gzip.compress(b"")),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT, level=1)),
        ("deflate", gzip.compress(TEXT)),
        ("deflate", bare(TEXT)),
    ],
    ids=count(),
)
def test_body_is_inflated(encoding: str, body: bytes) -> None:
    """Members of gzip are joined; deflate may lack its head."""
    assert inflate(body, {ENCODING_HEADER: encoding.encode()}, LIMIT) == TEXT


def test_body_without_the_header_stays() -> None:
    """As it came."""
    assert inflate(TEXT, {}, 1) is TEXT


@pytest.mark.parametrize("size", [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_members_end_anywhere(size: int) -> None:
    """At, before and after the end of a piece that is inflated at once."""
    stored = gzip.compress(bytes(size), compresslevel=0) + gzip.compress(TEXT) * 2
    assert inflate(stored, {ENCODING_HEADER: b"gzip"}, LIMIT) == bytes(size) + TEXT * 2


@pytest.mark.parametrize(
    ("encoding", "body", "error", "text"),
    [
        ("gzip", gzip.compress(TEXT) + b"junk", CallerError, "the body has 4 bytes after the end of its gzip"),
        ("gzip", gzip.compress(TEXT) + bytes(8), CallerError, "the body has 8 bytes after the end of its gzip"),
        ("gzip", gzip.compress(TEXT) + b"\x1f", CallerError, "the body has 1 bytes after the end of its gzip"),
        ("deflate", zlib.compress(TEXT) * 2, CallerError, f"has {len(zlib.compress(TEXT))} bytes after the end of its"),
        ("deflate", bare(TEXT) + b"x", CallerError, "the body has 1 bytes after the end of its deflate"),
        ("gzip", gzip.compress(TEXT) + gzip.compress(TEXT)[:-1], CallerError, "ends too early"),
        ("gzip", b"", CallerError, "ends too early"),
        ("deflate", b"", CallerError, "ends too early"),
        ("gzip", zlib.compress(TEXT), CallerError, "the body is not gzip"),
        ("gzip", gzip.compress(TEXT) + gzip.compress(bytes(LIMIT)), TooLargeError, f"more than {LIMIT} bytes"),
        ("gzip, gzip", gzip.compress(TEXT), UnsupportedEncodingError, "content-encoding 'gzip, gzip'"),
    ],
    ids=count(),
)
def test_body_that_is_not_its_encoding_is_refused(
    encoding: str, body: bytes, error: type[CallerError], text: str
) -> None:
    """With the reason; nothing after the end is ignored."""
    with pytest.raises(error, match=re.escape(text)):
        inflate(body, {ENCODING_HEADER: encoding.encode()}, LIMIT)


def test_limit_counts_all_members() -> None:
    """Exactly the limit is taken, one byte more is not."""
    half = gzip.compress(bytes(LIMIT // 2))
    assert len(inflate(half * 2, {ENCODING_HEADER: b"gzip"}, LIMIT)) == LIMIT
    with pytest.raises(TooLargeError):
        inflate(half * 2 + gzip.compress(b"x"), {ENCODING_HEADER: b"gzip"}, LIMIT)


def test_body_of_many_members_costs_no_more_than_one() -> None:
    """Empty members in 16 MB are refused at a bounded number, in the time of a plain body of that size or less."""
    size = 16 << 20
    plain = gzip.compress(bytes(range(256)) * (size // 256), compresslevel=0)
    many = gzip.compress(b"") * (size // len(gzip.compress(b"")))
    began = time.process_time()
    inflate(plain, {ENCODING_HEADER: b"gzip"}, 2 * size)
    cost = time.process_time() - began
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(CallerError, match=f"at most {MAX_MEMBERS} members"):
        inflate(many, {ENCODING_HEADER: b"gzip"}, LIMIT)
    assert time.process_time() - began < cost + 0.5
    assert tracemalloc.get_traced_memory()[1] < 4 * PIECE_BYTES
    tracemalloc.stop()
