"""Requests of the protocol as JSON, one a line: exactly what callers send, with `label` among the parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tightrope.monitors.records import Ints, Tensors
from tightrope.service.errors import CallerError, quote
from tightrope.service.inference.row_files.row_file import LABEL_NAME, RowFile, RowFileError, joined, row_count
from tightrope.service.inference.row_files.row_schema import RowSchema
from tightrope.service.protocol.rest import Scalar, decode_request
from tightrope.service.protocol.tensors import require_finite


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A request, its number of rows, and its line in the file; ``parameters`` are without the label."""

    line: int
    rows: int
    inputs: Tensors
    parameters: Mapping[str, Scalar]
    label: Scalar | None


def read_lines(path: Path, schema: RowSchema, *, labelled: bool = True, most: int | None = None) -> RowFile:
    """Read requests until there are ``most`` rows, all without it; ``labelled`` reads the labels. Blank lines are
    skipped.

    Raises:
        RowFileError: naming the line, when the file cannot be read or a request does not fit the model.
    """
    requests: list[RequestLine] = []
    rows = 0
    try:
        with path.open("rb") as file:
            for number, body in enumerate(file, start=1):
                if most is not None and rows >= most:
                    break
                if body.strip():
                    requests.append(_request(f"{path}: line {number}", number, body, schema))
                    rows += requests[-1].rows
    except OSError as error:
        raise RowFileError(f"{path}: cannot be read: {error.strerror}") from error
    repeated = [request for request in requests for _ in range(request.rows)]
    return RowFile(
        path=path,
        parts=joined([request.inputs for request in requests]),
        labels=_labels(path, requests) if labelled else None,
        positions=[request.line for request in repeated],
        parameters=[request.parameters for request in repeated],
    )


def _request(where: str, line: int, body: bytes, schema: RowSchema) -> RequestLine:
    try:
        request = decode_request(body, None, schema.declared, schema.outputs)
        if not schema.allow_nan:
            require_finite(request.inputs)
        inputs = schema.layout.rows_first(request.inputs) if schema.layout else request.inputs
    except CallerError as error:
        raise RowFileError(f"{where}: {error}") from error
    rows = {len(tensor) for tensor in inputs.values()}
    if len(rows) > 1:
        raise RowFileError(f"{where}: the inputs have {', '.join(map(str, sorted(rows)))} rows; all need as many")
    parameters = {**request.parameters}
    label = parameters.pop(LABEL_NAME, None)
    return RequestLine(line, row_count(inputs), inputs, parameters, label)


def _labels(path: Path, requests: Sequence[RequestLine]) -> Ints | None:
    """Return the true class of every row, None where no request has one.

    Raises:
        RowFileError: naming the line, when a label is missing, is no class index, or its request has several rows.
    """
    if all(request.label is None for request in requests):
        return None
    for request in requests:
        where = f"{path}: line {request.line}: parameters.{LABEL_NAME}"
        if type(request.label) is not int or request.label < 0:
            shown = "is missing" if request.label is None else f"is {quote(request.label)}"
            raise RowFileError(f"{where}: {shown}; it must be a class index 0, 1, …, as in the other requests")
        if request.rows > 1:
            raise RowFileError(f"{where}: is one class, and the request has {request.rows} rows; write a request a row")
    return np.array([request.label for request in requests], dtype=np.int64)
