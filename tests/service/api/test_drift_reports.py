"""Drift reports over HTTP: the list, the pages with their policy, and the metrics."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.configs import write_config
from tests.support.servers import Server, serving
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import AUTH, eventually
from tightrope.service.adapters.archive.report_store import ReportStore, content_security_policy, script_hashes
from tightrope.service.api.drift_reports import ISOLATION_POLICY

NOON = 1_769_860_800.0
NAME = "20260131T120000Z"
PAGE = "<html><head></head><body><script>draw()</script></body></html>"
"""A page with one script."""

FIGURES = {
    "scopes": {
        "model": {
            "rows": {"reference": 5000, "window": 300},
            "share": {"inputs": 0.25, "pair": None},
            "unheard": {"x": 1},
        },
        "region=nowhere": {"rows": {"window": 1}},
    }
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway with two reports of ``m``, none of ``n``, and files in its state folder that must not be served."""
    folder: Path = tmp_path_factory.mktemp("reports")
    pair = {**sure_and_unsure(folder), **CALM}
    config = write_config(folder, {"models": {"m": pair, "n": pair}, "state": "state"})
    store = ReportStore(folder / "state" / "reports")
    store.save("m", PAGE, {"scopes": {}}, 20, NOON)
    store.save("m", PAGE.replace("draw", "redraw"), FIGURES, 20, NOON + 60)
    for path in ("secret.html", "reports/secret.html", "reports/m/secret.html"):
        (folder / "state" / path).write_text("secret")
    with serving(config) as server:
        yield server


@pytest.fixture
def client(running: Server) -> httpx.Client:
    """The gateway's client."""
    return running.client


def test_reports_are_listed_newest_first(client: httpx.Client) -> None:
    """With their time, their figures, and a working link to the page."""
    listed = client.get("/v1/models/m/reports").json()
    assert listed["model"] == "m"
    assert [report["name"] for report in listed["reports"]] == ["20260131T120100Z", NAME]
    assert listed["reports"][1] == {
        "name": NAME,
        "time": "2026-01-31T12:00:00Z",
        "link": f"/v1/models/m/reports/{NAME}",
        "figures": {"scopes": {}},
    }
    assert client.get(listed["reports"][1]["link"]).text == PAGE


def test_a_model_without_reports_has_an_empty_list(client: httpx.Client) -> None:
    """Without a report the list is empty, not an error."""
    assert client.get("/v1/models/n/reports").json() == {"model": "n", "reports": []}


def test_the_newest_report_is_linked_from_status_orders_and_events(client: httpx.Client) -> None:
    """In the model's status, in the list of models, in the answer to an order, and in every event; else null."""
    newest = "/v1/models/m/reports/20260131T120100Z"
    order = {"reason": "a test asks for it", "actor": "tests"}
    ordered = client.post("/v1/models/m/force-safe", json=order, headers=AUTH)
    assert [client.get("/v1/models/m").json()["report"], ordered.json()["report"]] == [newest, newest]
    assert {model["name"]: model["report"] for model in client.get("/v1/models").json()["models"]} == {
        "m": newest,
        "n": None,
    }
    client.post("/v1/models/n/force-safe", json=order, headers=AUTH)
    found = eventually(lambda: events(client) if len(events(client)) > 1 else {})
    assert found == {"m": newest, "n": None}


def events(client: httpx.Client) -> dict[str, str | None]:
    """The report in each model's events of an order."""
    listed = client.get("/v1/events").json()["events"]
    return {event["model"]: event["report"] for event in listed if event["kind"] == "force-safe"}


def test_the_newest_report_has_a_stable_address(client: httpx.Client) -> None:
    """The newest page under its own policy; 404 without a report."""
    answer, same = (client.get(f"/v1/models/m/reports/{name}") for name in ("newest", "20260131T120100Z"))
    assert (answer.status_code, answer.text) == (200, same.text)
    assert "<script>redraw()" in answer.text
    assert answer.headers["content-security-policy"] == same.headers["content-security-policy"]
    missing = client.get("/v1/models/n/reports/newest")
    assert (missing.status_code, missing.json()["error"][:28]) == (404, "there is no report 'newest';")


def test_a_page_may_run_only_its_own_scripts_and_reach_no_server(client: httpx.Client) -> None:
    """Its policy allows scripts by their hashes, and gives the page an origin of its own."""
    answer = client.get(f"/v1/models/m/reports/{NAME}")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert (
        answer.headers["content-security-policy"]
        == f"{content_security_policy(script_hashes(PAGE))}; {ISOLATION_POLICY}"
    )
    assert "unsafe-inline" not in answer.headers["content-security-policy"].partition("script-src")[2].partition(";")[0]
    assert "sandbox allow-scripts" in ISOLATION_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    ["m/reports/secret", "m/reports/secret.html", "m/reports/..%2fsecret", "m/reports/%2e%2e%2f%2e%2e%2fsecret",
     "m/reports/../../secret", "m/reports/..", f"m/reports/{NAME}%00", f"m/reports/{NAME}.json", "m/reports/%5csecret",
     f"../reports/{NAME}", f"%2e%2e/reports/{NAME}", f"..%2freports%2fm/reports/{NAME}", f"nobody/reports/{NAME}",
     f"m%2f..%2fm/reports/{NAME}", f"./reports/{NAME}", f"n/reports/{NAME}", "m/reports/20990101T000000Z"],
)  # fmt: skip
def test_no_other_file_can_be_reached(running: Server, path: str) -> None:
    """A path, sent unnormalised, is a report of a served model, or 404."""
    connection = http.client.HTTPConnection(running.client.base_url.host, running.client.base_url.port or 80)
    connection.request("GET", f"/v1/models/{path}")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 404
    assert b"draw()" not in body
    assert body != b"secret"


def test_the_newest_report_s_figures_are_metrics(client: httpx.Client) -> None:
    """Figures of declared scopes, under known names; NaN for missing ones."""
    lines = eventually(lambda: [x for x in client.get("/metrics").text.splitlines() if x.startswith("tightrope_drift")])
    assert sorted(lines) == [
        'tightrope_drift_report_timestamp_seconds{model="m"} 1.76986086e+09',
        'tightrope_drift_rows{kind="reference",model="m",scope="model"} 5000.0',
        'tightrope_drift_rows{kind="window",model="m",scope="model"} 300.0',
        'tightrope_drift_share{kind="inputs",model="m",scope="model"} 0.25',
        'tightrope_drift_share{kind="pair",model="m",scope="model"} NaN',
    ]


def test_openapi_describes_the_reports(client: httpx.Client) -> None:
    """The fields of an entry, and the type of a page."""
    document = client.get("/openapi.json").json()
    listed = document["paths"]["/v1/models/{model}/reports"]["get"]["responses"]["200"]["content"]
    assert listed["application/json"]["schema"] == {"$ref": "#/components/schemas/ReportList"}
    assert set(document["components"]["schemas"]["ReportEntry"]["properties"]) == {"name", "time", "link", "figures"}
    page = document["paths"]["/v1/models/{model}/reports/{name}"]["get"]["responses"]["200"]["content"]
    assert "text/html" in page
