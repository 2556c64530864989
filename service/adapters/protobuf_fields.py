"""The fields of a protobuf message, read without its schema's library.

Source: Protocol Buffers, "Encoding".
"""

from collections.abc import Iterator
from mmap import mmap

VARINT, FIXED_64, LENGTH_DELIMITED, FIXED_32 = 0, 1, 2, 5
FIXED_BYTES = {FIXED_64: 8, FIXED_32: 4}
MAX_VARINT_BITS = 70


def read_fields(content: bytes | mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields of a message: number, start and end of its bytes; of an integer its value, and -1."""
    while start < end:
        key, start = _varint(content, start, end)
        number, wire_type = key >> 3, key & 7
        if not number:
            raise ValueError(f"no field at byte {start}")
        if wire_type == VARINT:
            value, start = _varint(content, start, end)
            yield number, value, -1
        elif wire_type == LENGTH_DELIMITED:
            size, start = _varint(content, start, end)
            if size > end - start:
                raise ValueError(f"a field at byte {start} runs past its message")
            yield number, start, start + size
            start += size
        elif wire_type in FIXED_BYTES and FIXED_BYTES[wire_type] <= end - start:
            start += FIXED_BYTES[wire_type]
        else:
            raise ValueError(f"no field at byte {start}")


def read_varints(content: bytes | mmap, start: int, end: int) -> Iterator[int]:
    """The integers of a packed field."""
    while start < end:
        value, start = _varint(content, start, end)
        yield value


def _varint(content: bytes | mmap, start: int, end: int) -> tuple[int, int]:
    """The integer that begins at ``start``, and where it ends."""
    value = 0
    for shift, at in zip(range(0, MAX_VARINT_BITS, 7), range(start, end), strict=False):
        value |= (content[at] & 0x7F) << shift
        if content[at] <= 0x7F:  # noqa: PLR2004 - the eighth bit says that another byte follows
            return value, at + 1
    raise ValueError(f"no integer at byte {start}")
