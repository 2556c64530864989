"""Rows as the columns of an entry: a column with the same value in all rows, to the bit, stands there once.

The ids of the rows may stand in a column of their own: numbers, where ids are dropped, or digests.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import ROW_ARRAYS, Comparisons, Hashes
from tightrope.service.adapters.journal.id_digests import digest_names
from tightrope.service.adapters.wire.envelope import WireError, array, little_endian, mapping, record_fields
from tightrope.service.adapters.wire.record_codec import read_comparisons

IdColumn: TypeAlias = Hashes | NDArray[np.uint8]
"""The column that stands for the ids of rows: numbers (n,), or digests (n, 16)."""

_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
"""Types of whole numbers by their bytes: bits are compared, because NaN is no equal of itself, and 0 is one of -0."""


def row_columns(rows: Comparisons, ids: IdColumn | None) -> tuple[dict[str, object], list[NDArray[Any]]]:
    """The fields of rows, and the arrays that those with the number of their ``bytes`` stand for, in their order.
    ``ids`` take the place of those of the rows.
    """
    arrays: list[NDArray[Any]] = []
    fields: dict[str, Any] = {} if ids is None else {"request_id": _described(ids, arrays)}
    fields |= {name: value for name, value in record_fields(rows).items() if name not in fields}
    for name in ROW_ARRAYS:
        column: NDArray[Any] = fields[name]
        if column.ndim == 1 and len(column) > 1 and _has_one_value(column):
            column = column[:1]
        fields[name] = column if column.dtype == object else _described(column, arrays)
    return fields, arrays


def rows_of_columns(body: object, data: bytes) -> Comparisons:
    """The rows that have these fields, and these bytes of arrays.

    Raises:
        WireError: when they do not fit.
    """
    values, start = dict(mapping(body, "columns")), 0
    for name, value in values.items():
        if isinstance(value, dict) and "bytes" in value:
            end = start + int(value["bytes"])
            values[name] = {"dtype": value["dtype"], "shape": value["shape"], "data": data[start:end]}
            start = end
    if isinstance(values.get("request_id"), dict):
        values["request_id"] = id_names(values["request_id"])
    return read_comparisons(values, ROW_ARRAYS)


def _described(column: NDArray[Any], arrays: list[NDArray[Any]]) -> dict[str, object]:
    """The description of an array, which is added to ``arrays`` as it is written."""
    little = little_endian(column)
    arrays.append(little)
    return {"dtype": little.dtype.str, "shape": little.shape, "bytes": little.nbytes}


def id_names(column: object) -> list[str]:
    """The texts that stand for the ids in a column of numbers or digests.

    Raises:
        WireError: when it is another array.
    """
    kind = column.get("dtype") if isinstance(column, Mapping) else None
    ids = array(column, "ids", "<u8" if kind == "<u8" else "|u1")
    if kind == "<u8" and ids.ndim == 1:
        return list(map(number_name, ids.tolist()))
    if ids.shape[1:] != (16,):
        raise WireError(f"ids: shape {ids.shape} where 16 bytes a row should be")
    return digest_names(ids)


def number_name(number: int) -> str:
    """The text that stands for an id that was dropped.

    >>> number_name(255)
    '00000000000000ff'
    """
    return f"{number:016x}"


def _has_one_value(column: NDArray[Any]) -> bool:
    """Whether all entries of a column are the same."""
    if column.strides == (0,):
        return True
    if column.dtype == object:
        return _has_one_text(column)
    bits = column.view(_BITS[column.itemsize])
    return bool(bits[0] == bits[-1] and (bits == bits[0]).all())


def _has_one_text(column: NDArray[np.object_]) -> bool:
    """Whether all texts are equal. A text that many rows share is one object, so those are compared that follow another
    object.
    """
    objects = np.frombuffer(column.tobytes(), np.intp)
    others = np.flatnonzero(objects[1:] != objects[:-1]) + 1
    return all(text == column[0] for text in column[others])
