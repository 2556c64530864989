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

from tests.support.serving.model_pairs import HUGE, sure_and_unsure
from tests.support.serving.service_harness import AUTH, body, settings_of
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.app import build_service, load_pairs
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.transport.http.asgi import InferLayer

NAMES = defaultdict(lambda: "nope", model="plain", version="1")
ORDER = {"scope": "band=high", "reason": "a test asks for it", "actor": "tests"}


@pytest.fixture(scope="module")
def document(server: Any) -> dict[str, Any]:  # noqa: ANN401 - tests.support.servers.Server
    """The OpenAPI document of the shared server."""
    document: dict[str, Any] = server.client.get("/openapi.json").json()
    return document


def test_document_has_every_route(tmp_path: Path, document: dict[str, Any]) -> None:
    """FastAPI's routes and the inference endpoints outside it, and no others."""
    settings = settings_of(tmp_path, {"m": sure_and_unsure(tmp_path)})
    unused: Any = None  # no route is called
    metrics = Metrics(CollectorRegistry())
    pairs, bus = load_pairs(settings), MemoryBus()
    service = build_service(settings, pairs, {"m": RunProfile()}, bus, unused, unused, unused, metrics)
    assert isinstance(service.app, InferLayer)
    routes = {
        (method.lower(), route.path)
        for route in api_routes(asyncio.run(service.app.app()))
        if route.include_in_schema
        for method in route.methods or ()
    }
    infer = {("post", "/v2/models/{model}/infer"), ("post", "/v2/models/{model}/versions/{version}/infer")}
    documented = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert documented == routes | infer
    assert {("get", "/v2"), ("get", "/metrics"), ("post", "/v1/models/{model}/release")} < routes


OWN_BODY = ("/labels", "/deploy", "/rollback", "/payloads")
"""Ends of paths that take another body than an order: they answer 400 to one."""


def api_routes(parent: Any) -> Iterator[APIRoute]:  # noqa: ANN401 - an application or a router, as FastAPI keeps them
    """Every route, those of included routers too."""
    for route in parent.routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from api_routes(route.original_router)


def test_every_documented_path_answers(client: httpx.Client, document: dict[str, Any]) -> None:
    """With 200 for an existing model and version; orders need the token."""
    calls = 0
    for path, methods in document["paths"].items():
        for method in methods:
            sent_body = ORDER if path.startswith("/v1") else body([[15.0, 5.0]])
            options: dict[str, Any] = {"json": sent_body, "headers": AUTH} if method == "post" else {}
            answer = client.request(method, path.format_map(NAMES), **options)
            exists = not re.search(r"{(?!model|version)", path)  # there may be no report
            expected = 400 if path.endswith(OWN_BODY) else 200 if exists else 404
            assert answer.status_code == expected, (method, path, answer.text)
            assert exists or list(answer.json()) == ["error"]
            calls += 1
    assert calls >= 17
    for what in ("force-normal", "release"):
        client.post(f"/v1/models/plain/{what}", json=ORDER, headers=AUTH)


def test_operations_have_distinct_ids(document: dict[str, Any]) -> None:
    """Generated clients name their functions after the operation ids; each operation also has a description."""
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert all(operation.get("description") or operation.get("summary") for operation in operations)


def test_parameters_of_answers_are_documented(client: httpx.Client, document: dict[str, Any]) -> None:
    """Every parameter of an answer is in the document, with its type."""
    content = document["paths"]["/v2/models/{model}/infer"]["post"]["responses"]["200"]["content"]
    documented = content["application/json"]["schema"]["properties"]["parameters"]["properties"]
    kinds = {"string": str, "boolean": bool, "number": float}
    answers = [
        client.post("/v2/models/fragile/infer", json=body([[5.0]])),
        client.post("/v2/models/poisoned/infer", json=body([[HUGE]])),
        client.post("/v2/models/escalate/infer", json=body([[0.0, 1.0]])),
        client.post("/v2/models/flag/infer", json=body([[0.0, 1.0], [0.0, 5.0]])),
    ]
    seen: dict[str, Any] = {}
    for answer in answers:
        seen |= answer.json()["parameters"]
    assert seen.keys() == documented.keys()
    assert {name for name, value in seen.items() if not isinstance(value, kinds[documented[name]["type"]])} == set()


def test_documentation_pages_are_served(client: httpx.Client) -> None:
    """As HTML, for a browser."""
    assert client.get("/docs").status_code == 200
