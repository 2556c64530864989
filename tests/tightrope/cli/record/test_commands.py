import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.judgement.recorded import RecordedJudge
from tightrope.cli.main import app


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration whose state has one incident."""
    folder = tmp_path_factory.mktemp("state")
    judged = RecordedJudge(folder)
    judged.judge_harm()
    judged.stop()
    path = folder / "tightrope.yaml"
    path.write_text("models: {m: {baseline: b.onnx, compressed: c.onnx}}\nstate: .\nrecord: {}\n")
    return path


def run(*arguments: str | Path) -> tuple[int, str]:
    """The exit code and the output of a command."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    return result.exit_code, result.output


def test_incidents_are_listed_exported_and_replayed(config: Path) -> None:
    """From the list to the verdict of the replay, as a user does it."""
    code, listed = run("incidents", config)
    header, line = listed.splitlines()
    assert (code, header.split("\t")[0], line.split("\t")[5]) == (0, "id", "yes")
    name, export = line.split("\t")[0], config.parent / "e.zip"
    assert run("incidents", config, name, "--export", export)[0] == 0
    code, replayed = run("replay", export)
    assert (code, "every state equal to the byte" in replayed) == (0, True)
    assert "recorded on a processor" in replayed
    code, replayed = run("replay", export, "--decisions")
    assert (code, "the same 2 moves" in replayed) == (0, True)
    assert json.loads(run("incidents", config, name, "--json")[1])["id"] == name
    assert "group=a: breach, safe" in run("incidents", config, name)[1]


def test_other_limits_are_tried(config: Path) -> None:
    """With a high limit nothing moves; a limit that cannot be read is a mistake of usage."""
    high = ("whatif", config, "--limits", "disagreement=0.69")
    assert run(*high) == (0, "With disagreement 0.69 in every scope:\nNobody would have moved.\n")
    assert "answer 80" in run("whatif", config, "--limits", "disagreement=0.1", "--scope", "group=a")[1]
    assert run("whatif", config, "--limits", "disagreement")[0] == 2


def test_a_replay_that_differs_has_its_exit_code(config: Path) -> None:
    """A digest that is not met again, and a move that does not come again, are exit code 3."""
    import zipfile

    export, changed = config.parent / "d.zip", config.parent / "changed.zip"
    name = run("incidents", config)[1].splitlines()[1].split("\t")[0]
    run("incidents", config, name, "--export", export)
    with zipfile.ZipFile(export) as archive, zipfile.ZipFile(changed, "w") as copy:
        for each in archive.namelist():
            content = archive.read(each)
            copy.writestr(each, content.replace(b'"breach"', b'"blind"') if each == "incident.json" else content)
    assert run("replay", changed)[0] == 3
    code, output = run("replay", changed, "--decisions")
    assert (code, "the moves differ" in output) == (3, True)
