"""Status over HTTP: models with their modes, verdicts, and the audit trail."""

from http import HTTPStatus
from typing import Any

import httpx
import pytest

from tests.support.configs import TOKEN
from tests.support.judgement.comparisons import CLASS_MONITORS
from tests.support.serving.model_pairs import SCOPES
from tests.support.serving.service_harness import body, eventually
from tightrope.monitors.records import Stream


def get(client: httpx.Client, path: str) -> Any:  # noqa: ANN401 - any JSON
    """The JSON of a successful GET."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_models_are_listed_with_their_modes(client: httpx.Client) -> None:
    """Every served model, armed or advisory, with the state of each of its scopes."""
    listed = {model["name"]: model for model in get(client, "/v1/models")["models"]}
    assert {"plain", "modes", "fragile", "echo_BYTES"} <= listed.keys()
    assert (listed["plain"]["mode"], listed["flag"]["mode"]) == ("armed", "advisory")
    assert set(listed["plain"]["scopes"]) == set(SCOPES)
    assert set(listed["plain"]["scopes"].values()) == {"normal"}
    assert listed["plain"]["safe"] == []
    assert listed["plain"]["requests"] == "share runs"
    assert len(listed["plain"]["plan"]) == 64, "to compare gateways with their judges"
    assert listed["plain"]["blind"] is None
    assert listed["plain"]["baseline_digest"] != listed["plain"]["compressed_digest"]


def test_model_reports_the_progress_of_its_judgement(client: httpx.Client) -> None:
    """Answered rows are sampled, compared by the shadow, and counted for each scope."""
    before = get(client, "/v1/models/plain")
    for _ in range(3):
        client.post("/v2/models/plain/infer", json=body([[9.0, 5.0], [10.0, 5.0]], parameters={"region": "north"}))
    assert before["sampling"]["rate"] == 1.0

    def judged() -> bool:
        now = get(client, "/v1/models/plain")
        rows = [status["judged"]["seen"] + status["judged"]["pending"] for status in (before, now)]
        assert now["sampling"]["kept"] >= before["sampling"]["kept"] + 3
        assert now["sampling"]["dropped"] == before["sampling"]["dropped"]
        return bool(rows[1] >= rows[0] + 6)

    assert eventually(judged)
    assert set(before["judged"]["scopes"]) == set(SCOPES)


def test_every_scope_has_a_verdict_of_every_monitor(client: httpx.Client) -> None:
    """With the evidence against its budget; a monitor without data reports `insufficient`, not a pass."""
    verdicts = get(client, "/v1/models/untouched/verdicts")["verdicts"]
    assert {verdict["scope"] for verdict in verdicts if verdict["monitor"] == "sight"} == set(SCOPES)
    judged = [verdict for verdict in verdicts if verdict["monitor"] != "sight"]
    cells = {(verdict["scope"], verdict["monitor"]) for verdict in judged}
    assert cells == {(scope, "disagreement") for scope in SCOPES} | {(scope, "mix") for scope in SCOPES[1:]}
    assert {verdict["outcome"] for verdict in judged} == {"insufficient"}
    assert {verdict["evidence"] for verdict in judged} == {None}
    assert all(verdict["threshold"] > 0 for verdict in judged)
    of_flag = get(client, "/v1/models/flag/verdicts")["verdicts"]
    monitors = {name for name, monitor in CLASS_MONITORS.items() if monitor.stream is Stream.COMPARISONS} - {"mix"}
    assert {verdict["monitor"] for verdict in of_flag} == monitors | {"sight"}


def test_found_groups_of_a_model_are_listed(client: httpx.Client) -> None:
    """None of a healthy one."""
    assert get(client, "/v1/models/untouched/groups") == {"model": "untouched", "groups": []}
    assert client.get("/v1/models/nope/groups").status_code == 404


def test_verdicts_can_be_filtered_by_scope(client: httpx.Client) -> None:
    """An unknown scope is an error that lists those of the model."""
    verdicts = get(client, "/v1/models/modes/verdicts?scope=region%3Dnorth")["verdicts"]
    assert {verdict["scope"] for verdict in verdicts} == {"region=north"}
    unknown = client.get("/v1/models/modes/verdicts?scope=nope")
    assert unknown.status_code == 404
    assert unknown.json()["error"].startswith("scope: 'nope' is none of model, band=high")


@pytest.mark.parametrize(
    ("query", "expected_error"),
    [
        ("limit=0", "query.limit: Input should be greater than or equal to 1"),
        ("limit=1001", "query.limit: Input should be less than or equal to 1000"),
        ("limit=x", "query.limit: Input should be a valid integer"),
        ("after=-1", "query.after: Input should be greater than or equal to 0"),
        (f"after={2**63}", "query.after: Input should be less than 9223372036854775808"),
        (f"after={'9' * 30}", "query.after: Input should be less than"),
    ],
)
def test_invalid_query_is_400(client: httpx.Client, query: str, expected_error: str) -> None:
    """The error names the parameter."""
    answer = client.get(f"/v1/events?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(expected_error)


def test_page_after_the_last_event_is_empty(client: httpx.Client) -> None:
    """A reader can poll with the last number, up to the largest one possible."""
    assert get(client, f"/v1/events?after={2**63 - 1}") == {"events": []}


def test_newest_events_come_first(client: httpx.Client) -> None:
    """A page of earlier ones is below the last number; those after a number come oldest first, and so are followed."""
    for verb in ("force-safe", "force-normal"):
        order = {"scope": "region=north", "reason": "two events", "actor": "tests"}
        client.post(f"/v1/models/modes/{verb}", json=order, headers={"authorization": f"Bearer {TOKEN}"})
    newest = [event["seq"] for event in get(client, "/v1/events?limit=3")["events"]]
    assert newest == sorted(newest, reverse=True)
    (earlier,) = get(client, f"/v1/events?before={newest[0]}&limit=1")["events"]
    assert earlier["seq"] == newest[1]
    after = [event["seq"] for event in get(client, f"/v1/events?after={newest[1] - 1}")["events"]]
    assert after[:2] == [newest[1], newest[0]]
    between = get(client, f"/v1/events?after={newest[1] - 1}&before={newest[0]}")["events"]
    assert [event["seq"] for event in between] == [newest[1]]
    client.post("/v1/models/modes/release", json=order, headers={"authorization": f"Bearer {TOKEN}"})


def test_events_are_found_by_scope_kind_and_time(client: httpx.Client) -> None:
    """In either order, each with its sentence; a time is ISO 8601, UTC without an offset, or seconds."""
    for reason in ("first of two", "second of two"):
        order = {"scope": "band=high", "reason": reason, "actor": "Ben"}
        client.post("/v1/models/modes/release", json=order, headers={"authorization": f"Bearer {TOKEN}"})
    found = get(client, "/v1/events?scope=band%3Dhigh&kind=release&order=asc&model=modes")["events"]
    assert [event["reason"] for event in found][-2:] == ["first of two", "second of two"]
    assert found[-1]["text"] == "Ben gave high (band) back to Tightrope: second of two"
    newest = get(client, "/v1/events?scope=band%3Dhigh&kind=release&limit=1")["events"]
    assert newest == found[-1:]
    at = found[-1]["time"]
    assert get(client, f"/v1/events?scope=band%3Dhigh&since={at - 0.001}&until={at + 3600}")["events"][0] == found[-1]
    assert get(client, "/v1/events?until=2001-01-01T00:00:00")["events"] == []


def test_overview_that_has_not_changed_is_not_sent_again(client: httpx.Client) -> None:
    """The tag of the answer comes back in `If-None-Match`."""
    answer = client.get("/v1/overview?model=untouched")
    assert answer.json()["models"][0]["name"] == "untouched"
    assert len(answer.json()["cards"]) == len(get(client, "/v1/models")["models"])
    for _ in range(20):  # it may change between two calls
        again = client.get("/v1/overview?model=untouched", headers={"If-None-Match": answer.headers["etag"]})
        if again.status_code != HTTPStatus.OK:
            break
        answer = again
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/v1/overview?limit=2").json()["models"][1]["name"]


def test_events_of_an_unknown_model_are_an_error(client: httpx.Client) -> None:
    """One that is neither served nor in the trail."""
    assert client.get("/v1/events?model=nope").status_code == 404
