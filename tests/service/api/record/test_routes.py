"""Incidents over HTTP, from an alarm to the replay of the file, each link followed."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from tests.support.configs import write_config
from tests.support.harmful_pair import MINORITY, config, request, traffic
from tests.support.servers import Server, serving
from tests.support.serving.api_client import ApiClient
from tests.support.serving.service_harness import AUTH, eventually
from tightrope.offline.incidents.record_files import read_export
from tightrope.offline.incidents.replay import replay
from tightrope.service.api.incidents.library import NoIncidents
from tightrope.service.api.record.routes import create_router
from tightrope.service.config.access import AccessTokens
from tightrope.service.errors import UnavailableError


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway whose model harms a group: the incident is open."""
    folder = tmp_path_factory.mktemp("incidents")
    with serving(write_config(folder, {**config(folder, mode="armed"), "record": {}})) as server:
        for number, row in enumerate(traffic(600, harm=True)):
            server.client.post("/v2/models/m/infer", json=request(row, f"secret-{number}")).raise_for_status()
        eventually(lambda: server.client.get("/v1/incidents").json()["incidents"])
        yield server


@pytest.fixture
def client(running: Server) -> httpx.Client:
    """The gateway's client."""
    return running.client


def the_incident(client: httpx.Client) -> dict[str, Any]:
    """The only incident of the list."""
    (found,) = client.get("/v1/incidents").json()["incidents"]
    return dict(found)


def test_every_link_from_the_event_to_the_replay_is_followed(client: httpx.Client, tmp_path: Path) -> None:
    """Event → incident → events, report and file, which replays to the byte."""
    events = client.get("/v1/events", params={"kind": "breach"}).json()["events"]
    document = client.get(f"/v1/incidents/{events[0]['incident']}").raise_for_status().json()
    assert document["moves"][0]["text"].startswith("The full model took over for minority (group): ")
    links = document["links"]
    assert {each["id"] for each in client.get(links["events"]).json()["events"]} >= {each["id"] for each in events}
    assert "The full model took over for minority" in client.get(links["report"]).raise_for_status().text
    file = client.get(links["file"], headers=AUTH).raise_for_status()
    assert file.headers["content-disposition"] == f'attachment; filename="{document["id"]}.zip"'
    path = tmp_path / "incident.zip"
    path.write_bytes(file.content)
    result = replay(read_export(path))
    assert (result.differs, result.states > 0, len(result.moves) > 0) == (0, True, True)
    assert b"secret-" not in file.content


def test_overview_names_the_incident_of_the_model_and_of_each_event(client: httpx.Client) -> None:
    """The case on the page links to it by the event that it asks for."""
    name = the_incident(client)["id"]
    entry = client.get("/v1/overview").json()["models"][0]
    group = next(each for each in entry["groups"] if each["scope"] == MINORITY)
    line = next(each for each in entry["history"] if each["seq"] == group["case"])
    assert (entry["incident"], line["incident"]) == (name, name)


def test_an_alert_leads_to_the_report(client: httpx.Client) -> None:
    """By model and time, for its incident has no name when it is sent."""
    found = the_incident(client)
    page = client.get(f"/v1/models/m/incidents/{found['opened']}").raise_for_status()
    assert page.text == client.get(found["links"]["report"]).text
    assert client.get(f"/v1/models/m/incidents/{found['opened'] - 1}").status_code == 404


def test_list_is_chosen_by_time_and_model(client: httpx.Client) -> None:
    """An open incident is there since any time; a model that is not served is 404."""
    listed = client.get("/v1/incidents").json()
    assert (listed["recorded"], listed["known"]) == (True, True)
    assert len(client.get("/v1/incidents", params={"since": "2099-01-01", "model": "m"}).json()["incidents"]) == 1
    assert client.get("/v1/incidents", params={"model": "nope"}).status_code == 404


def test_file_takes_the_control_token(client: httpx.Client) -> None:
    """It holds rows; the list and the report hold none."""
    link = the_incident(client)["links"]["file"]
    assert [client.get(link).status_code, client.get(link, headers=AUTH).status_code] == [401, 200]


def test_report_runs_no_script_and_asks_for_nothing(client: httpx.Client) -> None:
    """By its own policy and by that of the answer."""
    report = client.get(the_incident(client)["links"]["report"])
    policy = report.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert [mark for mark in ("<script", "http://", "https://", "src=", "url(") if mark in report.text] == []


def test_rows_of_the_file_are_those_of_the_group(client: httpx.Client) -> None:
    """Those that carried evidence differ, and ordinary ones do not; no value of an input is there by default."""
    import zipfile

    content = client.get(the_incident(client)["links"]["file"], headers=AUTH).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        lines = list(csv.DictReader(io.StringIO(archive.read("rows.csv").decode())))
        document = json.loads(archive.read("incident.json"))
    shown = {(each["kind"], each["differs"], each["groups"], each["monitor"]) for each in lines}
    assert shown <= {("evidence", "1", MINORITY, "disagreement"), ("ordinary", "0", MINORITY, "disagreement")}
    assert ("evidence", "1", MINORITY, "disagreement") in shown
    assert document["reviews"] == the_incident(client)["links"]["reviews"]


def test_reviews_of_an_incident_are_asked_for_by_its_name(client: httpx.Client) -> None:
    """The link of an incident works without reviewers, too; an unknown incident is 404."""
    reviews = client.get(the_incident(client)["links"]["reviews"], headers=AUTH)
    assert reviews.status_code in {200, 404}
    assert client.get("/v1/reviews.csv", params={"incident": "nope"}, headers=AUTH).status_code == 404


class UnreadIncidents(NoIncidents):
    """Those of a cluster whose topic a gateway has not read."""

    is_known = False


def test_gateway_that_has_not_read_the_incidents_says_so() -> None:
    """An empty list does not pass for none, and an unknown name is not one that does not exist."""
    app, unused = FastAPI(), cast(Any, None)
    app.include_router(create_router(unused, UnreadIncidents(), AccessTokens("control")))
    app.add_exception_handler(UnavailableError, lambda _, error: JSONResponse({"error": str(error)}, 503))
    asked = ApiClient(app)
    assert asked.get("/v1/incidents").json()["known"] is False
    answer = asked.get("/v1/incidents/m-1")
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("this gateway has not read the incidents of the cluster")
