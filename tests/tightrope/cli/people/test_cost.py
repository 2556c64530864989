"""`tightrope cost` against a running gateway."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.support.configs import write_config
from tests.support.harmful_pair import config, request, traffic
from tests.support.servers import Server, serving
from tests.support.serving.service_harness import eventually
from tests.tightrope.cli.conftest import Run
from tightrope.cli import console


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway that has answered and compared."""
    folder: Path = tmp_path_factory.mktemp("cost")
    with serving(write_config(folder, config(folder) | {"server": {"port": 0}})) as running:
        for row in traffic(30, harm=False):
            running.client.post("/v2/models/m/infer", json=request(row)).raise_for_status()
        parts = {"answer", "shadow"}
        eventually(lambda: parts <= {run["part"] for run in running.client.get("/v1/models/m/cost").json()["runs"]})
        yield running


def test_cost_on_a_terminal_fits_eighty_columns(
    run: Run, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence, a line for each part, the remainder apart, and what is not known."""
    monkeypatch.setattr(console, "out", Console(width=80))
    monkeypatch.setattr("tightrope.cli.people.cost.is_piped", lambda: False)
    assert run("cost", "--url", server.address) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    for words in ("watching", "answers of the small model", "all else: HTTP", "Most memory", "Energy:"):
        assert words in " ".join(printed.split())


def test_cost_in_a_pipe_and_as_json(run: Run, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """Tab-separated lines with a header, the remainder last; JSON is the API's."""
    assert run("cost", "--url", server.address) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["model", "part", "role", "cpu_seconds", "estimate"]
    assert {line[1] for line in lines[1:-1]} >= {"answer", "shadow"}
    assert lines[-1][1] == "remainder"
    assert run("cost", "--url", server.address, "--model", "m", "--json") == 0
    (document,) = json.loads(capsys.readouterr().out)
    assert document["model"] == "m"


def test_days_of_a_running_gateway_are_its_ledgers(
    run: Run, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """All requests of today, once the ledger has counted them."""

    def answered() -> int:
        assert run("cost", "--url", server.address, "--days", "2", "--json") == 0
        (document,) = json.loads(capsys.readouterr().out)
        assert document["missing"] == []
        return sum(sum(day["requests"].values()) for day in document["days"])

    eventually(lambda: answered() == 30)
