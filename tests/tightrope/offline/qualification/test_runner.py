"""Every kind of decision runs through the stages."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save_model

from tests.support.csv_tables import read_settings, write_table
from tests.support.onnx_models import classifier, identity
from tests.support.qualified_reports import judge
from tightrope.monitors.qualification.cells import EXIT_CODES
from tightrope.monitors.records import Outcome

KINDS = {
    "classes": {"kind": "classes", "scale": "logits"},
    "binary": {"kind": "binary", "scale": "logits"},
    "multilabel": {"kind": "multilabel", "scale": "logits"},
    "regression": {"kind": "regression", "tolerance": 0.5},
    "embedding": {"kind": "embedding"},
}
ASKED = {"criteria": {"disagreement": {"model": 0.1}}, "scenarios": {"jitter": {0: 0.1}}}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_scores_can_be_qualified(tmp_path: Path, kind: str) -> None:
    """By the criteria of disagreement: the same model passes, and one that decides the opposite is harmful."""
    weights = np.array([[2, -1], [-1, 2]], np.float32)[:, : 1 if kind == "binary" else 2]
    rows = np.random.default_rng(3).normal(size=(400, 2)) + 3
    rows[::2] -= 6
    data = write_table(tmp_path / "rows.csv", rows)
    verdicts = []
    for factor in (1, -1):
        models = {
            "baseline": str(classifier(tmp_path / "b.onnx", weights, scores=True)),
            "compressed": str(classifier(tmp_path / "c.onnx", factor * weights, scores=True)),
        }
        model = {**models, "decision": KINDS[kind], "qualification": ASKED}
        report = judge(read_settings(tmp_path, {"models": {"m": model}}), data, tmp_path)
        verdicts.append(EXIT_CODES[report.verdict])
    assert verdicts == [0, 3]


def test_places_of_integers_can_be_qualified(tmp_path: Path) -> None:
    """A model that gives a class for each of two places."""
    model = str(identity(tmp_path / "m.onnx", TensorProto.INT64))
    section = {"baseline": model, "compressed": model, "decision": {"kind": "positions", "output": "echo"}}
    data = write_table(tmp_path / "rows.csv", np.arange(400).reshape(200, 2) % 3)
    report = judge(read_settings(tmp_path, {"models": {"m": {**section, "qualification": ASKED}}}), data, tmp_path)
    assert EXIT_CODES[report.verdict] == 0


def test_labels_can_be_qualified(tmp_path: Path) -> None:
    """A model that gives the number of a class, without probabilities."""
    graph = helper.make_graph(
        [helper.make_node("ArgMax", ["input"], ["label"], axis=1, keepdims=0)],
        "labels",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", 2])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"])],
    )
    model = tmp_path / "labels.onnx"
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(model))
    section = {"baseline": str(model), "compressed": str(model), "decision": {"kind": "labels", "classes": ["a", "b"]}}
    data = write_table(tmp_path / "rows.csv", np.random.default_rng(1).normal(size=(200, 2)))
    report = judge(read_settings(tmp_path, {"models": {"m": {**section, "qualification": ASKED}}}), data, tmp_path)
    assert EXIT_CODES[report.verdict] == 0


def test_label_confirms_no_several_labels(tmp_path: Path) -> None:
    """A confident answer of several labels is not taken for a wrong one: it counts where the other model differs."""
    weights = np.array([[2, -1], [-1, 2]], np.float32)
    inputs = np.random.default_rng(3).normal(size=(600, 2)) * 6
    data = write_table(tmp_path / "rows.csv", inputs, (inputs[:, 0] > 0).astype(int))
    models = {
        "baseline": str(classifier(tmp_path / "b.onnx", 0.1 * weights, scores=True)),
        "compressed": str(classifier(tmp_path / "c.onnx", weights, scores=True)),
    }
    section = {**models, "decision": KINDS["multilabel"]}
    report = judge(read_settings(tmp_path, {"models": {"m": section}}), data, tmp_path, costs=False)
    (cell,) = (each for each in report.cells if each.cell.criterion == "confident_wrong")
    assert cell.outcome is Outcome.PASS
    assert cell.cell.evidence is not None
    assert cell.cell.evidence.hits == 0
    assert not report.statement.predicate.data.labels
    assert [each for each in report.notes if "label" in each][:1] == [
        "a label is one class a row, which this decision is not: whether either model is right was not judged"
    ]
    assert "not judged: clear_disagreement: needs a margin, which the decision does not have" in report.notes


def test_flips_are_judged_beside_the_other_cells(tmp_path: Path) -> None:
    """A compressed model that is steeper flips more often under a jitter."""
    steep = np.array([[1, -1], [0, 0]], np.float32)
    models = {
        "baseline": str(classifier(tmp_path / "b.onnx", steep)),
        "compressed": str(classifier(tmp_path / "c.onnx", np.array([[0, 0], [0, 0]], np.float32))),
    }
    asked = {"criteria": {"flip_gap": {"model": 0.1}}, "scenarios": {"jitter": {0: 1.0}}}
    data = write_table(tmp_path / "rows.csv", np.stack([np.linspace(-0.5, 0.5, 300), np.zeros(300)], axis=1))
    swapped = {"baseline": models["compressed"], "compressed": models["baseline"]}
    verdicts = [
        EXIT_CODES[
            judge(read_settings(tmp_path, {"models": {"m": {**each, "qualification": asked}}}), data, tmp_path).verdict
        ]
        for each in (models, swapped)
    ]
    assert verdicts == [0, 3]
