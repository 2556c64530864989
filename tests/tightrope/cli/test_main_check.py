import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.commands import tightrope
from tests.support.configs import write_config
from tests.support.harmful_pair import MAJORITY, MINORITY, config
from tests.support.onnx_models import classifier
from tightrope.service.config.loader import TOKEN_VARIABLE
from tightrope.serving.server import ListenAddress, ReadyCallback
from tightrope.wiring import embedded

Run = Callable[..., int]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A valid configuration."""
    return write_config(tmp_path, config(tmp_path))


def test_valid_configuration_is_described(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The output describes each model and ends with ok."""
    assert run("check", path) == 0
    out, errors = capsys.readouterr()
    assert out.splitlines()[-1] == f"ok {path}: 1 model (control is off: no token)"
    for fact in ("armed", "input FP32[-1, 4]", MINORITY, MAJORITY, "disagreement <= 0.1 (model, written), 0.2"):
        assert fact in out
    assert errors == ""
    assert not (path.parent / "state").exists(), "nothing is started"


def test_token_turns_control_on(
    run: Run, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line says only ok."""
    monkeypatch.setenv(TOKEN_VARIABLE, "a-long-enough-secret")
    assert run("check", path) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"ok {path}: 1 model"


def test_valid_configuration_as_json(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The output is one JSON object."""
    assert run("check", path, "--json") == 0
    out = json.loads(capsys.readouterr().out)
    assert (out["ok"], out["control"]) == (True, False)
    (model,) = out["models"]
    assert sorted(model["subgroups"]) == [MAJORITY, MINORITY, "group=other"]
    assert model["monitors"] == ["disagreement <= 0.1 (model, written), 0.2 (subgroups, written)"]


def test_one_model_in_both_roles_is_a_warning(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for people, and an entry in ``warnings`` for machines; the configuration is valid."""
    baseline = config(tmp_path)["models"]["m"]["baseline"]
    path = write_config(tmp_path, config(tmp_path, compressed=baseline))
    assert run("check", path) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning models.m.compressed: is the same model as the baseline (")
    assert run("check", path, "--json") == 0
    out, errors = capsys.readouterr()
    assert (json.loads(out)["warnings"], errors) == ([line.removeprefix("warning ")], "")


def _model(**changes: object) -> Callable[[Path], dict[str, Any]]:
    return lambda folder: config(folder, **changes)


def _file(**changes: object) -> Callable[[Path], dict[str, Any]]:
    return lambda folder: config(folder) | changes


def _narrow(folder: Path) -> dict[str, Any]:
    narrow = classifier(folder / "narrow.onnx", np.eye(3, 2, dtype=np.float32))
    return config(folder, compressed=str(narrow))


MISTAKES: dict[str, tuple[Callable[[Path], dict[str, Any]], str]] = {
    "an unknown key": (_file(modles={}), "modles: there is no such key"),
    "an unknown key of a model": (_model(baselin="x"), "models.m.baselin: there is no such key"),
    "no models": (_file(models={}), "models: "),
    "a missing file": (_model(compressed="gone.onnx"), "models.m.compressed: "),
    "another signature": (_narrow, "models.m.compressed: input 'input' is FP32[-1, 3]"),
    "an unknown monitor": (_model(limits={"speed": 0.1}), "models.m.limits: there is no monitor 'speed'"),
    "an impossible limit": (_model(limits={"disagreement": 0}), "models.m.limits.disagreement: "),
    "a port beyond all ports": (_file(server={"port": 70_000}), "server.port: "),
    "more than all requests": (_model(sampling={"rate": 2}), "models.m.sampling.rate: "),
    "a column that is not there": (
        _model(subgroups={"g": {"column": 9, "values": {"a": [1]}}}),
        "models.m.subgroups.g.column: ",
    ),
    "a token file that is not there": (
        _file(server={"control_token_file": "gone"}),
        "server.control_token_file: ",
    ),
    "a secret of the draws that is none": (_file(sampling_secret_file="tightrope.yaml"), "sampling_secret_file: "),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_one_line_that_names_the_key(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """It is on stderr for people and in ``problems`` for machines; the exit code is 1 for both."""
    make, expected = MISTAKES[name]
    path = write_config(tmp_path, make(tmp_path))
    assert run("check", path) == 1
    out, errors = capsys.readouterr()
    assert out == ""
    (line,) = errors.splitlines()
    assert line.startswith("error ")
    assert expected in line
    assert run("check", path, "--json") == 1
    out, errors = capsys.readouterr()
    assert json.loads(out) == {"ok": False, "problems": [line.removeprefix("error ")]}
    assert errors == ""


def test_all_mistakes_are_reported_at_once(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All mistakes of all models are reported by one run."""
    wrong = config(tmp_path, sampling={"rate": -1}, mode="brave") | {"alarm": 1}
    assert run("check", write_config(tmp_path, wrong)) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    for key in ("models.m.sampling.rate: ", "models.m.mode: ", "alarm: "):
        assert sum(key in line for line in lines) == 1
    wrong = config(tmp_path, baseline="gone.onnx", compressed="lost.onnx")
    wrong["models"]["n"] = wrong["models"]["m"]
    assert run("check", write_config(tmp_path, wrong)) == 1
    keys = [line.split(": ")[0] for line in capsys.readouterr().err.splitlines()]
    assert keys == [f"error models.{name}.{role}" for name in "mn" for role in ("baseline", "compressed")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [("models: [", "not YAML"), ("- a\n- b\n", "must be a map"), ("", "must be a map"), (None, "cannot be read")],
)
def test_invalid_file_is_one_line(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, expected: str
) -> None:
    """Broken YAML, a list, an empty file, no file."""
    path = tmp_path / "some.yaml"
    if content is not None:
        path.write_text(content)
    assert run("check", path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error {path}: ")
    assert expected in line


def test_markup_in_texts_is_printed_verbatim(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets in a path or in a value are neither swallowed nor a crash."""
    folder = tmp_path / "[red]"
    assert run("check", folder / "none.yaml") == 1
    assert f"error {tmp_path}/[red]/none.yaml: " in capsys.readouterr().err
    folder.mkdir()
    assert run("check", write_config(folder, config(folder))) == 0
    assert f"ok {tmp_path}/[red]/tightrope.yaml: " in capsys.readouterr().out
    assert run("check", write_config(folder, config(folder, version="[/]"))) == 1
    assert "[/]" in capsys.readouterr().err


def test_misspelt_variable_is_an_error(
    run: Run, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A TIGHTROPE_ variable that nothing reads would be silently without effect."""
    monkeypatch.setenv("TIGHTROPE_CONTROL_TOKN", "secret-secret-secret")
    assert run("check", path) == 1
    errors = capsys.readouterr().err
    assert "TIGHTROPE_CONTROL_TOKN" in errors
    assert "secret" not in errors.replace("TIGHTROPE_CONTROL_TOKEN", "")


def test_exit_codes_and_streams_of_the_process(tmp_path: Path) -> None:
    """Exit codes 0 and 1, descriptions on stdout, errors on stderr, no traceback."""
    good = tightrope("check", write_config(tmp_path, config(tmp_path)))
    assert (good.returncode, good.stderr) == (0, "")
    bad = tightrope("check", tmp_path / "none.yaml")
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.splitlines() == [f"error {tmp_path}/none.yaml: cannot be read: No such file or directory"]


def test_invalid_port_option_is_refused(run: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a usage error, and no other port is taken."""
    assert run("run", path, "--port", "99999") == 2
    assert "65535" in capsys.readouterr().err


def test_ipv6_address_is_a_url(
    run: Run, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URL has the IPv6 address in brackets."""

    def serve(_: object, ready: ReadyCallback, *__: object) -> None:
        ready(ListenAddress("::1", 8080, 8001))

    monkeypatch.setattr(embedded, "run", serve)
    assert run("run", path, "--json") == 0
    out = json.loads(capsys.readouterr().out)
    assert (out["address"], out["grpc"]) == ("http://[::1]:8080", "[::1]:8001")
