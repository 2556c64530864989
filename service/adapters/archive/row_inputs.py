"""The identity and the whole inputs of kept rows, so that models can run on them again.

How it works. A record has a fixed size, and inputs have none. So the inputs of a row are bytes in a second file beside
the records, written before them; the record says where they begin, how many they are, and their checksum. A row that
is longer than the configuration allows has none there: it is marked as cut, and is not run again.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, groupby
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.intake.sampling import Sampler
from tightrope.monitors.records import MODEL_SCOPE, Comparisons, Tensors
from tightrope.monitors.veto.drawing import row_numbers

NO_WHOLE_INPUTS = -1
"""The size of the inputs of a row that was cut."""

NO_LABEL = -1
"""The label of a row whose true class is not known."""

REQUEST_CHARS = 32
"""Hexadecimal digits of the keyed digest of a request id."""

IDENTITY_FIELDS: tuple[tuple[str, str], ...] = (
    ("request", f"S{REQUEST_CHARS}"),
    ("row", "<i4"),
    ("draw", "<f8"),
    ("label", "<i8"),
    ("label_probability", "<f8"),
    ("begin", "<i8"),
    ("size", "<i8"),
    ("checksum", "<u4"),
)
"""Fields of a record that the first version lacks: the keyed digest of the request id, the number of the row in its
request, the draw that kept it, its true class with the probability of its draw, and the bytes of its inputs.
"""

TensorTypes: TypeAlias = tuple[tuple[str, str], ...]
"""The inputs of a model in order: name and datatype, as numpy writes it; `text` for strings."""

TEXT_TYPE = "text"
MAX_DIMENSIONS = 32


@dataclass(frozen=True, slots=True)
class RowKeeping:
    """How the rows of one model are kept: at most ``row_bytes`` bytes of inputs a row, with the keyed digest of the
    request id by ``digest``, and the rates at which ``sampler`` keeps the requests of each scope.
    """

    row_bytes: int
    digest: Callable[[str], str]
    sampler: Sampler

    def rates(self, scopes: Sequence[str]) -> tuple[float, ...]:
        """The rate of the model, then of each scope."""
        return tuple(self.sampler.scope_rate(scope) for scope in (MODEL_SCOPE, *scopes))

    def identify(self, records: NDArray[Any], rows: Comparisons) -> None:
        """Write the identity of the rows into their records, (n,); without inputs, and without a label."""
        digests = {name: self.digest(name) for name in set(rows.request_id)}
        records["request"] = [digests[name] for name in rows.request_id]
        records["row"] = row_numbers(rows)
        records["draw"] = rows.draw
        records["label"] = NO_LABEL
        records["size"] = NO_WHOLE_INPUTS

    def add_inputs(self, records: NDArray[Any], inputs: Sequence[Tensors], types: TensorTypes) -> bytes:
        """The bytes of the inputs of all rows that are not too long; each record is told where they begin."""
        contents = [content for part in _joined(inputs) for content in encode_rows(part, types)]
        sizes = np.array([len(content) for content in contents], dtype=np.int64)
        whole = sizes <= self.row_bytes
        records["size"] = np.where(whole, sizes, NO_WHOLE_INPUTS)
        records["begin"] = np.where(whole, np.cumsum(sizes * whole) - sizes, 0)
        records["checksum"] = [zlib.crc32(content) for content in contents]
        return b"".join(compress(contents, whole))


def _joined(parts: Sequence[Tensors]) -> Iterator[Tensors]:
    """Join neighbours of equal shapes beside the rows: one row at a time takes four times as long."""
    for _, group in groupby(parts, key=lambda part: [tensor.shape[1:] for tensor in part.values()]):
        same = list(group)
        yield {name: np.concatenate([part[name] for part in same]) for name in same[0]} if len(same) > 1 else same[0]


def tensor_types(inputs: Tensors) -> TensorTypes:
    """The names and types of some inputs, in their order."""
    return tuple((name, TEXT_TYPE if tensor.dtype.kind in "OSU" else _type(tensor)) for name, tensor in inputs.items())


def _type(tensor: NDArray[Any]) -> str:
    return tensor.dtype.newbyteorder("<").str


def encode_rows(inputs: Tensors, types: TensorTypes) -> Iterator[bytes]:
    """The bytes of each row: for each input its shape beside the rows, then its values, little-endian; a text has its
    length in front.
    """
    columns = [_encode(inputs[name], kind) for name, kind in types]
    return map(b"".join, zip(*columns, strict=True))


def _encode(tensor: NDArray[Any], kind: str) -> list[bytes]:
    shape = tensor.shape[1:]
    head = struct.pack(f"<B{len(shape)}I", len(shape), *shape)
    if kind == TEXT_TYPE:
        return [head + b"".join(map(_text, np.asarray(row).ravel().tolist())) for row in tensor]
    width = prod(shape) * tensor.dtype.itemsize
    content = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<")).tobytes()
    return [head + content[begin : begin + width] for begin in range(0, width * len(tensor), width or 1)] or [
        head
    ] * len(tensor)


def _text(value: object) -> bytes:
    content = value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")
    return struct.pack("<I", len(content)) + content


def decode_row(content: bytes, types: TensorTypes) -> Mapping[str, NDArray[Any]]:
    """The inputs of one row, each of shape (1, …).

    Raises:
        ValueError: when the bytes are not those of such a row.
    """
    found: dict[str, NDArray[Any]] = {}
    position = 0
    try:
        for name, kind in types:
            (dimensions,) = struct.unpack_from("<B", content, position)
            shape = struct.unpack_from(f"<{min(dimensions, MAX_DIMENSIONS)}I", content, position + 1)
            position += 1 + struct.calcsize(f"<{len(shape)}I")
            if kind == TEXT_TYPE:
                texts, position = _read_texts(content, position, prod(shape))
                found[name] = np.array([*texts, None], dtype=object)[:-1].reshape(1, *shape)
            else:
                found[name] = np.frombuffer(content, kind, prod(shape), position).reshape(1, *shape)
                position += found[name].nbytes
    except (struct.error, TypeError) as error:
        raise ValueError(f"not the inputs of a row: {error}") from error
    if position != len(content):
        raise ValueError(f"not the inputs of a row: {len(content) - position} bytes are left")
    return found


def _read_texts(content: bytes, position: int, count: int) -> tuple[list[str], int]:
    texts = []
    for _ in range(count):
        (size,) = struct.unpack_from("<I", content, position)
        begin, position = position + 4, position + 4 + size
        texts.append(content[begin:position].decode(errors="surrogatepass"))
    return texts, position
