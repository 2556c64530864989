"""`tightrope incidents` and `tightrope incident`, with a state folder and with a gateway."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.support.configs import TOKEN, write_config
from tests.support.harmful_pair import config, request, traffic
from tests.support.servers import serving
from tests.support.serving.service_harness import eventually
from tightrope.cli.main import app
from tightrope.offline.running_gateway import RefusedRequestError


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a gateway with an open incident."""
    folder = tmp_path_factory.mktemp("gateway")
    with serving(write_config(folder, {**config(folder, mode="armed"), "record": {}})) as server:
        for row in traffic(600, harm=True):
            server.client.post("/v2/models/m/infer", json=request(row)).raise_for_status()
        eventually(lambda: server.client.get("/v1/incidents").json()["incidents"])
        yield str(server.client.base_url)


def run(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    """The exit code and the output of a command."""
    result = CliRunner().invoke(app, list(map(str, arguments)), env=environment)
    return result.exit_code, result.output


def the_name(url: str) -> str:
    """The id of the only incident."""
    return str(json.loads(run("incidents", "--url", url, "--json")[1])["id"])


def test_a_gateway_is_asked_by_its_address(url: str, tmp_path: Path) -> None:
    """The list, one incident, and its file, which replays."""
    name, file, token = the_name(url), tmp_path / "i.zip", tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    assert run("incidents", "--url", url)[1].splitlines()[1].startswith(f"{name}\tm\t")
    assert "group=minority: breach, safe" in run("incident", name, "--url", url)[1]
    assert run("incident", name, "--url", url, "--export", file, "--token-file", token)[0] == 0
    code, output = run("replay", file)
    assert (code, "every state equal to the byte" in output) == (0, True)
    assert run("incidents", TIGHTROPE_URL=url)[1].splitlines()[1].startswith(name)


def test_a_file_without_the_token_is_refused_in_one_line(url: str, tmp_path: Path) -> None:
    """The line names the variable."""
    words = ["incident", the_name(url), "--url", url, "--export", str(tmp_path / "i.zip")]
    error = CliRunner().invoke(app, words, env={"TIGHTROPE_CONTROL_TOKEN": ""}).exception
    assert isinstance(error, RefusedRequestError)
    assert str(error).startswith("TIGHTROPE_CONTROL_TOKEN: is not set")


def test_report_opens_in_the_browser(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is printed, too: a terminal may have no browser."""
    opened = list[str]()
    monkeypatch.setattr(typer, "launch", opened.append)
    code, output = run("incident", the_name(url), "--url", url, "--open")
    assert (code, output.strip()) == (0, f"{url.rstrip('/')}/v1/incidents/{the_name(url)}.html")
    assert opened == [output.strip()]
    assert run("incident", "nope", "--url", url, "--open")[0] == 1


@pytest.mark.parametrize("words", [["incidents"], ["incident", "x"], ["incidents", "--url", "http://h", "a", "b"]])
def test_a_source_is_needed_and_one_incident(words: list[str]) -> None:
    """Anything else is a mistake of usage."""
    assert run(*words)[0] in {1, 2}
