"""The requests of the load: sixteen different ones for a model, as JSON or with binary tensors."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import orjson

from benchmarks.serving.models import ModelKind, Weights, rows
from benchmarks.serving.process import Request

BODIES = 16
NUMBER = "#" * 10
"""Placeholder that the load replaces by another number in each request."""

RequestMaker = Callable[[ModelKind, int], Sequence[Request]]
"""Builds the requests for a model, each with a number of rows."""


def batches(kind: ModelKind, size: int) -> list[Weights]:
    """Sixteen batches of ``size`` rows."""
    drawn = list(rows(kind, BODIES * size))
    return [np.concatenate(drawn[n * size : (n + 1) * size]) for n in range(BODIES)]


def as_json(kind: ModelKind, size: int) -> list[Request]:
    """Requests of the Open Inference Protocol with tensors as JSON."""
    return [
        Request(path(kind), _dumps({"inputs": [_tensor(kind, batch) | {"data": batch.ravel()}]}), JSON)
        for batch in batches(kind, size)
    ]


def as_binary(kind: ModelKind, size: int) -> list[Request]:
    """Requests of the Open Inference Protocol with binary input and output tensors."""
    requests = []
    for batch in batches(kind, size):
        tensor = _tensor(kind, batch) | {"parameters": {"binary_data_size": batch.nbytes}}
        head = orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
        headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
        requests.append(Request(path(kind), head + batch.tobytes(), headers))
    return requests


def plain_json(kind: ModelKind, size: int) -> list[Request]:
    """Requests for servers with a JSON protocol of their own: `{"input": rows}`."""
    return [Request("/", _dumps({"input": batch}), JSON) for batch in batches(kind, size)]


def numbered_json(kind: ModelKind, size: int) -> list[Request]:
    """Requests as JSON, each with a different `X-Request-Id` header."""
    return [replace(one, headers={**one.headers, "X-Request-Id": NUMBER}) for one in as_json(kind, size)]


def with_path(path_: str, make: RequestMaker) -> RequestMaker:
    """A maker of the same requests with another path."""
    return lambda kind, size: [replace(request, path=path_) for request in make(kind, size)]


JSON = {"Content-Type": "application/json"}


def path(kind: ModelKind) -> str:
    """The model's inference path."""
    return f"/v2/models/{kind.name}/infer"


def _tensor(kind: ModelKind, batch: Weights) -> dict[str, object]:
    return {"name": "input", "datatype": "FP32", "shape": [len(batch), kind.features]}


def _dumps(document: dict[str, object]) -> bytes:
    """Encode as JSON; float32 arrays are written with as many digits as they need."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
