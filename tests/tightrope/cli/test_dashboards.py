"""`tightrope dashboards` in a process of its own, against a fake Grafana."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.commands import GRAFANA_LIBRARIES, tightrope, without_modules
from tests.support.observability import debian_servers
from tests.support.observability.fake_grafana import TOKEN, Grafana, grafana

BOARDS = {f"tightrope-{name}" for name in ("fleet", "model", "subgroups", "pipeline")}


@pytest.fixture
def server() -> Iterator[Grafana]:
    """An empty Grafana."""
    with grafana() as made:
        yield made


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """The token's file."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    return tmp_path / "token"


def test_apply_creates_everything(server: Grafana, secret: Path) -> None:
    """Every step is printed on a line."""
    options = ("--grafana", server.address, "--token-file", secret, "--prometheus", "http://prometheus:9090")
    ended = tightrope("dashboards", "apply", *options)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.splitlines()) == 2 + len(BOARDS)
    assert set(server.boards) == BOARDS
    assert {board["folderUid"] for board in server.boards.values()} == {"tightrope"}


def test_unreachable_grafana_is_one_line(secret: Path) -> None:
    """The error names the option."""
    ended = tightrope("dashboards", "apply", "--grafana", "http://127.0.0.1:9", "--token-file", secret)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line == "error --grafana: http://127.0.0.1:9 cannot be reached: ConnectionError"


def test_missing_library_is_one_line(server: Grafana, secret: Path, tmp_path: Path) -> None:
    """Only `apply` needs the extra; the line says how to install it."""
    hidden = without_modules(tmp_path, *GRAFANA_LIBRARIES)
    options = ("--grafana", server.address, "--token-file", secret)
    ended = tightrope("dashboards", "apply", *options, PYTHONPATH=hidden)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "error --grafana: Grafana needs more: pip install 'tightrope[grafana]'\n"
    assert tightrope("dashboards", "render", tmp_path / "out", PYTHONPATH=hidden).returncode == 0


def test_errors_name_their_option(
    server: Grafana, secret: Path, tmp_path: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Options are checked before any call to Grafana."""
    for options, error in (
        (("--grafana", "grafana:3000", "--token-file", secret), "--grafana: is 'grafana:3000'"),
        (("--grafana", server.address, "--token-file", tmp_path / "no"), "--token-file:"),
        (("--grafana", server.address, "--token-file", secret, "--prometheus", "p:1"), "--prometheus: is 'p:1'"),
    ):
        assert run("dashboards", "apply", *options) == 1
        assert capsys.readouterr().err.startswith(f"error {error}")
    assert server.calls == []


def test_rendered_rules_are_valid_and_have_the_addresses(tmp_path: Path) -> None:
    """The written files are valid rules for Prometheus."""
    out = tmp_path / "out"
    more = ("--runbook", "http://wiki/t", "--gateway", "http://t:8080/")
    ended = tightrope("dashboards", "render", out, "--grafana", "http://g:3000/", *more)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert {path.stem for path in (out / "json").iterdir()} == BOARDS
    alerts = out / "rules" / "alerts.yml"
    assert "http://g:3000/d/tightrope-model?var-cluster=" in alerts.read_text()
    assert "http://wiki/t#tightropesafemode" in alerts.read_text()
    assert "http://t:8080/v1/models/{{ $labels.model }}/reports/newest" in alerts.read_text()
    assert debian_servers.run_tool("promtool", "check", "rules", alerts, out / "rules" / "recording.yml")[0] == 0


def test_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    """The path is a file."""
    (tmp_path / "file").write_text("")
    ended = tightrope("dashboards", "render", tmp_path / "file")
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "cannot be written" in ended.stderr
