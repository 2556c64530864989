"""Requests over HTTP that a fuzzer sends: documents of every route, and bodies of binary tensors."""

import gzip
import json
import random
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tests.support.fuzz.mutations import NUMBERS, TEXTS, any_value, change, changed_bytes, mutated_json
from tests.support.serving.model_pairs import TENSORS
from tests.support.serving.service_harness import AUTH, LENGTH, body
from tightrope.service.protocol.tensors import encode_binary, encode_json

WHY = {"reason": "a fuzzer asks for it", "actor": "tests"}
ECHOES = ("BOOL", "UINT8", "INT64", "FP32", "FP64", "FP16", "BYTES")
"""Datatypes with a model that returns its input, echo_DATATYPE."""
EVENT = {
    "specversion": "1.0",
    "id": "e1",
    "type": "org.kubeflow.serving.inference.request",
    "source": "/fuzz",
    "time": "2026-11-21T10:00:00Z",
    "data": body([[0.0, 1.0]]),
}
DOCUMENTS: list[tuple[str, Any]] = [
    *[
        (f"/v2/models/{name}/infer", body([[9.0, 1.0], [2.0, -1.0]], id="r"))
        for name in ("plain", "escalate", "abstain")
    ],
    (
        "/v2/models/plain/versions/1/infer",
        body(
            [[0.0, 1.0]],
            id="r",
            parameters={"region": "north", "binary_data_output": False, "content_type": None},
            outputs=[{"name": "probabilities", "parameters": {"binary_data": False}}],
        ),
    ),
    ("/v1/models/plain/labels", {"id": "r", "label": 1, "row": 0}),
    ("/v1/models/plain/labels", {"labels": [{"id": "r", "label": 0}, {"id": "s", "label": 1, "row": 2}]}),
    ("/v1/models/modes/force-safe", {"scope": "region=north", **WHY}),
    ("/v1/models/modes/release", {"scope": "model", **WHY}),
    ("/v1/models/modes/rollback", WHY),
    ("/v1/models/plain/payloads", EVENT),
    ("/v1/models/plain/payloads", [EVENT, {**EVENT, "type": "org.kubeflow.serving.inference.response"}]),
]
DEPLOY = ("/v1/models/modes/deploy", {"path": "gone.onnx", "role": "compressed", **WHY})
DEPLOYS = 0.005
"""Share of deployments: each one that can be read is tried in a process of its own."""
BOMBS = tuple(gzip.compress(bytes(size), 1) for size in (10, 1 << 19, 17 << 20))
PAGES = (
    "/v1/events", "/v1/models", "/v1/models/plain", "/v1/models/plain/verdicts", "/v1/models/plain/groups",
    "/v1/models/plain/reports",
    "/v1/models/plain/reports/newest", "/v2", "/v2/health/ready", "/v2/models/plain", "/metrics", "/docs",
    "/openapi.json",
)  # fmt: skip
CONTENT_TYPES = (
    "application/json", "application/octet-stream", "application/cloudevents+json", "text/plain; charset=utf-16", "",
    "application/cloudevents-batch+json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
)  # fmt: skip


class HttpRequest(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def json_requests(rng: random.Random, number: int) -> Iterator[HttpRequest]:
    """Mutated documents of every route that takes one, and pages with mutated queries."""
    for _ in range(number):
        if rng.randrange(8) == 0:
            yield _page(rng)
            continue
        path, document = DEPLOY if rng.random() < DEPLOYS else rng.choice(DOCUMENTS)
        kind = (
            CONTENT_TYPES[0] if not path.endswith("payloads") else CONTENT_TYPES[2 if isinstance(document, dict) else 5]
        )
        headers = {"Content-Type": kind if rng.randrange(6) else rng.choice(CONTENT_TYPES)}
        headers |= AUTH if rng.randrange(12) else {}
        yield _packed(rng, HttpRequest("POST", path, headers, mutated_json(rng, document)))


def _page(rng: random.Random) -> HttpRequest:
    keys = ("after", "limit", "model", "scope", "x", "newest", "before")
    query = "&".join(f"{rng.choice(keys)}={_quoted(rng)}" for _ in range(rng.randrange(3)))
    path = rng.choice(PAGES)
    if rng.randrange(3) == 0:
        path = path.replace("plain", _quoted(rng)).replace("newest", _quoted(rng))
    accept = rng.choice(("", "*/*", "text/html", "application/openmetrics-text;version=1.0.0", "text/plain;q=x", ","))
    return HttpRequest(rng.choice(("GET", "GET", "HEAD", "DELETE")), f"{path}?{query}", {"Accept": accept}, b"")


def _quoted(rng: random.Random) -> str:
    data = rng.choice((str(rng.choice(NUMBERS)).encode(), rng.choice(TEXTS).encode(errors="replace"), rng.randbytes(3)))
    return "".join(f"%{byte:02x}" for byte in data)


def _packed(rng: random.Random, request: HttpRequest) -> HttpRequest:
    """The request, now and then compressed, or said to be."""
    way = rng.randrange(40)
    if way == 0:
        packed = gzip.compress(request.body, 1), "gzip"
    elif way == 1:
        packed = gzip.compress(request.body[:9], 1) + gzip.compress(request.body[9:], 1), "gzip"
    elif way == 2:
        packed = changed_bytes(rng, zlib.compress(request.body)), "deflate"
    elif way == 3:
        packed = rng.choice(BOMBS), "x-gzip"
    elif way == 4:
        packed = request.body, rng.choice(("gzip", "br", "gzip, gzip", "identity", "\u00e9"))
    else:
        return request
    return request._replace(body=packed[0], headers={**request.headers, "Content-Encoding": packed[1]})


def binary_requests(rng: random.Random, number: int) -> Iterator[HttpRequest]:
    """Bodies with binary tensors whose shapes, sizes, bytes and lengths do not agree."""
    for _ in range(number):
        datatype = rng.choice(ECHOES)
        tensor = np.repeat(TENSORS.get(datatype, TENSORS["FP32"]), rng.choice((1, 1, 2, 50)), axis=0)
        data = encode_binary(tensor)
        entry: dict[str, Any] = {"name": "value", "shape": list(tensor.shape), "datatype": datatype}
        if rng.randrange(4) or datatype == "FP16":
            entry["parameters"] = {"binary_data_size": len(data)}
        else:
            entry["data"], data = encode_json(tensor), b""
        document: dict[str, Any] = {"inputs": [entry], "parameters": {"binary_data_output": bool(rng.randrange(2))}}
        if rng.randrange(3) == 0:
            document["outputs"] = [{"name": "echo", "parameters": {"binary_data": bool(rng.randrange(2))}}]
        for _ in range(rng.randrange(3)):
            change(rng, document)
        text = json.dumps(document).encode()
        tail = changed_bytes(rng, data) if rng.randrange(5) == 0 else data
        others = (0, len(text) - 1, len(text) + len(tail), any_value(rng))
        length = str(rng.choice(others) if rng.randrange(6) == 0 else len(text))
        headers = {LENGTH: length[:40].encode("ascii", "replace").decode().replace("\n", "")}
        path = f"/v2/models/echo_{datatype if rng.randrange(9) else 'FP32'}/infer"
        sent = (text if rng.randrange(9) else b"") + tail
        yield _packed(rng, HttpRequest("POST", path, headers, sent))
