"""A server lets people look and give orders by their tokens: each path, and the name in the audit trail."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.servers import Server, serving
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import body

OPEN = ["/", "/docs", "/openapi.json", "/metrics", "/v2/health/live", "/v2/health/ready", "/v2", "/v2/models/m"]
GUARDED = [
    *("/v1/overview", "/v1/events", "/v1/models", "/v1/models/m", "/v1/models/m/verdicts", "/v1/models/m/groups"),
    *("/v1/models/m/cost", "/v1/models/m/reports"),
]


def bearer(token: str) -> dict[str, str]:
    """The header with a token."""
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two operators, a token for those who look, and no control token."""
    folder: Path = tmp_path_factory.mktemp("access")
    for name, content in {"ann": "token-of-ann", "all": "Ben: token-of-ben", "view": "viewers"}.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    section = {"port": 0, "operators": {"Ann": "ann"}, "operators_file": "all", "view_token_file": "view"}
    models = {"m": {**sure_and_unsure(folder), **CALM}}
    with serving(
        write_config(folder, {"models": models, "server": section}), {"TIGHTROPE_CONTROL_TOKEN": ""}
    ) as running:
        yield running


def test_data_need_a_token_and_all_else_none(server: Server) -> None:
    """Inference, health, metrics and the page without its data answer all who reach the port."""
    get = server.client.get
    assert {path: get(path).status_code for path in OPEN} == dict.fromkeys(OPEN, 200)
    assert server.client.post("/v2/models/m/infer", json=body([[0.0, 1.0]])).status_code == 200
    assert {path: get(path).status_code for path in GUARDED} == dict.fromkeys(GUARDED, 401)
    assert {path: get(path, headers=bearer("wrong")).status_code for path in GUARDED} == dict.fromkeys(GUARDED, 401)
    for token in ("viewers", "token-of-ann", "token-of-ben"):
        assert {path: get(path, headers=bearer(token)).status_code for path in GUARDED} == dict.fromkeys(GUARDED, 200)


def test_every_path_with_data_is_guarded(server: Server) -> None:
    """A new path under /v1 that is read without a token is found here."""
    document = server.client.get("/openapi.json").json()["paths"]
    read = [path for path, operations in document.items() if path.startswith("/v1/") and "get" in operations]
    assert len(read) > len(GUARDED)
    unguarded = [path for path in read if not document[path]["get"].get("security")]
    assert unguarded == []
    assert document["/v1/overview"]["get"]["responses"]["401"]


def test_order_is_on_record_under_the_name_of_the_token(server: Server) -> None:
    """A name that is typed does not count, and may be left out; the overview tells that orders are taken."""
    post, look = server.client.post, bearer("viewers")
    order = {"reason": "a test asks for it", "actor": "judge"}
    for token, status in (("viewers", 403), ("wrong", 401)):
        assert post("/v1/models/m/force-safe", json=order, headers=bearer(token)).status_code == status
    given = post("/v1/models/m/force-safe", json=order, headers=bearer("token-of-ann"))
    assert (given.status_code, given.json()["actor"], given.json()["confirmed"]) == (200, "Ann", True)
    unnamed = {"reason": "it is over"}
    assert post("/v1/models/m/release", json=unnamed, headers=bearer("token-of-ben")).json()["actor"] == "Ben"
    events = server.client.get("/v1/events", headers=look).json()["events"]
    actors = {event["kind"]: event["actor"] for event in events if event["kind"] in {"force-safe", "release"}}
    assert actors == {"force-safe": "Ann", "release": "Ben"}
    assert server.client.get("/v1/overview", headers=look).json()["control"] is True


def test_deployment_is_on_record_under_the_name_of_the_token(server: Server) -> None:
    """A rollback too: here there is nothing to go back to, and without a token it is refused before."""
    refused = server.client.post("/v1/models/m/rollback", json={"reason": "a test"})
    assert refused.status_code == 401
    answer = server.client.post("/v1/models/m/rollback", json={"reason": "a test"}, headers=bearer("token-of-ann"))
    assert (answer.status_code, "nothing was deployed" in answer.json()["error"]) == (400, True)
