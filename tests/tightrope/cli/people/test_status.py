"""`tightrope status` and the orders against a running gateway whose minority is in safe mode."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.support.configs import TOKEN, write_config
from tests.support.harmful_pair import MINORITY, config, request, traffic
from tests.support.servers import Server, serving
from tests.support.serving.service_harness import eventually
from tests.tightrope.cli.conftest import Run
from tightrope.cli import console
from tightrope.service.config.loader import TOKEN_VARIABLE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway that has moved the minority to the full model."""
    folder: Path = tmp_path_factory.mktemp("status")
    whole = config(folder) | {"server": {"port": 0}, "safe_mode": {"min_dwell_seconds": 0, "recovery_samples": 1e6}}
    with serving(write_config(folder, whole)) as running:
        for row in traffic(400, harm=True):
            running.client.post("/v2/models/m/infer", json=request(row)).raise_for_status()
        eventually(lambda: running.client.get("/v1/models/m").json()["scopes"][MINORITY] == "safe")
        yield running


@pytest.fixture
def terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Print as on a terminal of eighty columns."""
    del run  # it makes the terminal wide
    monkeypatch.setattr(console, "out", Console(width=80))
    for module in ("status", "orders"):
        monkeypatch.setattr(f"tightrope.cli.people.{module}.is_piped", lambda: False)


@pytest.mark.usefixtures("terminal")
def test_status_fits_eighty_columns_and_cuts_no_name(
    run: Run, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """Headline, sentence, and the group with its rate, range and limit; 0 where callers are served well."""
    assert run("status", "--url", server.address) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].strip() == "i One group is answered by the full model."
    assert "Minority (group), about 17 % of requests." in lines[1]
    row = next(line for line in lines if line.startswith("■ minority"))
    assert "FULL" in row
    assert "differ" in row
    assert "no way back" in row
    assert any(line.split()[:2] == ["majority", "small"] for line in lines)


def test_status_in_a_pipe_is_tab_separated(run: Run, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A header and a line for each scope; the headline goes to standard error, so that programs read lines alone."""
    assert run("status", "--url", server.address) == 0
    printed = capsys.readouterr()
    header, *rows = [line.split("\t") for line in printed.out.splitlines()]
    assert [row[header.index("scope")] for row in rows] == ["model", MINORITY, "group=majority"]
    assert {len(row) for row in rows} == {len(header)}
    assert printed.err.startswith("One group is answered by the full model. ")


def test_address_may_come_from_the_environment(
    run: Run, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration in the call outweighs it."""
    monkeypatch.setenv("TIGHTROPE_URL", server.address)
    assert run("status", "--json", "--model", "m") == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["name"] == "m"
    assert run("status", "nowhere.yaml") == 1
    assert "nowhere.yaml" in capsys.readouterr().err


def test_gateway_without_an_answer_is_five(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """And a call without an address, or with two, is a usage error."""
    assert run("status", "--url", "http://127.0.0.1:9") == 5
    assert capsys.readouterr().err.startswith("no answer http://127.0.0.1:9: ")
    assert run("status") == 2
    assert run("status", "tightrope.yaml", "--url", "http://127.0.0.1:9") == 2


def test_unknown_model_is_a_mistake(run: Run, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names those that are served."""
    assert run("status", "--url", server.address, "--model", "nope") == 1
    assert "there are m" in capsys.readouterr().err


def test_events_of_a_gateway_are_those_of_its_state(
    run: Run, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the same filters; each is found by the name of its group."""
    assert run("events", "--url", server.address, "--since", "2h", "--kind", "breach") == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.startswith("seq\ttime\t")
    assert lines
    assert all(f"\t{MINORITY}\tbreach\t" in line for line in lines)
    assert "The full model took over for minority (group)" in lines[0]


@pytest.mark.usefixtures("terminal")
def test_order_shows_what_it_moves_and_asks(
    run: Run, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A no changes nothing; a yes is on record with its reason, and a release ends it."""
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    scope = ["--url", server.address, "m", "group=majority", "--reason", "trial", "--actor", "Ben"]
    monkeypatch.setattr("typer.confirm", lambda *_, **__: (_ for _ in ()).throw(SystemExit(1)))
    assert run("force-safe", *scope) == 1
    assert "from the small to the full model. It stays there" in capsys.readouterr().out
    assert server.client.get("/v1/models/m").json()["scopes"]["group=majority"] == "normal"
    monkeypatch.setattr("typer.confirm", lambda *_, **__: True)
    assert run("force-safe", *scope) == 0
    assert capsys.readouterr().out.endswith("Done, and on record.\n")
    assert server.client.get("/v1/models/m").json()["scopes"]["group=majority"] == "safe"
    assert run("force-normal", *scope, "--yes") == 0
    assert run("release", *scope, "--yes", "--json") == 0
    capsys.readouterr()
    assert run("events", "--url", server.address, "--kind", "force-safe", "--json") == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["actor"], last["reason"], last["scope"]) == ("Ben", "trial", "group=majority")


def test_order_without_a_terminal_needs_yes(run: Run, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one without a token, or about an unknown scope, is refused with the gateway's words."""
    scope = ["--url", server.address, "m", "group=majority", "--reason", "trial"]
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert run("force-safe", *scope) == 2
    assert run("force-safe", *scope[:2], "m", "--reason", "trial", "--yes") == 2
    assert run("force-safe", *scope[:3], "nope", "--reason", "trial", "--yes") == 1


def test_order_needs_the_token(run: Run, server: Server, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It comes from the environment, or from a file; one that is wrong is refused."""
    scope = ["--url", server.address, "m", "group=majority", "--reason", "trial", "--yes"]
    assert run("release", *scope) == 1
    assert "TIGHTROPE_CONTROL_TOKEN: is not set" in capsys.readouterr().err
    (tmp_path / "token").write_text("0123456789abcdef" * 4)
    (tmp_path / "token").chmod(0o600)
    assert run("release", *scope, "--token-file", tmp_path / "token") == 1
    assert "a valid bearer token is needed" in capsys.readouterr().err


def test_deployment_is_given_as_an_order(
    run: Run, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that does not exist is refused with the gateway's reason, and so is a rollback without a deployment."""
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    more = ["--url", server.address, "--reason", "distilled anew", "--yes"]
    assert run("deploy", "m", "none.onnx", *more) == 1
    assert "none.onnx" in capsys.readouterr().err
    assert run("rollback", "m", *more) == 1
    assert server.address in capsys.readouterr().err
