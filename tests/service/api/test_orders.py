"""Control orders over HTTP: effect, confirmation, audit trail, and refusals."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from tests.support.serving.model_pairs import SCOPES
from tests.support.serving.service_harness import AUTH, body, eventually

NORTH, SOUTH = {"region": "north"}, {"region": "south"}
BAND_LOW, BAND_HIGH, NO_BAND = [9.0, 5.0], [10.0, 5.0], [15.0, 5.0]


def order(client: httpx.Client, what: str, scope: str = "region=north", **how: Any) -> httpx.Response:  # noqa: ANN401
    """Send an order for a scope of ``modes``, the model for such tests."""
    sent = {"scope": scope, "reason": "a test asks for it", "actor": "tests"}
    return client.post(f"/v1/models/modes/{what}", **{"json": sent, "headers": AUTH, **how})


def served_by(client: httpx.Client, rows: list[list[float]], parameters: dict[str, Any]) -> tuple[str, bool]:
    """The role that answers, and whether its answer is marked as safe mode."""
    answer = client.post("/v2/models/modes/infer", json=body(rows, parameters=parameters)).json()["parameters"]
    return answer["served_by"], answer["safe_mode"]


BY_BASELINE, BY_COMPRESSED = ("baseline", True), ("compressed", False)


@pytest.fixture(autouse=True)
def _released(client: httpx.Client) -> Iterator[None]:
    """Release every scope after a test."""
    yield
    for scope in SCOPES:
        for what in ("force-normal", "release"):
            eventually(partial(confirmed, client, what, scope))


def confirmed(client: httpx.Client, what: str, scope: str) -> bool:
    """Send an order; whether the judge confirmed it."""
    return bool(order(client, what, scope).json()["confirmed"])


def test_forced_scope_is_answered_by_the_baseline_and_no_other(client: httpx.Client) -> None:
    """From the next request on, until it is forced back."""
    assert served_by(client, [NO_BAND], NORTH) == BY_COMPRESSED
    status = order(client, "force-safe").json()
    assert status["confirmed"]
    assert status["safe"] == ["region=north"]
    assert status["scopes"] == {scope: "safe" if scope == "region=north" else "normal" for scope in SCOPES}
    assert served_by(client, [NO_BAND], NORTH) == BY_BASELINE
    assert served_by(client, [NO_BAND], SOUTH) == BY_COMPRESSED
    assert served_by(client, [NO_BAND], {}) == BY_BASELINE, "a request without the parameter may be of the region"
    assert client.get("/v1/models/modes").json()["following"] == ["region=other"]
    assert order(client, "force-normal").json()["safe"] == []
    assert served_by(client, [NO_BAND], NORTH) == BY_COMPRESSED


def test_one_row_in_a_safe_scope_routes_its_whole_request(client: httpx.Client) -> None:
    """One model answers a request."""
    order(client, "force-safe", "band=low")
    assert served_by(client, [NO_BAND, BAND_LOW, NO_BAND], {}) == BY_BASELINE
    assert served_by(client, [BAND_HIGH, BAND_HIGH], {}) == BY_COMPRESSED


def test_scope_defaults_to_the_model(client: httpx.Client) -> None:
    """Then the baseline answers every request."""
    without = {"reason": "a test asks for it", "actor": "tests"}
    assert order(client, "force-safe", json=without).json()["safe"] == ["model"]
    assert served_by(client, [NO_BAND], {}) == BY_BASELINE


def test_released_scope_stays_safe_until_there_is_evidence(client: httpx.Client) -> None:
    """A release gives a scope back to the monitors, and does not end safe mode."""
    order(client, "force-safe")
    assert order(client, "release").json()["safe"] == ["region=north"]
    assert served_by(client, [NO_BAND], NORTH) == BY_BASELINE


def test_status_shows_an_order(client: httpx.Client) -> None:
    """In the model's status and in the metrics."""
    order(client, "force-safe")
    assert client.get("/v1/models/modes").json()["scopes"]["region=north"] == "safe"
    line = 'tightrope_safe_mode_active{model="modes",scope="region=north"} 1.0'
    eventually(lambda: line in client.get("/metrics").text.splitlines())


def test_order_is_in_the_audit_trail(client: httpx.Client) -> None:
    """With its id, operator and reason; events are in order, and a page can begin after any of them."""
    number = order(client, "force-safe").json()["order"]
    second = order(client, "release").json()["order"]

    def both() -> list[dict[str, Any]]:
        events = client.get("/v1/events?model=modes&after=0&limit=1000").json()["events"]
        return [event for event in events if event["id"] in {number, second}]

    first, then = eventually(lambda: both() if len(both()) == 2 else [])
    assert (first["kind"], first["scope"], first["actor"]) == ("force-safe", "region=north", "tests")
    assert (first["reason"], first["detail"]["moved"]) == ("a test asks for it", True)
    assert (then["kind"], then["seq"]) == ("release", first["seq"] + 1)
    beyond = client.get(f"/v1/events?model=modes&after={first['seq']}&limit=1").json()["events"]
    assert [event["id"] for event in beyond] == [second]


def test_concurrent_orders_are_all_carried_out(client: httpx.Client) -> None:
    """Each operator gets the confirmation of its own order."""
    with ThreadPoolExecutor(8) as operators:
        answers = list(operators.map(lambda scope: order(client, "force-safe", scope), [*SCOPES[1:]] * 3))
    assert [answer.json()["confirmed"] for answer in answers] == [True] * len(answers)
    assert set(client.get("/v1/models/modes").json()["safe"]) == set(SCOPES[1:])


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer"}, {"Authorization": "Basic dGVzdA=="}],
    ids=["none", "wrong", "empty", "another scheme"],
)
def test_order_without_the_token_is_refused(client: httpx.Client, headers: dict[str, str]) -> None:
    """401, naming the scheme, and no mode changes."""
    answer = order(client, "force-safe", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json() == {"error": "a valid bearer token is needed"}
    assert served_by(client, [NO_BAND], NORTH) == BY_COMPRESSED


def test_unknown_scope_and_model_are_404(client: httpx.Client) -> None:
    """The error lists the scopes."""
    answer = order(client, "force-safe", "region=west")
    assert answer.status_code == 404
    assert answer.json()["error"] == f"scope: 'region=west' is none of {', '.join(client_scopes(client))}"
    sent = {"reason": "a test asks", "actor": "tests"}
    answer = client.post("/v1/models/nope/force-safe", json=sent, headers=AUTH)
    assert (answer.status_code, "is not served here" in answer.json()["error"]) == (404, True)
    assert order(client, "force-odd").status_code == 404


def client_scopes(client: httpx.Client) -> list[str]:
    """The scopes of the model, in the server's order."""
    return list(client.get("/v1/models/modes").json()["scopes"])


@pytest.mark.parametrize(
    ("content", "expected_error"),
    [
        (b"", "body: Field required"),
        (b"{", "body.1: JSON decode error"),
        (b"[]", "body: Input should be a valid dictionary"),
        (b'{"actor": "me"}', "body.reason: Field required"),
        (b'{"reason": "a reason"}', "actor: is missing"),
        (b'{"reason": "x", "actor": "me"}', "body.reason: String should have at least 3 characters"),
        (b'{"reason": "a reason", "actor": ""}', "body.actor: String should have at least 1 character"),
        (b'{"reason": 5, "actor": "me"}', "body.reason: Input should be a valid string"),
        (b'{"reason": "a reason", "actor": "me", "scop": "model"}', "body.scop: Extra inputs are not permitted"),
        (b"[" * 50_000, "the JSON is nested deeper than"),
    ],
)
def test_order_without_reason_and_actor_is_refused(client: httpx.Client, content: bytes, expected_error: str) -> None:
    """Both are needed for the audit trail."""
    headers = {**AUTH, "Content-Type": "application/json"}
    answer = client.post("/v1/models/modes/force-safe", content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(expected_error)


def test_get_of_an_order_is_not_allowed(client: httpx.Client) -> None:
    """Orders are sent with POST."""
    answer = client.get("/v1/models/modes/force-safe", headers=AUTH)
    assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})


def test_orders_take_effect_on_an_advisory_model(client: httpx.Client) -> None:
    """Only breaches do not; once the scope is released, the compressed model answers."""

    def send(what: str) -> dict[str, Any]:
        sent = {"reason": "a test asks for it", "actor": "tests"}
        return dict(client.post(f"/v1/models/flag/{what}", json=sent, headers=AUTH).json())

    def answered_by() -> str:
        answer = client.post("/v2/models/flag/infer", json=body([NO_BAND])).json()
        return str(answer["parameters"]["served_by"])

    status = send("force-safe")
    assert (status["mode"], status["confirmed"], status["safe"]) == ("advisory", True, ["model"])
    assert answered_by() == "baseline"
    assert send("release")["safe"] == []
    assert answered_by() == "compressed"
    assert send("force-normal")["confirmed"]
    assert send("release")["confirmed"]
