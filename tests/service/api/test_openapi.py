"""The OpenAPI document names every route that exists, and every answer is as it says."""

import asyncio
import http.client
import json
import re
import socket
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from prometheus_client import CollectorRegistry

from tests.support.servers import Server
from tests.support.serving.model_pairs import HUGE, sure_and_unsure
from tests.support.serving.openapi_calls import CALLS, ORDER
from tests.support.serving.openapi_schemas import problems
from tests.support.serving.service_harness import AUTH, body, settings_of
from tightrope.monitors.watched_groups.orders import GROUP_ORDERS
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.api.answers import Error
from tightrope.service.api.openapi import answers, complete_document
from tightrope.service.app import build_service, load_pairs
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.transport.http.asgi import InferLayer

NAMES = defaultdict(lambda: "nope", model="plain", version="1", time="1.0")
NAMED = {"model", "version", "week", "time"}
"""Names in paths that a call may replace."""


@pytest.fixture(scope="module")
def document(server: Any) -> dict[str, Any]:  # noqa: ANN401 - tests.support.servers.Server
    """The OpenAPI document of the shared server."""
    return dict(server.client.get("/openapi.json").json())


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
    assert operations(document).keys() == routes
    assert {("get", "/v2"), ("get", "/metrics"), ("post", "/v2/models/{model}/infer")} < routes


REFUSALS = dict.fromkeys(("labels", "deploy", "rollback", "payloads", "{name}", "decisions"), 400) | dict.fromkeys(
    GROUP_ORDERS, 409
)
"""Ends of paths that take another body than an order, or an order about a found group, with their answers to one."""


LISTS = {"/v1/events", "/v1/overview", "/v1/reviews.csv", "/v1/incidents"}
"""Paths whose query can name a model or an incident that does not exist."""


def api_routes(parent: Any) -> Iterator[APIRoute]:  # noqa: ANN401 - an application or a router, as FastAPI keeps them
    """Every route, those of included routers too."""
    for route in parent.routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from api_routes(route.original_router)


def test_every_documented_path_answers(client: httpx.Client, document: dict[str, Any]) -> None:
    """With 200 for an existing model and version; orders need the token, and those of groups a found one."""
    calls = 0
    for path, methods in document["paths"].items():
        for method in methods:
            sent_body = ORDER if path.startswith("/v1") else body([[15.0, 5.0]])
            options: dict[str, Any] = {"json": sent_body} if method == "post" else {}
            options |= {"headers": AUTH} if "security" in methods[method] else {}
            answer = client.request(method, path.format_map(NAMES), **options)
            exists = not re.search(r"{(?!model|version)|/(card|qualification)$", path)  # there may be none
            expected = REFUSALS.get(path.rpartition("/")[2] if method == "post" else "", 200 if exists else 404)
            assert answer.status_code == expected, (method, path, answer.text)
            assert exists or list(answer.json()) == ["error"]
            calls += 1
    assert calls >= 17
    for what in ("force-normal", "release"):
        client.post(f"/v1/models/plain/{what}", json=ORDER, headers=AUTH)


def test_document_completed_twice_is_the_same() -> None:
    """Two threads may need it first at the same time, as of a method that is not allowed."""
    app = FastAPI()

    @app.get("/thing", **answers(Error))
    def thing(name: str) -> Error:
        """A thing."""
        return {"error": name}

    complete_document(app)
    completed: Any = app.openapi
    first = completed()
    completed.cache_clear()
    assert completed() == first
    assert first["paths"]["/thing"]["get"]["summary"] == "A thing"


def test_operations_have_distinct_ids(document: dict[str, Any]) -> None:
    """Generated clients name their functions after the operation ids; each operation also has a description."""
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert all(operation.get("description") or operation.get("summary") for operation in operations)


def test_parameters_of_answers_are_documented(client: httpx.Client, document: dict[str, Any]) -> None:
    """Every parameter of an answer is in the document, with its type."""
    documented = document["components"]["schemas"]["AnswerParameters"]["properties"]
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


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Every operation of a document, by method and path."""
    return {(m, path): operation for path, methods in document["paths"].items() for m, operation in methods.items()}


def test_document_is_valid(document: dict[str, Any]) -> None:
    """Every reference leads somewhere, every schema is one, and none is unused."""
    schemas = document["components"]["schemas"]
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references == schemas.keys()
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def test_every_json_answer_has_a_schema(document: dict[str, Any]) -> None:
    """None is empty, and every error is the one `Error`."""
    for name, operation in operations(document).items():
        for code, response in operation["responses"].items():
            schema = response.get("content", {}).get("application/json", {"schema": {"$ref": ""}})["schema"]
            if (name, code) == (("get", "/v2/health/ready"), "503"):
                kinds = [each["$ref"].rpartition("/")[2] for each in schema["anyOf"]]
                assert kinds == ["Readiness", "Error"], "not ready, or too many connections"
            else:
                assert schema["$ref"].endswith("/Error") == (int(code) >= 400), (name, code)


CONFLICTS = {*(("post", order) for order in GROUP_ORDERS), ("post", "{name}"), ("post", "decisions")}
"""Operations that may not fit the state of the model or of the row, by the end of their path."""


def test_statuses_are_those_that_come(document: dict[str, Any]) -> None:
    """422 never comes; what any request can get is at every path, and the rest where it can come."""
    for (method, path), operation in operations(document).items():
        errors = {int(code) for code in operation["responses"]} - {200, 202, 304}
        expected = {400, 408, 414, 429, 431, 500, 503}
        expected |= {413, 415} if method == "post" else set()
        expected |= {404} if "{" in path or path in LISTS else set()
        expected |= {401} if "security" in operation else set()
        expected |= {403} if {"control", "labels"} & {*operation["tags"]} or path.endswith(".zip") else set()
        assert errors == expected | ({409} if (method, path.rpartition("/")[2]) in CONFLICTS else set()), (method, path)
    assert "Validation" not in json.dumps(document)


@pytest.mark.parametrize(("method", "path", "options", "status"), CALLS, ids=lambda value: str(value)[:60])
def test_real_answers_are_as_documented(
    client: httpx.Client, document: dict[str, Any], method: str, path: str, options: dict[str, Any], status: int
) -> None:
    """The status, the content type, and the body with all its fields and no others."""
    names = {"model": "plain", "version": "1", "name": "newest", "week": "2026-W01"} | {
        key: options[key] for key in options if key in NAMED
    }
    sent = {key: value for key, value in options.items() if key not in NAMED}
    answer = client.request(method, path.format_map(names), **sent)
    assert answer.status_code == status, answer.text
    assert problems(document, method, path, answer) == []


def test_every_operation_is_called(document: dict[str, Any]) -> None:
    """None is left out above."""
    assert {(method.lower(), path) for method, path, _, _ in CALLS} == operations(document).keys()


def test_null_is_documented_for_optional_fields_of_bodies(document: dict[str, Any]) -> None:
    """It means that they are absent, so a schema that forbids it would be wrong."""
    fields = document["components"]["schemas"]["OrderBody"]
    nullable = {name for name, field in fields["properties"].items() if {"type": "null"} in field.get("anyOf", ())}
    assert nullable == {"scope", "actor"} == fields["properties"].keys() - set(fields["required"])


@pytest.mark.parametrize(
    "sent", [b"GET /v2 HTTP/9.9\r\n\r\n", b"GET /v2 HTTP/1.1\r\nbad header\r\n\r\n", b"\x16\x03\x01\r\n\r\n"]
)
def test_what_cannot_be_parsed_is_the_common_error(server: Server, document: dict[str, Any], sent: bytes) -> None:
    """It has no path yet, and is documented at every one."""
    address = httpx.URL(server.address)
    with socket.create_connection((address.host, address.port), timeout=30.0) as connection:
        connection.sendall(sent)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        received = httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())
    assert received.status_code == 400
    assert problems(document, "GET", "/v2", received) == []
