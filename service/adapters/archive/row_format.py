"""Compared rows as they lie on disk: a line of JSON that names the columns, then one record of a fixed size a row.

So a batch is one append, whole rows are found by arithmetic, and what a crash left half written is the remainder.
Nothing but numpy is needed, and nothing that is read is ever executed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import prod
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Bools, Floats, Role, Tensors
from tightrope.service.adapters.ports import Compared
from tightrope.service.protocol.tensors import TensorSpec

FORMAT = "tightrope.rows/1"

MOST_COLUMNS = 128
"""Input columns that are kept: an image has 150,000, and nobody reads a report about a pixel."""

TEXT_BYTES = 64
"""Bytes of UTF-8 that are kept of a string: enough to tell categories apart."""

MOST_HEADER_BYTES = 1_000_000
"""Of a first line: thousands of subgroups fit, and a file that has no lines is not read whole to find out."""

PAIRED = ("prediction", "confidence", "entropy")
"""What is known of a row for each of the two models; the column is called e.g. ``confidence_baseline``."""

OUTCOMES = ("time", "served_by_baseline", "disagree", "fault", *(f"{name}_{role}" for name in PAIRED for role in Role))
"""What became of a row: event time in seconds since the epoch, flags as 0 and 1, `Fault` codes, figures."""

Records: TypeAlias = NDArray[Any]
"""(n,) structured, with the dtype of a `Header`."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How inputs become flat columns: for each input its name, how many columns are kept, and whether it is text."""

    parts: tuple[tuple[str, int, bool], ...]
    left_out: int

    @classmethod
    def of(cls, specs: Sequence[TensorSpec], most: int = MOST_COLUMNS) -> Self:
        """The first ``most`` columns; inputs with a free dimension beside the row have none that could be named."""
        widths = [prod(spec.shape[1:]) if min(spec.shape[1:], default=1) > 0 else 0 for spec in specs]
        starts = np.cumsum([0, *widths])[:-1]
        kept = [min(width, max(most - int(start), 0)) for width, start in zip(widths, starts, strict=True)]
        parts = tuple((s.name, count, s.datatype == "BYTES") for s, count in zip(specs, kept, strict=True) if count)
        free = sum(not width for width in widths)
        return cls(parts, int(sum(widths)) - sum(kept) + free)

    def names(self, *, text: bool) -> tuple[str, ...]:
        """The columns' names, input and index: those of strings, or those of numbers."""
        return tuple(f"{name}_{i}" for name, count, is_text in self.parts if is_text is text for i in range(count))

    def numbers(self, inputs: Sequence[Tensors], rows: int) -> Floats:
        """(rows, columns): the numeric inputs of several samples, flat, one below the other."""
        flat = [self._flat(inputs, name, count).astype(np.float64) for name, count, text in self.parts if not text]
        return np.concatenate(flat, axis=1) if flat else np.empty((rows, 0))

    def texts(self, inputs: Sequence[Tensors], rows: int) -> NDArray[np.bytes_]:
        """(rows, columns): the strings, each as UTF-8 and cut to `TEXT_BYTES`."""
        flat = [self._flat(inputs, name, count) for name, count, text in self.parts if text]
        cut = [[str(value).encode(errors="replace")[:TEXT_BYTES] for value in part.flat] for part in flat]
        made = [np.array(c, dtype=f"S{TEXT_BYTES}").reshape(part.shape) for c, part in zip(cut, flat, strict=True)]
        return np.concatenate(made, axis=1) if made else np.empty((rows, 0), dtype=f"S{TEXT_BYTES}")

    def _flat(self, inputs: Sequence[Tensors], name: str, count: int) -> NDArray[Any]:
        """(rows, count): one input's first columns."""
        parts = [tensors[name] for tensors in inputs]
        if parts[0].size > count * len(parts[0]):  # never an image's every pixel a second time in memory
            parts = [part.reshape(len(part), -1)[:, :count] for part in parts]
        whole = np.concatenate(parts)
        return whole.reshape(len(whole), -1)


@dataclass(frozen=True, slots=True)
class Header:
    """What the records of one file are: artefacts, columns of numbers and of strings, subgroups."""

    baseline: str
    compressed: str
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    scopes: tuple[str, ...]
    left_out: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of one record."""
        return np.dtype(
            [(name, "<f8") for name in OUTCOMES]
            + [
                ("numbers", "<f8", (len(self.numbers),)),
                ("texts", f"S{TEXT_BYTES}", (len(self.texts),)),
                ("member", "?", (len(self.scopes),)),
            ]
        )

    def line(self) -> bytes:
        """The first line of a file."""
        return json.dumps({"format": FORMAT, **asdict(self)}).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        """The header that a file begins with.

        Raises:
            ValueError: when it is none, or a torn one.
        """
        told = json.loads(line)
        if not line.endswith(b"\n") or not isinstance(told, dict) or told.pop("format", None) != FORMAT:
            raise ValueError("not a file of compared rows")
        if set(told) != {field.name for field in fields(cls)}:
            raise ValueError("other fields than a header has")
        fixed: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in told.items()}
        return cls(**fixed)


def pack(layout: Layout, batch: Compared) -> tuple[Header, Records]:
    """A batch as it is written."""
    of = batch.comparisons
    header = Header(
        of.baseline_digest,
        of.compressed_digest,
        layout.names(text=False),
        layout.names(text=True),
        of.scopes,
        layout.left_out,
    )
    records = np.zeros(len(of), header.dtype)
    for name in OUTCOMES:
        if hasattr(of, name):
            records[name] = getattr(of, name)
    for role, decided in batch.decided.items():
        records[f"prediction_{role}"] = decided
    records["numbers"] = layout.numbers(batch.inputs, len(of))
    records["texts"] = layout.texts(batch.inputs, len(of))
    records["member"] = of.member
    return header, records


def load(path: Path) -> tuple[Header, Records]:
    """The whole rows of a file; rows that a power cut left as zeros have no time and are none.

    Raises:
        OSError: when it cannot be read.
        ValueError: when it is no file of compared rows.
    """
    with path.open("rb") as file:
        header = Header.read(file.readline(MOST_HEADER_BYTES))
        data = file.read()
    records = np.frombuffer(data[: len(data) // header.dtype.itemsize * header.dtype.itemsize], header.dtype)
    return header, records[records["time"] != 0]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as columns, each of length n: ``inputs`` float64 or str, ``outcomes`` by the names of `OUTCOMES`, ``member``
    for every subgroup. ``artefacts`` holds the digests of the latest rows' two files, ``left_out`` the number of input
    columns that were not kept.
    """

    inputs: Mapping[str, NDArray[Any]]
    outcomes: Mapping[str, Floats]
    member: Mapping[str, Bools]
    artefacts: tuple[str, str] = ("", "")
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.outcomes["time"])

    def take(self, rows: slice | Bools) -> Self:
        """Some of the rows, in order."""
        return replace(
            self,
            inputs={name: column[rows] for name, column in self.inputs.items()},
            outcomes={name: column[rows] for name, column in self.outcomes.items()},
            member={name: column[rows] for name, column in self.member.items()},
        )

    def rename(self, names: Mapping[str, str]) -> Self:
        """The same with other names for some input columns."""
        return replace(self, inputs={names.get(name, name): column for name, column in self.inputs.items()})

    @classmethod
    def of(cls, header: Header, records: Records) -> Self:
        """What was read from one file."""
        texts = np.char.decode(records["texts"], "utf-8", "replace") if header.texts else records["texts"].astype(str)
        return cls(
            inputs={name: records["numbers"][:, i] for i, name in enumerate(header.numbers)}
            | {name: texts[:, i] for i, name in enumerate(header.texts)},
            outcomes={name: records[name] for name in OUTCOMES},
            member={name: records["member"][:, i] for i, name in enumerate(header.scopes)},
            artefacts=(header.baseline, header.compressed),
            left_out=header.left_out,
        )

    @classmethod
    def join(cls, tables: Sequence[Self]) -> Self:
        """One below the other. A column that some of them do not have is NaN, empty or False there."""
        if not tables:
            return cls({}, {name: np.empty(0) for name in OUTCOMES}, {})
        sizes = [len(table) for table in tables]
        return cls(
            _stacked([table.inputs for table in tables], sizes),
            _stacked([table.outcomes for table in tables], sizes),
            _stacked([table.member for table in tables], sizes),
            tables[-1].artefacts,
            tables[-1].left_out,
        )


_NOTHING: dict[str, Any] = {"f": np.nan, "U": "", "b": False}
"""What stands where a file has no such column, by the kind of the column."""


def _stacked(sides: Sequence[Mapping[str, NDArray[Any]]], sizes: Sequence[int]) -> dict[str, Any]:
    kinds = {name: column.dtype.kind for side in sides for name, column in side.items()}
    return {
        name: np.concatenate(
            [
                side[name] if name in side and side[name].dtype.kind == kind else np.full(size, _NOTHING[kind])
                for side, size in zip(sides, sizes, strict=True)
            ]
        )
        for name, kind in kinds.items()
    }
