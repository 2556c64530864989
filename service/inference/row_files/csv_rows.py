"""Rows of a CSV file, with a header of the columns as `columns` has them. A blank parameter is one that is not sent."""

import csv
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tightrope.service.errors import quote
from tightrope.service.inference.row_files.columns import Columns, InputColumns, assign_columns
from tightrope.service.inference.row_files.row_file import LABEL_NAME, RowFile, RowFileError
from tightrope.service.inference.row_files.row_schema import RowSchema
from tightrope.service.inference.subgroup_codes import MAX_EXACT_INTEGER
from tightrope.service.protocol.tensors import Tensor, dtype_of

if TYPE_CHECKING:
    import _csv  # only type stubs name what csv.reader returns

BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
"""The texts of a boolean column, in lower case."""

MISSING = "nan"
"""The text of a number that is missing; a blank field is one too."""


def read_csv(path: Path, schema: RowSchema, *, labelled: bool = True, most: int | None = None) -> RowFile:
    """Read the first ``most`` rows of a file, all without it; ``labelled`` reads the label, which is ignored otherwise.

    Raises:
        RowFileError: when it cannot be read, or a line does not fit.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _read(path, csv.reader(file), schema, labelled=labelled, most=most)
    except OSError as error:
        raise RowFileError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise RowFileError(f"{path}: not a CSV file in UTF-8: {error}") from error


def _read(path: Path, reader: "_csv.Reader", schema: RowSchema, *, labelled: bool, most: int | None) -> RowFile:
    header = [name.strip() for name in next(reader, [])]
    if not any(header) or _values(header, "FP64") is not None:
        raise RowFileError(f"{path}: has no header row that names the columns")
    columns = assign_columns(f"{path}: line 1", header, schema.inputs)
    rows: list[Sequence[Tensor]] = []
    lines, labels, parameters = [], [], []
    for fields in islice(filter(None, reader), most):  # a blank line has no fields
        where = f"{path}: line {reader.line_num}"
        if len(fields) != len(columns.names):
            raise RowFileError(f"{where}: has {len(fields)} fields; the header has {len(columns.names)}")
        lines.append(reader.line_num)
        rows.append([_row(where, fields, columns, own, allow_nan=schema.allow_nan) for own in columns.inputs])
        if labelled and columns.label is not None:
            labels.append(_label(where, fields[columns.label]))
        parameters.append({name: fields[i] for i, name in columns.parameters.items() if fields[i]})
    inputs = {
        own.spec.name: np.array([row[index] for row in rows]).reshape(len(rows), *own.sides)
        for index, own in enumerate(columns.inputs)
    }
    return RowFile(
        path=path,
        parts=[inputs] if rows else [],
        labels=np.array(labels, dtype=np.int64) if labelled and columns.label is not None else None,
        positions=lines,
        parameters=parameters if columns.parameters else [],
        columns=columns.flat_names,
    )


def _row(where: str, fields: Sequence[str], columns: Columns, own: InputColumns, *, allow_nan: bool) -> Tensor:
    """Return one row of an input, flat, in its dtype; only a bad row is converted field by field, to find the bad
    field.
    """
    texts, datatype = [fields[i] for i in own.indices], own.spec.datatype
    row = _values(texts, datatype, allow_nan=allow_nan)
    if row is not None:
        return row
    bad = next(i for i, text in enumerate(texts) if _values([text], datatype, allow_nan=allow_nan) is None)
    name, needed = columns.names[own.indices[bad]], "true or false" if datatype == "BOOL" else "a number"
    raise RowFileError(f"{where}: column {quote(name)}: {quote(texts[bad])} is not {needed} that {datatype} can hold")


def _values(texts: Sequence[str], datatype: str, *, allow_nan: bool = False) -> Tensor | None:
    """Convert texts to values of a datatype, (len(texts),); None if one is not such a value, or not finite."""
    dtype = dtype_of(datatype)
    if datatype == "BYTES":
        return np.array(texts, dtype)
    try:
        if datatype == "BOOL":
            return np.array([BOOLEANS[text.strip().lower()] for text in texts])
        if dtype.kind in "iu":
            return np.array([_integer(text) for text in texts], dtype)
        wide = np.array([float((text.strip() or MISSING) if allow_nan else text) for text in texts])
        with np.errstate(over="ignore"):
            row = wide.astype(dtype)
    except (ValueError, OverflowError, KeyError):
        return None
    return row if (np.isfinite(row) | (~np.isfinite(wide) if allow_nan else False)).all() else None


def _integer(text: str) -> int:
    """Convert a text to an integer. Programs that hold a column as floats write 39.0.

    Raises:
        ValueError: when it is no integer.
    """
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if number.is_integer() and abs(number) <= MAX_EXACT_INTEGER:
            return int(number)
        raise


def _label(where: str, text: str) -> int:
    if not text.strip().isdecimal() or _values([text], "INT64") is None:
        raise RowFileError(f"{where}: column {LABEL_NAME!r}: {quote(text)} is not a class index 0, 1, …")
    return int(text)
