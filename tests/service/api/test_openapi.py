"""The OpenAPI document names every route that exists, and every path that it names answers."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry

from tests.support.serving.model_pairs import sure_and_unsure
from tests.support.serving.service_harness import AUTH, body, settings_of
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.app import build_service, load_pairs
from tightrope.service.inference.autotune import Pace
from tightrope.service.transport.http.asgi import InferLayer

NAMES = defaultdict(lambda: "nope", model="plain", version="1")
ORDER = {"scope": "band=high", "reason": "a test asks for it", "actor": "tests"}


@pytest.fixture(scope="module")
def document(server: Any) -> dict[str, Any]:  # noqa: ANN401 - tests.support.servers.Server
    """What a running server says of itself."""
    told: dict[str, Any] = server.client.get("/openapi.json").json()
    return told


def test_every_route_is_named(tmp_path: Path, document: dict[str, Any]) -> None:
    """FastAPI's own, and the inference endpoints that it cannot see; none besides."""
    settings = settings_of(tmp_path, {"m": sure_and_unsure(tmp_path)})
    nothing: Any = None  # no route is called
    metrics = Metrics(CollectorRegistry())
    pairs, bus = load_pairs(settings), MemoryBus()
    service = build_service(settings, pairs, {"m": Pace()}, bus, nothing, nothing, nothing, metrics)
    assert isinstance(service.app, InferLayer)
    routes = {
        (method.lower(), route.path)
        for route in api_routes(asyncio.run(service.app.rest()))
        if route.include_in_schema
        for method in route.methods or ()
    }
    infer = {("post", "/v2/models/{model}/infer"), ("post", "/v2/models/{model}/versions/{version}/infer")}
    named = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert named == routes | infer
    assert {("get", "/v2"), ("get", "/metrics"), ("post", "/v1/models/{model}/release")} < routes


OWN_BODY = ("/labels", "/deploy", "/rollback", "/payloads")
"""What takes another body than an order: it is told so."""


def api_routes(of: Any) -> Iterator[APIRoute]:  # noqa: ANN401 - an application or a router, as FastAPI keeps them
    """Every route, in routers that are included too."""
    for route in of.routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from api_routes(route.original_router)


def test_every_named_path_answers(client: httpx.Client, document: dict[str, Any]) -> None:
    """With 200, for the model and version that are there; orders with the token."""
    asked = 0
    for path, methods in document["paths"].items():
        for method in methods:
            given = ORDER if path.startswith("/v1") else body([[15.0, 5.0]])
            sent: dict[str, Any] = {"json": given, "headers": AUTH} if method == "post" else {}
            answer = client.request(method, path.format_map(NAMES), **sent)
            there = not re.search(r"{(?!model|version)", path)  # of other things there may be none
            expected = 400 if path.endswith(OWN_BODY) else 200 if there else 404
            assert answer.status_code == expected, (method, path, answer.text)
            assert there or list(answer.json()) == ["error"]
            asked += 1
    assert asked >= 17
    for what in ("force-normal", "release"):
        client.post(f"/v1/models/plain/{what}", json=ORDER, headers=AUTH)


def test_operations_are_told_apart(document: dict[str, Any]) -> None:
    """Generated clients name their functions after the operation: each has its own id and a description."""
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert all(operation.get("description") or operation.get("summary") for operation in operations)


def test_answer_is_described_as_it_is(client: httpx.Client, document: dict[str, Any]) -> None:
    """Every parameter of an answer is in the document, with its type."""
    content = document["paths"]["/v2/models/{model}/infer"]["post"]["responses"]["200"]["content"]
    described = content["application/json"]["schema"]["properties"]["parameters"]["properties"]
    kinds = {"string": str, "boolean": bool, "number": float}
    answers = [
        client.post("/v2/models/fragile/infer", json=body([[5.0]])),
        client.post("/v2/models/escalate/infer", json=body([[0.0, 1.0]])),
        client.post("/v2/models/flag/infer", json=body([[0.0, 1.0], [0.0, 5.0]])),
    ]
    seen: dict[str, Any] = {}
    for answer in answers:
        seen |= answer.json()["parameters"]
    assert seen.keys() == described.keys()
    assert {name for name, value in seen.items() if not isinstance(value, kinds[described[name]["type"]])} == set()


def test_documentation_pages_are_served(client: httpx.Client) -> None:
    """For people."""
    assert client.get("/docs").status_code == 200
