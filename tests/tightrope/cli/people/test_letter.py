"""`tightrope letter` against a running gateway: HTML, plain text and JSON."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.configs import TOKEN, write_config
from tests.support.harmful_pair import config, request, traffic
from tests.support.servers import Server, serving
from tests.support.serving.service_harness import eventually
from tests.tightrope.cli.conftest import Run
from tightrope.service.api.week.iso_week import Week

THIS_WEEK = Week.of_time(time.time()).name


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway that has answered."""
    folder: Path = tmp_path_factory.mktemp("letter")
    priced = {"server": {"port": 0, "cost_per_hour": 0.05, "currency": "EUR"}}
    with serving(write_config(folder, config(folder, owner="team-m") | priced)) as running:
        for row in traffic(10, harm=False):
            running.client.post("/v2/models/m/infer", json=request(row)).raise_for_status()
        yield running


def test_letter_is_written_in_three_forms(run: Run, server: Server, tmp_path: Path) -> None:
    """By the end of the file's name; all of them are of one answer."""
    for name in ("letter.html", "letter.txt", "letter.json"):
        assert run("letter", "--url", server.address, "--week", THIS_WEEK, "--out", tmp_path / name) == 0
    document = json.loads((tmp_path / "letter.json").read_text())
    assert (document["week"], document["models"][0]["owner"]) == (THIS_WEEK, "team-m")
    assert document["money"] == {"cost_per_hour": 0.05, "currency": "EUR"}
    html, text = ((tmp_path / f"letter.{end}").read_text() for end in ("html", "txt"))
    assert html.startswith("<!doctype html>")
    assert "href" not in html
    assert "Was anybody harmed?" in html
    assert "Was anybody harmed?" in text


def test_letter_without_a_file_is_printed(run: Run, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """As plain text, of this week, which is not over."""
    assert run("letter", "--url", server.address) == 0
    printed = capsys.readouterr().out
    assert "This week is not over" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_harm_of_a_running_gateway_is_signed_off(server: Server) -> None:
    """The sign-off passes the judge into the trail, and the letter has it from then on."""
    for row in (row for seed in range(4) for row in traffic(96, harm=True, seed=seed)):
        server.client.post("/v2/models/m/infer", json=request(row)).raise_for_status()
    path = f"/v1/weeks/{THIS_WEEK}"
    decisions = eventually(lambda: server.client.get(path).json()["decisions"])
    body = {"decision": decisions[0]["id"], "reason": "trained anew", "actor": "Ann"}
    answer = server.client.post(f"{path}/decisions", json=body, headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.json().get("recorded")) == (200, True), answer.text
    assert server.client.get(path).json()["decisions"][-1]["signed"]["actor"] == "Ann"
    (event,) = server.client.get("/v1/events?kind=decided").json()["events"]
    assert event["id"] == answer.json()["event"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--week", "48"), "it must be a year and a week, such as 2026-W48"),
        (("--week", "2999-W01"), "is still to come"),
        (("--out", "letter.pdf"), "it must end with .html, .txt, .json"),
        (("--out", "no/folder/letter.txt"), "cannot be written"),
    ],
)
def test_mistake_is_one_clear_line(
    run: Run, server: Server, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    """With what would be right."""
    assert run("letter", "--url", server.address, *options) != 0
    assert words in " ".join(capsys.readouterr().err.replace("│", " ").split())
