"""Each link of the chain from an alert to the card, and back, followed with curl."""

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import MINORITY, OTHERS_OFF, config, request, traffic
from tests.support.qualification_files import write_statement
from tests.support.servers import Server, serving
from tests.support.serving.reviewers import REVIEWERS, of
from tests.support.serving.service_harness import AUTH, eventually
from tightrope.offline.card.write import write_card
from tightrope.service.config.loader import load

ROWS = 500


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a qualified model, whose disagreements are reviewed."""
    folder = tmp_path_factory.mktemp("chain")
    for name, token in REVIEWERS.items():
        (folder / f"{name}.token").write_text(token)
    changes = {
        "mode": "armed",
        "qualification": {"require": True},
        "limits": {**OTHERS_OFF, "disagreement": 0.07},
        "subgroup_limits": {"disagreement": 0.1},
        "decision": {"kind": "classes", "classes": ["left", "right"]},
        "labels": {"random": 0.0},
        "review": {"reviewers": {name: f"{name}.token" for name in REVIEWERS}, "second": 0},
    }
    path = write_config(folder, {**config(folder, **changes), "record": {}})
    write_statement(path)
    return path


@pytest.fixture(scope="module")
def running(config_file: Path) -> Iterator[Server]:
    """A gateway with an open incident; all rows on which the models differ were reviewed, in their order."""
    with serving(config_file) as server:
        for number, row in enumerate(traffic(ROWS, harm=True)):
            server.client.post("/v2/models/m/infer", json=request(row, f"r-{number}")).raise_for_status()
        eventually(lambda: server.client.get("/v1/incidents").json()["incidents"])
        while (row := server.client.get("/v1/models/m/reviews/next", headers=of("ana")).json()["row"]) is not None:
            path = f"/v1/models/m/reviews/{row['id']}"
            server.client.post(path, headers=of("ana"), json={"answer": "a", "seconds": 1.0}).raise_for_status()
        yield server


def curl(server: Server, path: str, *options: str) -> str:
    """The body of an answer, asked for by curl; an error is a failure."""
    program = shutil.which("curl")
    assert program, "curl is missing"
    url = str(server.client.base_url).rstrip("/") + path
    return subprocess.run([program, "-sSf", *options, url], check=True, capture_output=True, text=True).stdout


def test_every_link_from_an_alert_to_the_card_and_back_is_followed(running: Server, config_file: Path) -> None:
    """Alert → event → incident → rows and reviews → label → statement → card → incident."""
    control = ("-H", f"Authorization: {AUTH['Authorization']}")
    (event, *_) = json.loads(curl(running, "/v1/events?kind=breach"))["events"]
    report = curl(running, f"/v1/models/m/incidents/{event['time']}")  # as an alert's `incident_url`
    incident = json.loads(curl(running, f"/v1/incidents/{event['incident']}"))
    links = incident["links"]
    assert curl(running, links["report"]) == report
    assert event["id"] in {each["id"] for each in json.loads(curl(running, links["events"]))["events"]}
    assert curl(running, links["file"], *control, "-o", "/dev/null", "-w", "%{content_type}") == "application/zip"
    (reviewed, *_) = csv.DictReader(io.StringIO(curl(running, links["reviews"], *control)))
    assert (reviewed["incident"], reviewed["label"] in {"0", "1"}) == (incident["id"], True)
    of_label = csv.DictReader(io.StringIO(curl(running, f"/v1/reviews.csv?request={reviewed['id']}", *control)))
    assert [each["reviewer"] for each in of_label] == [reviewed["reviewer"]]
    statement = json.loads(curl(running, links["statement"]))
    assert statement["artefact"] == incident["artefact"] == event["detail"]["compressed_digest"]
    assert statement["statement"]["subject"][0]["digest"]["sha256"] == incident["artefact"]
    assert (statement["verdict"], statement["card"]) == ("qualified", None)
    write_card(load(config_file, {}), "m", datetime.now(UTC))
    assert json.loads(curl(running, links["statement"]))["card"] == links["card"]
    card = curl(running, links["card"])
    assert "under /v1/models/m/incidents/ and its last column" in card
    assert str(event["time"]) in re.findall(r"<td[^>]*>([\d.]+)", card)
    assert incident["id"] in curl(running, statement["incidents"])


def test_card_of_another_artefact_or_statement_is_not_shown(running: Server, config_file: Path) -> None:
    """The page says which model serves; a card of another statement is not this one."""
    other = running.client.get("/v1/models/m/card", params={"artefact": "0" * 64})
    assert other.status_code == 404
    assert "now, and not '000" in other.json()["error"]
    write_card(load(config_file, {}), "m", datetime.now(UTC))
    assert running.client.get("/v1/models/m/card").headers["content-security-policy"].startswith("default-src 'none'")
    page = config_file.with_name("card.html")
    page.write_text("another card")
    assert "`tightrope card CONFIG` writes it" in running.client.get("/v1/models/m/card").json()["error"]
    page.unlink()
    assert running.client.get("/v1/models/m/card").status_code == 404
    assert MINORITY in running.client.get("/v1/overview").text
