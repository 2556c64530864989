"""`tightrope dashboards`, as a user would run it; Grafana is a stand-in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import tightrope
from tests.support.observability import debian_servers
from tests.support.observability.fake_grafana import TOKEN, Grafana, grafana

BOARDS = {f"tightrope-{name}" for name in ("fleet", "model", "subgroups", "pipeline")}


@pytest.fixture
def server() -> Iterator[Grafana]:
    """A Grafana that holds nothing yet."""
    with grafana() as made:
        yield made


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """The token's file."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    return tmp_path / "token"


def test_apply_brings_everything_there(server: Grafana, secret: Path) -> None:
    """And says what it did, line by line."""
    options = ("--grafana", server.address, "--token-file", secret, "--prometheus", "http://prometheus:9090")
    ended = tightrope("dashboards", "apply", *options)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.splitlines()) == 2 + len(BOARDS)
    assert set(server.boards) == BOARDS
    assert {board["folderUid"] for board in server.boards.values()} == {"tightrope"}


def test_apply_to_nobody_is_one_line(secret: Path) -> None:
    """With the option that is wrong."""
    ended = tightrope("dashboards", "apply", "--grafana", "http://127.0.0.1:9", "--token-file", secret)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line == "error --grafana: http://127.0.0.1:9 is not to be had: ConnectionError"


def test_mistakes_name_their_option(server: Grafana, secret: Path, tmp_path: Path) -> None:
    """Before anybody is asked anything."""
    for options, told in (
        (("--grafana", "grafana:3000", "--token-file", secret), "--grafana: is 'grafana:3000'"),
        (("--grafana", server.address, "--token-file", tmp_path / "no"), "--token-file:"),
        (("--grafana", server.address, "--token-file", secret, "--prometheus", "p:1"), "--prometheus: is 'p:1'"),
    ):
        ended = tightrope("dashboards", "apply", *options)
        assert ended.returncode == 1
        assert ended.stderr.startswith(f"error {told}")
    assert server.calls == []


def test_rendered_rules_are_good_and_have_the_addresses(tmp_path: Path) -> None:
    """What people give to their Prometheus."""
    out = tmp_path / "out"
    more = ("--runbook", "http://wiki/t", "--gateway", "http://t:8080/")
    ended = tightrope("dashboards", "render", out, "--grafana", "http://g:3000/", *more)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert {path.stem for path in (out / "json").iterdir()} == BOARDS
    alerts = out / "rules" / "alerts.yml"
    assert "http://g:3000/d/tightrope-model?var-model=" in alerts.read_text()
    assert "http://wiki/t#tightropesafemode" in alerts.read_text()
    assert "http://t:8080/v1/models/{{ $labels.model }}/reports/newest" in alerts.read_text()
    assert debian_servers.said("promtool", "check", "rules", alerts, out / "rules" / "recording.yml")[0] == 0


def test_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """A file is in its place."""
    (tmp_path / "file").write_text("")
    ended = tightrope("dashboards", "render", tmp_path / "file")
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "cannot be written" in ended.stderr
