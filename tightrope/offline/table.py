"""Rows from a CSV file, as one model takes them: a header, the input's columns in their order, and what is known apart.

The column `label` holds the true class, as its index; columns that start with `tag_` are for people and are passed
over. Every other column belongs to the model's input.
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

LABEL = "label"
TAG = "tag_"


class TableError(TightropeError):
    """The file cannot be used; the one line says which, where and why."""


@dataclass(frozen=True, slots=True)
class Table:
    """n rows: ``inputs`` (n, f) as the model takes them, ``labels`` (n,) if the file has them, ``lines`` (n,) where
    each row stands in the file.
    """

    path: Path
    inputs: Tensor
    labels: Ints | None
    lines: Ints


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a file's columns stand."""

    names: tuple[str, ...]
    inputs: tuple[int, ...]
    label: int | None


def read(path: Path, spec: TensorSpec, *, at_least: int = 1) -> Table:
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


def _table(path: Path, reader: "_csv.Reader", spec: TensorSpec) -> Table:
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
    known = None if columns.label is None else np.array(labels, dtype=np.int64)
    return Table(path, np.array(inputs), known, np.array(lines, dtype=np.int64))


def _columns(path: Path, header: Sequence[str], spec: TensorSpec) -> _Columns:
    names = tuple(name.strip() for name in header)
    if not any(names) or _numbers(names, "FP64") is not None:
        raise TableError(f"{path}: has no header row that names the columns")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TableError(f"{path}: line 1: column {quote(twice)} stands there twice")
    inputs = tuple(i for i, name in enumerate(names) if name != LABEL and not name.startswith(TAG))
    width = spec.shape[1]
    if not inputs or (width >= 0 and len(inputs) != width):
        takes = width if width >= 0 else "one or more"
        raise TableError(
            f"{path}: line 1: has {len(inputs)} input columns; the model takes {takes} "
            f"({spec.name} {spec.datatype}{list(spec.shape)}), and {LABEL!r} and {TAG}* beside them"
        )
    return _Columns(names, inputs, names.index(LABEL) if LABEL in names else None)


def _inputs(where: str, fields: Sequence[str], columns: _Columns, spec: TensorSpec) -> Tensor:
    """One row (f,) in the input's dtype; the whole row at once, and only a bad one field by field."""
    texts = [fields[i] for i in columns.inputs]
    row = _numbers(texts, spec.datatype)
    if row is not None:
        return row
    at = next(i for i, text in enumerate(texts) if _numbers([text], spec.datatype) is None)
    name = columns.names[columns.inputs[at]]
    raise TableError(f"{where}: column {quote(name)}: {quote(texts[at])} is not a number that {spec.datatype} can hold")


def _numbers(texts: Sequence[str], datatype: str) -> Tensor | None:
    """Finite numbers of a datatype, (len(texts),), or None where a text is not one."""
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
        raise TableError(f"{where}: column {LABEL!r}: {quote(text)} is not a class index 0, 1, …")
    return int(label[0])
