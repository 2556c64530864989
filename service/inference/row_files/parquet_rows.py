"""Rows of a Parquet file: columns as in a CSV file, with types. A column of lists is an input, a tensor a row."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tightrope.monitors.records import Ints, Tensors
from tightrope.service.errors import quote
from tightrope.service.inference.row_files.columns import Columns, InputColumns, assign_columns
from tightrope.service.inference.row_files.row_file import LABEL_NAME, RowFile, RowFileError, joined
from tightrope.service.inference.row_files.row_schema import RowSchema
from tightrope.service.inference.row_files.value_casts import cast_values, require_shape
from tightrope.service.protocol.rest import Scalar
from tightrope.service.protocol.tensors import Tensor, TensorSpec, dtype_of

Arrow: TypeAlias = Any
"""A table or an array of pyarrow, which has no types."""

BATCH_ROWS = 4096
"""Rows that are read at a time where only the first ones are needed."""


def read_parquet(path: Path, schema: RowSchema, *, labelled: bool = True, most: int | None = None) -> RowFile:
    """Read the first ``most`` rows of a file, all without it; ``labelled`` reads the label.

    Raises:
        RowFileError: naming the column and the row, when it cannot be read or does not fit the model.
    """
    try:
        return _read(path, _load(path, most), schema, labelled=labelled)
    except UnicodeDecodeError as error:
        raise RowFileError(f"{path}: not a Parquet file: text that is not UTF-8") from error


def _read(path: Path, table: Arrow, schema: RowSchema, *, labelled: bool) -> RowFile:
    columns = {name: table.column(index).combine_chunks() for index, name in enumerate(table.column_names)}
    lists = [spec for spec in schema.inputs if spec.name in columns and _is_list(columns[spec.name])]
    other = [spec for spec in schema.inputs if spec not in lists]
    fed = {spec.name for spec in lists}
    plan = assign_columns(str(path), [name for name in table.column_names if name not in fed], other)
    inputs: dict[str, Tensor | Sequence[Tensor]] = {}
    for spec in schema.inputs:
        if spec in lists:
            inputs[spec.name] = _tensors(f"{path}: column {spec.name!r}", columns[spec.name], spec, schema)
        else:
            own = next(each for each in plan.inputs if each.spec == spec)
            inputs[spec.name] = _stacked_columns(path, columns, plan, own, schema)
    return RowFile(
        path=path,
        parts=list(_parts(inputs, table.num_rows)),
        labels=_labels(path, columns[LABEL_NAME]) if labelled and LABEL_NAME in columns else None,
        positions=range(table.num_rows),
        unit="row",
        parameters=_parameters(path, columns, plan, table.num_rows),
        columns=[] if lists else plan.flat_names,
    )


def _load(path: Path, most: int | None) -> Arrow:
    """Return the table of a file.

    Raises:
        RowFileError: also where the library is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, only for such files
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise RowFileError(f"{path}: a Parquet file needs more: pip install 'tightrope[data]'") from error
    try:
        with parquet.ParquetFile(path) as file:
            if most is None:
                return file.read()
            batches, rows = [], 0
            for batch in file.iter_batches(min(most, BATCH_ROWS)):
                batches.append(batch)
                rows += batch.num_rows
                if rows >= most:
                    break
            return pa.Table.from_batches(batches, file.schema_arrow).slice(0, most)
    except OSError as error:
        raise RowFileError(f"{path}: cannot be read: {error.strerror or _first_line(error)}") from error
    except pa.ArrowException as error:
        raise RowFileError(f"{path}: not a Parquet file: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _is_list(array: Arrow) -> bool:
    return hasattr(array, "flatten") and hasattr(array.type, "value_type") and not hasattr(array, "dictionary")


def _parts(inputs: Mapping[str, Tensor | Sequence[Tensor]], rows: int) -> Iterator[Tensors]:
    """Yield the rows of equal shapes; a sequence of tensors has one of any shape for each row."""
    whole = {name: tensor for name, tensor in inputs.items() if isinstance(tensor, np.ndarray)}
    if not rows or len(whole) == len(inputs):
        yield from [whole] if rows else []
        return
    rowwise = [
        {name: each[row : row + 1] if isinstance(each, np.ndarray) else each[row] for name, each in inputs.items()}
        for row in range(rows)
    ]
    yield from joined(rowwise)


def _stacked_columns(
    path: Path, columns: Mapping[str, Arrow], plan: Columns, own: InputColumns, schema: RowSchema
) -> Tensor:
    """Return an input of plain columns."""
    values = [
        _values(f"{path}: column {quote(plan.names[index])}", columns[plan.names[index]], own.spec, schema)
        for index in own.indices
    ]
    return np.stack(values, axis=1).reshape(-1, *own.sides) if len(values[0]) else np.empty(0)


def _values(where: str, array: Arrow, spec: TensorSpec, schema: RowSchema, row_axis: int | None = 0) -> Tensor:
    """Return the values of an array in the datatype of an input; integers may stand for floats, as in a CSV file."""
    if hasattr(array, "dictionary"):
        array = array.dictionary_decode()
    floats = dtype_of(spec.datatype).kind == "f"
    if array.null_count and not (floats and schema.allow_nan):
        row = int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))
        raise RowFileError(f"{where}: {'a value' if row_axis is None else f'row {row}:'} is missing")
    kind = str(array.type)
    if floats and (kind.startswith(("decimal", "int", "uint"))):
        array = array.cast("float64")
    values: Tensor = array.to_numpy(zero_copy_only=False)
    if kind in {"string", "large_string", "string_view"}:
        values = values.astype(str)
    elif values.dtype.kind not in "biuf":
        raise RowFileError(f"{where}: is {kind}, must be {spec.datatype}")
    return cast_values(where, values, spec, row_axis, allow_nan=schema.allow_nan) if len(values) else values


def _tensors(where: str, array: Arrow, spec: TensorSpec, schema: RowSchema) -> Tensor | Sequence[Tensor]:
    """Return the tensors of a column of lists: one if all rows have equal shapes, else one of a single row each."""
    try:
        if _shape(array) is not None:
            return _stacked(where, array, spec, schema)
        if split := _split(where, array, spec, schema):
            return split
    except RowFileError:  # found again with its row
        pass
    rows = []
    for row in range(len(array)):
        one = array.slice(row, 1)
        if _shape(one) is None:
            raise RowFileError(f"{where}: row {row}: is missing, or its lists have several lengths")
        rows.append(_stacked(f"{where}: row {row}", one, spec, schema))
    return rows


def _stacked(where: str, array: Arrow, spec: TensorSpec, schema: RowSchema) -> Tensor:
    """Return rows of equal shapes as one tensor."""
    shape, values = _shape(array), array
    while _is_list(values):
        values = values.flatten()
    found = _values(where, values, spec, schema, row_axis=None).reshape(shape)
    if len(array):
        require_shape(where, found, spec, 0)
    return found


def _split(where: str, array: Arrow, spec: TensorSpec, schema: RowSchema) -> Sequence[Tensor]:
    """Return the tensors of rows that differ in their only side, cast all at once; none if they have other sides."""
    if spec.shape[1:] != (-1,) or array.null_count or _is_list(array.flatten()):
        return []
    flat = _values(where, array.flatten(), spec, schema, row_axis=None)
    ends = np.cumsum(array.value_lengths().to_numpy())
    return [row[np.newaxis] for row in np.split(flat, ends[:-1])]


def _shape(array: Arrow) -> tuple[int, ...] | None:
    """Return the shape of an array of lists; None where their lengths differ, or one is missing."""
    if not _is_list(array):
        return (len(array),)
    lengths = np.unique(array.value_lengths().to_numpy(zero_copy_only=False))
    below = _shape(array.flatten())
    if array.null_count or len(lengths) > 1 or below is None:
        return None
    return (len(array), *map(int, lengths), *below[1:])


def _labels(path: Path, array: Arrow) -> Ints:
    where = f"{path}: column {LABEL_NAME!r}"
    values = array.to_numpy(zero_copy_only=False)
    if values.dtype.kind not in "iu" or (values < 0).any():
        raise RowFileError(f"{where}: must hold a class index 0, 1, … a row, as integers")
    return np.asarray(values, dtype=np.int64)


def _parameters(path: Path, columns: Mapping[str, Arrow], plan: Columns, rows: int) -> Sequence[Mapping[str, Scalar]]:
    """Return the parameters of each row; none where no column holds one. A missing one is not sent."""
    found: list[dict[str, Scalar]] = [{} for _ in range(rows)] if plan.parameters else []
    for index, parameter in plan.parameters.items():
        for row, value in enumerate(columns[plan.names[index]].to_pylist()):
            if value is None:
                continue
            if not isinstance(value, str | int | float | bool):
                name = quote(plan.names[index])
                raise RowFileError(f"{path}: column {name}: row {row}: must be a text, number or boolean")
            found[row][parameter] = value
    return found
