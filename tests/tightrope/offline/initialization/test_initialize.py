"""The first configuration of a pair: what is written, checked and refused, with real models."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from tests.support.csv_tables import SIGMOID_WEIGHTS, write_table
from tests.support.onnx_models import classifier
from tightrope.monitors.records import Role
from tightrope.offline.initialization import proposal
from tightrope.offline.initialization.initialize import Initialized, PairFiles, initialize
from tightrope.offline.initialization.proposal import KindName, NoProposalError, Option
from tightrope.service.config.loader import ConfigError, load
from tightrope.wiring.configuration_check import check_configuration

ROWS = np.random.default_rng(5).normal(0, 2, (300, 2))


def pair(folder: Path, *, scores: bool = False, changed: float = 1.01, columns: int = 2) -> dict[Role, Path]:
    """Write two models of two features that differ a little."""
    weights = SIGMOID_WEIGHTS[:, :columns]
    return {
        Role.BASELINE: classifier(folder / "credit.onnx", weights, scores=scores),
        Role.COMPRESSED: classifier(folder / "int8.onnx", weights * np.float32(changed), scores=scores),
    }


def initialized(folder: Path, files: dict[Role, Path], answer: int = 0, **more: Any) -> Initialized:  # noqa: ANN401
    """Write the configuration."""
    return initialize(PairFiles(files, folder / "tightrope.yaml", lambda _: answer, **more))


def document(result: Initialized) -> dict[str, Any]:
    """Read the section of the written model."""
    models = YAML(typ="safe").load(result.path)["models"]
    assert list(models) == [result.name]
    return dict(models[result.name])


def test_classifier_is_written_and_accepted(tmp_path: Path) -> None:
    """Paths are relative to the file, the mode is advisory without limits, and each line has a source."""
    result = initialized(tmp_path, pair(tmp_path))
    assert (result.name, result.kind, result.warnings) == ("credit", KindName.CLASSES, [])
    assert document(result) == {
        "baseline": "credit.onnx",
        "compressed": "int8.onnx",
        "decision": {"output": "probabilities", "kind": "classes", "scale": "probabilities"},
        "mode": "advisory",
    }
    checked = check_configuration(result.path)
    assert (checked.problems, checked.warnings) == ([], [])
    lines = result.path.read_text().splitlines()[3:]
    assert all(line.partition("# ")[2].split(":")[0] in {"given", "probe", "default"} for line in lines)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_rows_add_limits_and_golden_rows(tmp_path: Path) -> None:
    """The model is armed then; the lines name the data."""
    data = write_table(tmp_path / "rows.csv", ROWS)
    result = initialized(tmp_path, pair(tmp_path), data=data, name="loans")
    written = document(result)
    assert (result.name, written["mode"], written["golden"]) == ("loans", "armed", "rows.csv")
    assert set(written["limits"]) >= {"disagreement", "confidence"}
    assert any("data: 300 rows of rows.csv" in line for line in result.path.read_text().splitlines())
    assert load(result.path, {}).models["loans"].planned_mode == "armed"


def test_few_rows_leave_the_model_advisory(tmp_path: Path) -> None:
    """No limit is written."""
    data = write_table(tmp_path / "rows.csv", ROWS[:12])
    result = initialized(tmp_path, pair(tmp_path), data=data)
    assert "limits" not in document(result)
    assert document(result)["mode"] == "advisory"
    assert any("too few for a limit" in line for line in result.seen)


def test_regression_has_a_tolerance(tmp_path: Path) -> None:
    """From made-up rows above rounding only, from a file a share of the span."""
    files = pair(tmp_path, scores=True, columns=1)
    result = initialized(tmp_path, files)
    first = document(result)["decision"]
    assert (first["scale"], result.kind, result.warnings) == ("regression", KindName.REGRESSION, [])
    assert 0 < first["tolerance"] < 0.01
    result.path.unlink()
    data = write_table(tmp_path / "rows.csv", ROWS)
    second = document(initialized(tmp_path, files, data=data))["decision"]
    assert 0.1 < second["tolerance"] < 1.0


def test_answer_is_the_source_of_the_scale(tmp_path: Path) -> None:
    """The first choice for logits is one class a row."""
    result = initialized(tmp_path, pair(tmp_path, scores=True))
    assert document(result)["decision"]["scale"] == "logits"
    assert "# answer: probabilities [rows, 2] holds numbers from" in result.path.read_text()


def test_kind_that_is_not_served_is_refused(tmp_path: Path) -> None:
    """With what was found; nothing is written."""
    with pytest.raises(NoProposalError, match=r"\(kind: ranking\); a later version has it"):
        initialized(tmp_path, pair(tmp_path, scores=True), answer=4)
    assert list(tmp_path.glob("*.yaml*")) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """The file stays as it is."""
    (tmp_path / "tightrope.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="exists already, and is never overwritten"):
        initialized(tmp_path, pair(tmp_path))
    assert (tmp_path / "tightrope.yaml").read_text() == "mine"


def test_models_of_two_scales_are_written_with_both(tmp_path: Path) -> None:
    """The compressed model gives logits where the baseline gives probabilities: check accepts what is written."""
    files = pair(tmp_path)
    files[Role.COMPRESSED] = classifier(tmp_path / "logits.onnx", SIGMOID_WEIGHTS * 9, scores=True)
    initialized(tmp_path, files)
    scales = {"baseline": "probabilities", "compressed": "logits"}
    assert load(tmp_path / "tightrope.yaml").models["credit"].decision.scales == scales


def test_configuration_that_check_refuses_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the scale of the compressed model is taken for the baseline's."""
    monkeypatch.setattr(proposal, "_scale", lambda _, scale, source="probe": Option("scale", scale, source))
    files = pair(tmp_path)
    files[Role.COMPRESSED] = classifier(tmp_path / "logits.onnx", SIGMOID_WEIGHTS * 9, scores=True)
    with pytest.raises(ConfigError) as refused:
        initialized(tmp_path, files)
    assert refused.value.problems[0].startswith("models.credit.decision.scale: is probabilities, but ")
    assert list(tmp_path.glob("*.yaml*")) + list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize(("file", "name"), [("my model.onnx", "my_model"), ("model.onnx", None), ("..x.onnx", "x")])
def test_name_follows_from_the_file(tmp_path: Path, file: str, name: str | None) -> None:
    """Or from the folder, where the file's name says nothing."""
    folder = tmp_path / "loans"
    folder.mkdir()
    path = classifier(folder / file, SIGMOID_WEIGHTS)
    assert initialized(tmp_path, {Role.BASELINE: path, Role.COMPRESSED: path}).name == (name or "loans")


def test_bad_name_is_refused(tmp_path: Path) -> None:
    """Before anything is loaded."""
    with pytest.raises(ConfigError, match="--name: is 'a b'; it must match"):
        initialized(tmp_path, {Role.BASELINE: tmp_path / "no", Role.COMPRESSED: tmp_path / "no"}, name="a b")


def test_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """One line, not a traceback."""
    with pytest.raises(ConfigError, match="cannot be written"):
        initialize(PairFiles(pair(tmp_path), tmp_path / "nowhere" / "t.yaml", lambda _: 0))
