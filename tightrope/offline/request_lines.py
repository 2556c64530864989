"""Requests of the protocol as JSON, one a line: exactly what callers send, with `label` among the parameters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from tightrope.monitors.records import Ints, Tensors
from tightrope.offline.table import TableError
from tightrope.service.errors import CallerError, quote
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.rest import Scalar, decode_request
from tightrope.service.protocol.tensors import Shape, require_finite

LABEL_PARAMETER = "label"


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A request, its number of rows, and its line in the file; ``parameters`` are without the label."""

    line: int
    rows: int
    inputs: Tensors
    parameters: Mapping[str, Scalar]
    label: Scalar | None


def read(path: Path, pair: ModelPair) -> list[RequestLine]:
    """Read every request of a file for a model, as its callers send it; blank lines are skipped.

    Raises:
        TableError: naming the line, when the file cannot be read or a request does not fit the model.
    """
    try:
        with path.open("rb") as file:
            numbered = [(number, body) for number, body in enumerate(file, start=1) if body.strip()]
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror}") from error
    return [_request(f"{path}: line {number}", number, body, pair) for number, body in numbered]


def _request(where: str, line: int, body: bytes, pair: ModelPair) -> RequestLine:
    try:
        request = decode_request(body, None, pair.declared_inputs, pair.outputs)
        if not pair.allow_nan:
            require_finite(request.inputs)
    except CallerError as error:
        raise TableError(f"{where}: {error}") from error
    request = pair.rows_first(request)
    rows = {len(tensor) for tensor in request.inputs.values()}
    if len(rows) > 1:
        raise TableError(f"{where}: the inputs have {', '.join(map(str, sorted(rows)))} rows; all need as many")
    parameters = {**request.parameters}
    label = parameters.pop(LABEL_PARAMETER, None)
    return RequestLine(line, rows.pop(), request.inputs, parameters, label)


def labels(path: Path, requests: Sequence[RequestLine]) -> Ints | None:
    """Return the true class of every row, None where no request has one.

    Raises:
        TableError: naming the line, when a label is missing, is no class index, or its request has several rows.
    """
    if all(request.label is None for request in requests):
        return None
    for request in requests:
        where = f"{path}: line {request.line}: parameters.{LABEL_PARAMETER}"
        if type(request.label) is not int or request.label < 0:
            shown = "is missing" if request.label is None else f"is {quote(request.label)}"
            raise TableError(f"{where}: {shown}; it must be a class index 0, 1, …, as in the other requests")
        if request.rows > 1:
            raise TableError(f"{where}: is one class, and the request has {request.rows} rows; write a request a row")
    return np.array([request.label for request in requests], dtype=np.int64)


def joined(parts: Sequence[Tensors]) -> list[Tensors]:
    """Join neighbours of equal shapes beside the rows."""
    return [_join(list(group)) for _, group in groupby(parts, key=lambda inputs: list(_shapes(inputs)))]


def _join(group: Sequence[Tensors]) -> Tensors:
    return {name: np.concatenate([inputs[name] for inputs in group]) for name in group[0]}


def _shapes(inputs: Tensors) -> Iterator[tuple[str, Shape]]:
    yield from sorted((name, tensor.shape[1:]) for name, tensor in inputs.items())
