"""What is asked: sixteen different requests of one model, as JSON or with binary tensors."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import orjson

from benchmarks.serving.models import Kind, Weights, rows
from benchmarks.serving.process import Request

BODIES = 16
NUMBER = "#" * 10
"""The load puts a number here, another one in each request."""

Make = Callable[[Kind, int], Sequence[Request]]


def batches(kind: Kind, size: int) -> list[Weights]:
    """Sixteen batches of that many rows."""
    found = list(rows(kind, BODIES * size))
    return [np.concatenate(found[n * size : (n + 1) * size]) for n in range(BODIES)]


def as_json(kind: Kind, size: int) -> list[Request]:
    """Open Inference Protocol, tensors as JSON."""
    return [
        Request(path(kind), _dumps({"inputs": [_tensor(kind, batch) | {"data": batch.ravel()}]}), JSON)
        for batch in batches(kind, size)
    ]


def as_binary(kind: Kind, size: int) -> list[Request]:
    """Open Inference Protocol, tensors as bytes behind the JSON, there and back."""
    found = []
    for batch in batches(kind, size):
        tensor = _tensor(kind, batch) | {"parameters": {"binary_data_size": batch.nbytes}}
        head = orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
        headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
        found.append(Request(path(kind), head + batch.tobytes(), headers))
    return found


def plain(kind: Kind, size: int) -> list[Request]:
    """JSON as those like it who have a protocol of their own."""
    return [Request("/", _dumps({"input": batch}), JSON) for batch in batches(kind, size)]


def numbered(kind: Kind, size: int) -> list[Request]:
    """JSON, each request with an id in its head that no other one has."""
    return [replace(one, headers={**one.headers, "X-Request-Id": NUMBER}) for one in as_json(kind, size)]


def at(place: str, make: Make) -> Make:
    """The same requests, elsewhere."""
    return lambda kind, size: [replace(request, path=place) for request in make(kind, size)]


JSON = {"Content-Type": "application/json"}


def path(kind: Kind) -> str:
    """Where the model is asked."""
    return f"/v2/models/{kind.name}/infer"


def _tensor(kind: Kind, batch: Weights) -> dict[str, object]:
    return {"name": "input", "datatype": "FP32", "shape": [len(batch), kind.features]}


def _dumps(told: dict[str, object]) -> bytes:
    """Numbers with the digits that a float32 has."""
    return orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)
