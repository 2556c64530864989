"""Every path that takes a model or a scope answers one clear 404 for a name that does not exist."""

from typing import Any

import httpx
import pytest

from tests.support.serving.service_harness import AUTH, body

WHY = {"reason": "a test asks for it", "actor": "tests"}
BODIES: dict[str, dict[str, Any]] = {
    "infer": body([[0.0, 5.0]]),
    "deploy": {**WHY, "path": "x.onnx"},
    "labels": {"id": "a", "label": 0},
    "payloads": {},
}
"""Valid bodies by the last part of a path; orders and rollbacks take a reason and a name."""


@pytest.fixture(scope="module")
def operations(server: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - tests.support.servers.Server
    """Methods and paths of everything that takes a model, by the OpenAPI document."""
    paths = server.client.get("/openapi.json").json()["paths"]
    return [(method, path) for path, methods in paths.items() if "{model}" in path for method in methods]


def call(client: httpx.Client, method: str, path: str, **values: str) -> httpx.Response:
    """Call an operation with these values of its path."""
    place = path.format_map({"version": "1", "name": "newest", "time": "1.0", **values})
    content = BODIES.get(path.rpartition("/")[2], WHY) if method == "post" else None
    return client.request(method, place, json=content, headers=AUTH)


def test_unknown_model_is_told_with_the_models_that_there_are(
    client: httpx.Client, operations: list[tuple[str, str]]
) -> None:
    """For every path: 404, and the line names what was asked for and what is served."""
    assert len(operations) >= 16
    wrong = {}
    for method, path in operations:
        answer = call(client, method, path, model="nope")
        text = answer.json().get("error", "")
        if answer.status_code != 404 or not text.startswith("model 'nope' is not served here; there are abstain, "):
            wrong[f"{method} {path}"] = (answer.status_code, text)
    assert wrong == {}


@pytest.mark.parametrize("query", ["", "&after=1", "&before=5", "&limit=1"])
def test_events_of_an_unknown_model_are_no_empty_list(client: httpx.Client, query: str) -> None:
    """An empty list would say that nothing had happened."""
    answer = client.get(f"/v1/events?model=nope{query}")
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("model 'nope' is not served here; there are abstain, ")


@pytest.mark.parametrize("scope", ["nope", "region=nowhere", "", "Model"])
def test_unknown_scope_is_told_with_the_scopes_that_there_are(client: httpx.Client, scope: str) -> None:
    """For verdicts and for every order."""
    order = {**WHY, "scope": scope}
    orders = ("force-safe", "force-normal", "release")
    verdicts = client.get("/v1/models/modes/verdicts", params={"scope": scope})
    for answer in (verdicts, *(client.post(f"/v1/models/modes/{kind}", json=order, headers=AUTH) for kind in orders)):
        assert answer.status_code == 404
        assert answer.json()["error"].startswith(f"scope: {scope!r} is none of model, band=high, ")
