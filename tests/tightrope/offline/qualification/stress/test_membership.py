from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.support.csv_tables import pair_settings, read_settings, write_table
from tests.support.onnx_models import classifier
from tests.support.qualified_reports import judge
from tightrope.monitors.records import Outcome, Role
from tightrope.service.inference.row_files.row_file import RowFileError

ASKED = {"criteria": {"membership": {"model": 0.05}}}
ROWS = 1500


def write_rows(folder: Path, name: str, *, is_trained: bool, seed: int, labelled: bool = True) -> Path:
    """Rows of two features: the first says nothing about the label, which is a coin. The second one is the label of
    rows of the training, as if a model had learnt them by heart, and 0 of others.
    """
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, ROWS)
    memory = np.where(label == 0, 1.0, -1.0) if is_trained else np.zeros(ROWS)
    inputs = np.stack([rng.normal(size=ROWS), memory], axis=1)
    return write_table(folder / f"{name}.csv", inputs, label if labelled else None)


def files(folder: Path) -> tuple[Path, Path]:
    """Rows that judge, and rows of the training."""
    return (
        write_rows(folder, "rows", is_trained=False, seed=1),
        write_rows(folder, "members", is_trained=True, seed=2),
    )


def test_model_that_learnt_rows_by_heart_is_accused(tmp_path: Path) -> None:
    """A compressed model that tells less than its baseline does no harm."""
    rows, members = files(tmp_path)
    remembering = [[1, 0], [4, 0]]
    harmful = pair_settings(tmp_path, remembering, qualification=ASKED)
    report = judge(harmful, rows, tmp_path, costs=False, members=members)
    (cell,) = report.cells
    assert (cell.cell.criterion, cell.outcome) == ("membership", Outcome.BREACH)
    assert cell.cell.evidence is not None
    assert cell.cell.evidence.at_least > 0.8
    found = report.statement.predicate.measured.scenarios["membership"]
    assert found["advantage"]["compressed"]["lower"] > 0.3 > found["advantage"]["baseline"]["upper"]
    assert found["pairs"] == min(found["members"], found["others"]) > 1000

    model = harmful.models["m"]
    turned = read_settings(
        tmp_path,
        {
            "models": {
                "m": {"baseline": str(model.compressed), "compressed": str(model.baseline), "qualification": ASKED}
            }
        },
    )
    (good,) = judge(turned, rows, tmp_path, costs=False, members=members).cells
    assert good.outcome is Outcome.PASS


@pytest.mark.parametrize("decision", [{"kind": "classes"}, {"kind": "binary", "output": "probabilities"}])
def test_kinds_with_probabilities_of_classes_are_measured(tmp_path: Path, decision: dict[str, str]) -> None:
    """As the decision without a kind; the probability of class 1 tells that of class 0."""
    rows, members = files(tmp_path)
    settings = pair_settings(tmp_path, [[1, 0], [4, 0]], qualification=ASKED)
    plain = judge(settings, rows, tmp_path, costs=False, members=members)
    section = {str(role): str(getattr(settings.models["m"], role)) for role in Role}
    if decision["kind"] == "binary":
        section = {role: str(yes_model(Path(path))) for role, path in section.items()}
    kind = read_settings(tmp_path, {"models": {"m": {**section, "decision": decision, "qualification": ASKED}}})
    found = judge(kind, rows, tmp_path, costs=False, members=members)
    name = "membership"
    ours, theirs = (each.statement.predicate.measured.scenarios[name] for each in (found, plain))
    assert ours["advantage"] == theirs["advantage"]


def yes_model(path: Path) -> Path:
    """A model that gives the probability of class 1 alone, of one that gives both."""
    model = onnx.load(str(path))
    (output,) = model.graph.output
    model.graph.node[-1].output[0] = "both"
    one = [numpy_helper.from_array(np.array([number]), name) for name, number in (("from", 1), ("to", 2), ("on", 1))]
    model.graph.initializer.extend(one)
    model.graph.node.append(helper.make_node("Slice", ["both", "from", "to", "on"], [output.name]))
    output.type.tensor_type.shape.dim[1].dim_value = 1
    target = path.with_name(f"yes_{path.name}")
    onnx.save(model, str(target))
    return target


def test_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    """The order of a file does not matter for what is chosen."""
    rows, members = files(tmp_path)
    settings = pair_settings(tmp_path, [[1, 0], [4, 0]], qualification=ASKED)
    first, second = (judge(settings, rows, tmp_path, costs=False, members=members) for _ in range(2))
    assert first.stress.document == second.stress.document
    header, *lines = members.read_text().splitlines()
    members.write_text("\n".join([header, *reversed(lines)]) + "\n")
    assert judge(settings, rows, tmp_path, costs=False, members=members).stress.document == first.stress.document


def test_criterion_without_rows_of_the_training_is_no_pass(tmp_path: Path) -> None:
    """It says what is missing; without criterion and rows nothing is measured."""
    rows, members = files(tmp_path)
    settings = pair_settings(tmp_path, qualification=ASKED)
    (cell,) = judge(settings, rows, tmp_path, costs=False).cells
    assert (cell.outcome, cell.note) == (
        Outcome.ERROR,
        "not measured: no rows of the training were given: --members FILE",
    )
    plain = pair_settings(tmp_path)
    assert judge(plain, rows, tmp_path, costs=False).stress.document == {}
    assert "advantage" in judge(plain, rows, tmp_path, costs=False, members=members).stress.document["membership"]


def test_rows_of_both_files_are_left_out(tmp_path: Path) -> None:
    """A row is of the training or it is not."""
    rows, _ = files(tmp_path)
    settings = pair_settings(tmp_path, qualification=ASKED)
    report = judge(settings, rows, tmp_path, costs=False, members=rows)
    assert report.stress.document["membership"]["in_both"] == ROWS
    assert report.cells[0].outcome is Outcome.INSUFFICIENT


def test_labels_that_are_missing_are_said(tmp_path: Path) -> None:
    """Either file may lack them; a file that cannot be read is refused by its name."""
    rows, members = files(tmp_path)
    settings = pair_settings(tmp_path, qualification=ASKED)
    bare = write_rows(tmp_path, "bare", is_trained=True, seed=3, labelled=False)
    for data, training in ((rows, bare), (bare, members)):
        reason = judge(settings, data, tmp_path, costs=False, members=training).stress.document["membership"]["reason"]
        assert reason == "does not apply: bare.csv has no labels"
    with pytest.raises(RowFileError, match=r"nothing\.csv"):
        judge(settings, rows, tmp_path, costs=False, members=tmp_path / "nothing.csv")


def test_decision_without_classes_is_told(tmp_path: Path) -> None:
    """A regression has no probability of a label."""
    model = str(classifier(tmp_path / "m.onnx", np.ones((2, 1), np.float32), scores=True))
    section = {"baseline": model, "compressed": model, "decision": {"kind": "regression", "tolerance": 0.5}}
    settings = read_settings(tmp_path, {"models": {"m": section}})
    rows, members = files(tmp_path)
    found = judge(settings, rows, tmp_path, costs=False, members=members).stress.document["membership"]
    assert found["reason"] == "does not apply: the decision has no probabilities of classes"
