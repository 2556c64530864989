"""`tightrope init` on the command line."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from rich.console import Console

from tests.support.csv_tables import SIGMOID_WEIGHTS, write_table
from tests.support.onnx_models import classifier
from tests.support.servers import serving
from tightrope.cli import console

Run = Callable[..., int]

ROWS = np.random.default_rng(5).normal(0, 2, (300, 2))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two classifiers of two features, in the folder where the command runs."""
    monkeypatch.chdir(tmp_path)
    changed = SIGMOID_WEIGHTS * np.float32(1.01)
    return classifier(tmp_path / "credit.onnx", SIGMOID_WEIGHTS), classifier(tmp_path / "int8.onnx", changed)


@pytest.fixture
def scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model whose numbers do not tell what they mean."""
    monkeypatch.chdir(tmp_path)
    return classifier(tmp_path / "scores.onnx", SIGMOID_WEIGHTS * 5, scores=True)


def test_output_fits_a_terminal(
    run: Run, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In 80 columns: what was found, the kind, the limits, the file, and the next command."""
    monkeypatch.setattr(console, "out", Console(width=80))
    data = write_table(Path("rows.csv"), ROWS)
    assert run("init", *files, "--data", data) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "kind classes" in lines
    assert any(line.startswith("  disagreement: limit 0.0") for line in lines)
    assert lines[-2:] == ["ok tightrope.yaml: written and checked", "next tightrope run tightrope.yaml"]


def test_written_configuration_runs(run: Run, files: tuple[Path, Path]) -> None:
    """A request is answered."""
    assert run("init", *files, "-o", "first.yaml") == 0
    text = Path("first.yaml").read_text()
    Path("first.yaml").write_text(f"{text}server: {{port: 0}}\n")
    body = {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 0.0]}]}
    with serving(Path("first.yaml").absolute()) as server:
        answer = server.client.post("/v2/models/credit/infer", json=body)
    assert answer.status_code == httpx.codes.OK
    assert answer.json()["parameters"]["served_by"] == "compressed"


def test_result_as_json(run: Run, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """One object."""
    assert run("init", *files, "--json", "--name", "m") == 0
    result = json.loads(capsys.readouterr().out)
    assert {key: result[key] for key in ("ok", "path", "model", "kind", "warnings")} == {
        "ok": True,
        "path": "tightrope.yaml",
        "model": "m",
        "kind": "classes",
        "warnings": [],
    }


def test_question_without_a_terminal_is_an_error(run: Run, scores: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the choices; --yes takes the first."""
    assert run("init", scores, scores) == 1
    assert "logits, one class a row (classes); " in capsys.readouterr().err
    assert run("init", scores, scores, "--yes") == 0
    (line,) = [line for line in Path("tightrope.yaml").read_text().splitlines() if "scale: logits" in line]
    assert "# default: the first choice: probabilities [rows, 2] holds numbers from " in line


def test_question_is_asked_on_a_terminal(
    run: Run, scores: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Again after a wrong answer; the numbers begin at 1."""

    class Terminal:
        """Answers of a person."""

        answers = ["x", "9", "4"]  # noqa: RUF012 - consumed

        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return f"{self.answers.pop(0)}\n"

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda *_: Terminal.answers.pop(0))
    assert run("init", scores, scores) == 0
    assert "scale: regression" in Path("tightrope.yaml").read_text()
    assert "  4 quantities (regression)" in capsys.readouterr().err
