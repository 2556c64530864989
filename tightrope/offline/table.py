"""Rows of a CSV file for one model input.

The file has a header. The column `label` holds the index of the true class; columns that start with `tag_` are ignored;
every other column belongs to the input, in order.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tightrope.monitors.records import Ints
from tightrope.service.errors import TightropeError, quote
from tightrope.service.protocol.tensors import Tensor, TensorSpec, dtype_of

if TYPE_CHECKING:
    import _csv  # only type stubs name what csv.reader returns

CSV_LABEL_COLUMN = "label"
CSV_TAG_PREFIX = "tag_"


class TableError(TightropeError):
    """The file cannot be used; the message, one line, names the file, the place and the reason."""


@dataclass(frozen=True, slots=True)
class CsvTable:
    """n rows: ``inputs`` (n, f) in the dtype of the input, ``labels`` (n,) if the file has them, ``lines`` (n,) the
    line numbers in the file.
    """

    path: Path
    inputs: Tensor
    labels: Ints | None
    lines: Ints


@dataclass(frozen=True, slots=True)
class _Columns:
    """A file's column names, the indices of its input columns, and the index of the label if there is one."""

    names: tuple[str, ...]
    inputs: tuple[int, ...]
    label: int | None


def read_csv(path: Path, spec: TensorSpec, *, at_least: int = 1) -> CsvTable:
    """Read a file for the input ``spec``, which must be numeric and two-dimensional, (rows, f).

    Raises:
        TableError: when it cannot be read, a line does not fit, or there are fewer than ``at_least`` rows.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = _table(path, csv.reader(file), spec)
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: not a CSV file in UTF-8: {error}") from error
    if len(table.lines) < at_least:
        raise TableError(f"{path}: has too few rows: {len(table.lines)}, and at least {at_least} are needed")
    return table


def _table(path: Path, reader: "_csv.Reader", spec: TensorSpec) -> CsvTable:
    columns = _columns(path, next(reader, []), spec)
    lines, inputs, labels = [], [], []
    for fields in reader:
        if not fields:  # a blank line
            continue
        where = f"{path}: line {reader.line_num}"
        if len(fields) != len(columns.names):
            raise TableError(f"{where}: has {len(fields)} fields; the header has {len(columns.names)}")
        lines.append(reader.line_num)
        inputs.append(_inputs(where, fields, columns, spec))
        if columns.label is not None:
            labels.append(_label(where, fields[columns.label]))
    true_labels = None if columns.label is None else np.array(labels, dtype=np.int64)
    return CsvTable(path, np.array(inputs), true_labels, np.array(lines, dtype=np.int64))


def _columns(path: Path, header: Sequence[str], spec: TensorSpec) -> _Columns:
    names = tuple(name.strip() for name in header)
    if not any(names) or _numbers(names, "FP64") is not None:
        raise TableError(f"{path}: has no header row that names the columns")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TableError(f"{path}: line 1: column {quote(twice)} appears twice")
    inputs = tuple(
        i for i, name in enumerate(names) if name != CSV_LABEL_COLUMN and not name.startswith(CSV_TAG_PREFIX)
    )
    width = spec.shape[1]
    if not inputs or (width >= 0 and len(inputs) != width):
        takes = width if width >= 0 else "one or more"
        raise TableError(
            f"{path}: line 1: has {len(inputs)} input columns; the model takes {takes} "
            f"({spec.name} {spec.datatype}{list(spec.shape)}), and {CSV_LABEL_COLUMN!r} and "
            f"{CSV_TAG_PREFIX}* beside them"
        )
    return _Columns(names, inputs, names.index(CSV_LABEL_COLUMN) if CSV_LABEL_COLUMN in names else None)


def _inputs(where: str, fields: Sequence[str], columns: _Columns, spec: TensorSpec) -> Tensor:
    """Return one row, (f,), in the input's dtype; only a bad row is converted field by field, to find the bad field."""
    texts = [fields[i] for i in columns.inputs]
    row = _numbers(texts, spec.datatype)
    if row is not None:
        return row
    bad = next(i for i, text in enumerate(texts) if _numbers([text], spec.datatype) is None)
    name = columns.names[columns.inputs[bad]]
    raise TableError(
        f"{where}: column {quote(name)}: {quote(texts[bad])} is not a number that {spec.datatype} can hold"
    )


def _numbers(texts: Sequence[str], datatype: str) -> Tensor | None:
    """Convert texts to finite numbers of a datatype, (len(texts),); None if one is not such a number."""
    dtype = dtype_of(datatype)
    try:
        if dtype.kind in "iu":
            return np.array([int(text) for text in texts], dtype)
        with np.errstate(over="ignore"):
            row = np.array([float(text) for text in texts]).astype(dtype)
    except (ValueError, OverflowError):
        return None
    return row if np.isfinite(row).all() else None


def _label(where: str, text: str) -> int:
    label = _numbers([text], "INT64")
    if label is None or label[0] < 0:
        raise TableError(f"{where}: column {CSV_LABEL_COLUMN!r}: {quote(text)} is not a class index 0, 1, …")
    return int(label[0])
