"""Columns and tensors of a record: they fit each other, and their values are within their bounds.

Later columns, which members of the first release skip, mostly have one value for all rows (a host class, no trace). It
then travels once: such a column has the shape (1,) in a record of more rows.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Bools, Ints, Tensors
from tightrope.service.adapters.wire.bounds import (
    MAX_RECORD_SAMPLE_ROWS,
    MAX_REQUEST_ID_CHARS,
    column_violation,
    names_violation,
)
from tightrope.service.adapters.wire.envelope import WireError, array, mapping

TEXT_COLUMNS = ("host_class", "shadow_host_class", "trace_id")


def shortened(record: Mapping[str, object], columns: Iterable[str]) -> dict[str, object]:
    """The fields of a record, with one entry in those of ``columns`` that have the same value in all rows.

    >>> shortened({"caller": np.zeros(3), "loss": np.full(2, np.nan)}, ["caller", "loss"])
    {'caller': array([0.]), 'loss': array([nan])}
    """
    short = dict(record)
    for name in columns:
        column: Any = record[name]
        if column.ndim == 1 and len(column) > 1:
            first = column[:1]
            if ((column == first) | ((column != column) & (first != first))).all():  # noqa: PLR0124 - NaN too
                short[name] = first
    return short


def extended(columns: Mapping[str, NDArray[Any]], names: Iterable[str], rows: int) -> dict[str, NDArray[Any]]:
    """The columns of a record of ``rows`` rows; those of ``names`` that have one entry get it in every row."""
    full = dict(columns)
    for name in names:
        if name in columns and rows > 1 and columns[name].shape == (1,):
            full[name] = np.repeat(columns[name], rows)
    return full


def check_values(columns: Mapping[str, NDArray[Any]]) -> None:
    """Check that the numbers and texts of columns are within their bounds."""
    if violation := column_violation(columns):
        raise WireError(violation)
    for name in TEXT_COLUMNS:
        if name in columns:
            texts = columns[name].tolist()
            if len("".join(texts)) > MAX_REQUEST_ID_CHARS and (violation := names_violation("request_id", texts)):
                raise WireError(f"{name}: {violation}")


def check_row_counts(rows: Ints, member: Bools, scopes: int) -> None:
    """Check that the rows of all samples add up to those of ``member``, which has one column a scope."""
    if member.ndim != 2 or member.shape[1] != scopes:  # noqa: PLR2004 - rows and scopes
        raise WireError(f"member: shape {member.shape} does not fit {scopes} scopes")
    counts: list[int] = rows.tolist()  # Python integers: the sum of an array could overflow
    if min(counts, default=0) < 0 or sum(counts) != len(member):
        raise WireError(
            f"rows: {sum(counts)} together, the least {min(counts, default=0)}, where {len(member)} should be"
        )
    if len(member) > MAX_RECORD_SAMPLE_ROWS:
        raise WireError(f"rows: {len(member)} together; there must be at most {MAX_RECORD_SAMPLE_ROWS}")


def read_tensors(body: object, side: str, rows: int) -> Tensors:
    """The tensors of one side, each with one row for each of ``rows``."""
    tensors = {name: array(value, f"{side}.{name}") for name, value in mapping(body, side).items()}
    for name, tensor in tensors.items():
        if tensor.shape[:1] != (rows,):
            raise WireError(f"{side}.{name}: shape {tensor.shape} where {rows} rows should be")
    return tensors
