"""The file format of compared rows: a line of JSON that names the columns, then one record of fixed size a row.

A batch is one append, rows are found by arithmetic, and a row cut short by a crash is a remainder that is ignored.
Reading needs only numpy, and executes nothing. Files of the first version have no identity of rows (`row_inputs.py`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import prod
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Bools, Comparisons, Floats, Role, Tensors
from tightrope.service.adapters.archive.row_inputs import IDENTITY_FIELDS, RowKeeping, TensorTypes, tensor_types
from tightrope.service.adapters.ports import ComparedBatch
from tightrope.service.protocol.tensors import TensorSpec

ROW_FORMAT, FIRST_ROW_FORMAT = "tightrope.rows/2", "tightrope.rows/1"

MAX_COLUMNS = 128
"""Input columns that are kept: an image has 150,000, and a report about single pixels is useless."""

TEXT_BYTES = 64
"""Bytes of UTF-8 that are kept of a string: enough to distinguish categories."""

NOT_IN_THE_LINE = {"written": False}
"""Marks a field of a header that its first line does not have."""

ADDED_HEADER_FIELDS = {"inputs", "rates"}
"""Fields that the first version lacks."""

MAX_HEADER_BYTES = 1_000_000
"""Maximum size of the first line: thousands of subgroups fit, and a file without lines is not read as a whole."""

PER_ROLE_COLUMNS = ("prediction", "confidence", "entropy")
"""Columns that exist for each of the two models, such as ``confidence_baseline``."""

OUTCOME_COLUMNS = (
    "time",
    "served_by_baseline",
    "disagree",
    "fault",
    *(f"{name}_{role}" for name in PER_ROLE_COLUMNS for role in Role),
)
"""Columns of a row's outcome: event time in seconds since the epoch, flags as 0 and 1, `Fault` codes, figures.
``disagree`` is the loss, which is a flag where decisions are equal or differ.
"""

Records: TypeAlias = NDArray[Any]
"""A structured array of shape (rows,) with the dtype of a `FileHeader`."""


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """How inputs become flat columns. ``parts`` has (name, kept columns, is text) for each input, ``left_out`` is the
    number of columns that are not kept.
    """

    parts: tuple[tuple[str, int, bool], ...]
    left_out: int

    @classmethod
    def from_specs(cls, specs: Sequence[TensorSpec], most: int = MAX_COLUMNS) -> Self:
        """The first ``most`` columns. An input with a free dimension besides the rows has no columns."""
        widths = [prod(spec.shape[1:]) if min(spec.shape[1:], default=1) > 0 else 0 for spec in specs]
        starts = np.cumsum([0, *widths])[:-1]
        kept = [min(width, max(most - int(start), 0)) for width, start in zip(widths, starts, strict=True)]
        parts = tuple((s.name, count, s.datatype == "BYTES") for s, count in zip(specs, kept, strict=True) if count)
        free = sum(not width for width in widths)
        return cls(parts, int(sum(widths)) - sum(kept) + free)

    def names(self, *, text: bool) -> tuple[str, ...]:
        """The names of the text or the numeric columns: input and index."""
        return tuple(f"{name}_{i}" for name, count, is_text in self.parts if is_text is text for i in range(count))

    def numbers(self, inputs: Sequence[Tensors], rows: int) -> Floats:
        """The numeric inputs of several samples, concatenated; shape (rows, columns)."""
        flat = [self._flat(inputs, name, count).astype(np.float64) for name, count, text in self.parts if not text]
        return np.concatenate(flat, axis=1) if flat else np.empty((rows, 0))

    def texts(self, inputs: Sequence[Tensors], rows: int) -> NDArray[np.bytes_]:
        """The text inputs of several samples as UTF-8, cut to `TEXT_BYTES`; shape (rows, columns)."""
        flat = [self._flat(inputs, name, count) for name, count, text in self.parts if text]
        cut = [[str(value).encode(errors="replace")[:TEXT_BYTES] for value in part.flat] for part in flat]
        columns = [np.array(c, dtype=f"S{TEXT_BYTES}").reshape(part.shape) for c, part in zip(cut, flat, strict=True)]
        return np.concatenate(columns, axis=1) if columns else np.empty((rows, 0), dtype=f"S{TEXT_BYTES}")

    def _flat(self, inputs: Sequence[Tensors], name: str, count: int) -> NDArray[Any]:
        """The first columns of one input; shape (rows, count)."""
        parts = [tensors[name] for tensors in inputs]
        if parts[0].size > count * len(parts[0]):  # do not copy every pixel of an image
            parts = [part.reshape(len(part), -1)[:, :count] for part in parts]
        whole = np.concatenate(parts)
        return whole.reshape(len(whole), -1)


@dataclass(frozen=True, slots=True)
class FileHeader:
    """Artefacts, numeric and text columns, and subgroups of one file; the field names are its JSON keys. ``inputs``
    are the names and types of the whole inputs, and ``rates`` the shares of requests that were kept, of the model and
    of each subgroup; a file of the first version (``has_identity`` false) has neither.
    """

    baseline: str
    compressed: str
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    scopes: tuple[str, ...]
    left_out: int
    inputs: TensorTypes = ()
    rates: tuple[float, ...] = ()
    has_identity: bool = field(default=True, metadata=NOT_IN_THE_LINE)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of one record."""
        return np.dtype(
            [(name, "<f8") for name in OUTCOME_COLUMNS]
            + [
                ("numbers", "<f8", (len(self.numbers),)),
                ("texts", f"S{TEXT_BYTES}", (len(self.texts),)),
                ("member", "?", (len(self.scopes),)),
                *(IDENTITY_FIELDS if self.has_identity else ()),
            ]
        )

    def line(self) -> bytes:
        """The first line of a file."""
        written = {each.name: getattr(self, each.name) for each in fields(self) if each.metadata != NOT_IN_THE_LINE}
        return json.dumps({"format": ROW_FORMAT, **written}).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        """The header of a first line, of this version or of the first one.

        Raises:
            ValueError: when it is not a complete header.
        """
        document = json.loads(line)
        form = document.pop("format", None) if isinstance(document, dict) and line.endswith(b"\n") else None
        if form not in (ROW_FORMAT, FIRST_ROW_FORMAT):
            raise ValueError("not a file of compared rows")
        names = {each.name for each in fields(cls) if each.metadata != NOT_IN_THE_LINE}
        if set(document) != names - (set() if form == ROW_FORMAT else ADDED_HEADER_FIELDS):
            raise ValueError("other fields than a header has")
        return cls(**{name: _fixed(value) for name, value in document.items()}, has_identity=form == ROW_FORMAT)


def _fixed(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """A value with tuples in place of lists, so that headers can be compared."""
    return tuple(map(_fixed, value)) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class PackedRows:
    """Rows for one file: its header, a record for each row, (n,), and the bytes of their whole inputs in order."""

    header: FileHeader
    records: Records
    contents: bytes = b""

    def __len__(self) -> int:
        return len(self.records)

    def take(self, rows: slice) -> Self:
        """Consecutive rows, whose inputs begin at 0 again."""
        records = self.records[rows].copy()
        whole = records["size"] >= 0
        first = int(records["begin"][whole][0]) if whole.any() else 0
        end = first + int(records["size"][whole].sum())
        records["begin"][whole] -= first
        return replace(self, records=records, contents=self.contents[first:end])


def pack_rows(layout: ColumnLayout, batch: ComparedBatch, keeping: RowKeeping) -> PackedRows:
    """The header, the records and the whole inputs of a batch."""
    rows = batch.comparisons
    header = FileHeader(
        rows.baseline_digest,
        rows.compressed_digest,
        layout.names(text=False),
        layout.names(text=True),
        rows.scopes,
        layout.left_out,
        tensor_types(batch.inputs[0]) if batch.inputs else (),
        keeping.rates(rows.scopes),
    )
    records = np.zeros(len(rows), header.dtype)
    for name in OUTCOME_COLUMNS:
        if hasattr(rows, name):
            records[name] = getattr(rows, name)
    records["disagree"] = _losses(rows)
    for role, decisions in batch.decisions.items():
        records[f"prediction_{role}"] = decisions
    records["numbers"] = layout.numbers(batch.inputs, len(rows))
    records["texts"] = layout.texts(batch.inputs, len(rows))
    records["member"] = rows.member
    keeping.identify(records, rows)
    contents = keeping.add_inputs(records, batch.inputs, header.inputs) if batch.inputs else b""
    return PackedRows(header, records, contents)


def _losses(rows: Comparisons) -> Floats:
    """The loss of each row, (rows,): 0 or 1 where decisions are equal or differ; NaN where a kind does not speak."""
    return rows.loss if np.isfinite(rows.loss).any() else rows.disagree.astype(np.float64)


def load_rows(path: Path) -> tuple[FileHeader, Records]:
    """The complete rows of a file. Rows that a power cut left as zeros have no time, and are dropped.

    Raises:
        OSError: when the file cannot be read.
        ValueError: when it is not a file of compared rows.
    """
    with path.open("rb") as file:
        header = FileHeader.read(file.readline(MAX_HEADER_BYTES))
        data = file.read()
    records = np.frombuffer(data[: len(data) // header.dtype.itemsize * header.dtype.itemsize], header.dtype)
    return header, records[records["time"] != 0]


@dataclass(frozen=True, slots=True)
class RowTable:
    """Rows as columns, each of shape (rows,): ``inputs`` are float64 or str, ``outcomes`` have the names of
    `OUTCOME_COLUMNS`, ``member`` is boolean, one column a subgroup. ``artefacts`` holds the digests of the latest rows'
    two files, ``left_out`` the number of input columns that were not kept.
    """

    inputs: Mapping[str, NDArray[Any]]
    outcomes: Mapping[str, Floats]
    member: Mapping[str, Bools]
    artefacts: tuple[str, str] = ("", "")
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.outcomes["time"])

    def take(self, rows: slice | Bools) -> Self:
        """The table of some of the rows, in order."""
        return replace(
            self,
            inputs={name: column[rows] for name, column in self.inputs.items()},
            outcomes={name: column[rows] for name, column in self.outcomes.items()},
            member={name: column[rows] for name, column in self.member.items()},
        )

    def rename(self, names: Mapping[str, str]) -> Self:
        """The table with other names for some input columns."""
        return replace(self, inputs={names.get(name, name): column for name, column in self.inputs.items()})

    @classmethod
    def from_records(cls, header: FileHeader, records: Records) -> Self:
        """The table of one file."""
        texts = np.char.decode(records["texts"], "utf-8", "replace") if header.texts else records["texts"].astype(str)
        return cls(
            inputs={name: records["numbers"][:, i] for i, name in enumerate(header.numbers)}
            | {name: texts[:, i] for i, name in enumerate(header.texts)},
            outcomes={name: records[name] for name in OUTCOME_COLUMNS},
            member={name: records["member"][:, i] for i, name in enumerate(header.scopes)},
            artefacts=(header.baseline, header.compressed),
            left_out=header.left_out,
        )

    @classmethod
    def concatenate(cls, tables: Sequence[Self]) -> Self:
        """Tables one below the other. A column that a table lacks is NaN, empty or False there."""
        if not tables:
            return cls({}, {name: np.empty(0) for name in OUTCOME_COLUMNS}, {})
        sizes = [len(table) for table in tables]
        return cls(
            _stack([table.inputs for table in tables], sizes),
            _stack([table.outcomes for table in tables], sizes),
            _stack([table.member for table in tables], sizes),
            tables[-1].artefacts,
            tables[-1].left_out,
        )


_MISSING: dict[str, Any] = {"f": np.nan, "U": "", "b": False}
"""The value of a missing column, by the kind of its dtype."""


def _stack(sides: Sequence[Mapping[str, NDArray[Any]]], sizes: Sequence[int]) -> dict[str, Any]:
    kinds = {name: column.dtype.kind for side in sides for name, column in side.items()}
    return {
        name: np.concatenate(
            [
                side[name] if name in side and side[name].dtype.kind == kind else np.full(size, _MISSING[kind])
                for side, size in zip(sides, sizes, strict=True)
            ]
        )
        for name, kind in kinds.items()
    }
