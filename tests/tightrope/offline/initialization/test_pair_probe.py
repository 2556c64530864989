"""The findings about pairs of real files, without a configuration."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.onnx_models import classifier
from tests.support.serving import row_models
from tests.support.serving.mapped_pairs import network
from tests.support.serving.model_pairs import save
from tests.support.token_models import token_classifier
from tightrope.monitors.records import Role
from tightrope.offline.initialization.pair_probe import ProbedPair, probe_files
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.scales.learnt_scale import OutputRange


def probed(baseline: str | Path, compressed: str | Path) -> ProbedPair:
    """Probe two files."""
    return probe_files({Role.BASELINE: Path(baseline), Role.COMPRESSED: Path(compressed)})


def places(path: Path) -> Path:
    """Write a model of ``x`` (rows, places) that gives 5 numbers a place, the first one the largest."""
    nodes = [
        helper.make_node("Unsqueeze", ["x", "last"], ["column"]),
        helper.make_node("MatMul", ["column", "w"], ["mild"]),
        helper.make_node("Add", ["mild", "leader"], ["out"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([-1]), "last"),
        numpy_helper.from_array(np.full((1, 5), 0.001, np.float32), "w"),
        numpy_helper.from_array(np.eye(1, 5, dtype=np.float32), "leader"),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", "places"])
    return save(path, nodes, [given], [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)], constants)


def test_ranges_of_both_roles_are_found(tmp_path: Path) -> None:
    """With the extremes of the baseline's numbers, and lines for people."""
    weights = np.random.default_rng(0).normal(0, 1, (4, 3)).astype(np.float32)
    pair = probed(classifier(tmp_path / "b.onnx", weights), classifier(tmp_path / "c.onnx", weights, scores=True))
    (output,) = pair.findings.outputs
    assert (output.name, output.kind, output.sides, output.declared) == ("probabilities", "f", (3,), (3,))
    assert output.ranges == {Role.BASELINE: OutputRange.SUMS_TO_ONE, Role.COMPRESSED: OutputRange.UNBOUNDED}
    assert 0 <= output.low < output.high <= 1
    assert [(each.name, each.kind, each.sides) for each in pair.findings.inputs] == [("input", "f", (4,))]
    assert pair.lines[0] == "input FP32[-1, 4]"
    assert pair.lines[1] == "probabilities [rows, 3]: sums to one; requests share runs"


def test_mapping_is_told(tmp_path: Path) -> None:
    """Another name, FP16, and a compressed model of one row are as they are served."""
    compressed = network(tmp_path / "c.onnx", 0.1, x="input_1", kind="f2", rows=1)
    pair = probed(network(tmp_path / "b.onnx"), compressed)
    assert [each.name for each in pair.findings.inputs] == ["x"]
    assert pair.findings.outputs[0].range is OutputRange.SUMS_TO_ONE
    assert any("'input_1' is taken for the callers' 'x'" in line for line in pair.lines)


def test_inputs_of_integers_run(tmp_path: Path) -> None:
    """Free sides as well."""
    pair = probed(token_classifier(tmp_path / "b.onnx"), token_classifier(tmp_path / "c.onnx", 0.1))
    assert [(each.name, each.kind, each.sides) for each in pair.findings.inputs] == [
        ("ids", "i", (-1,)),
        ("weight", "f", (1,)),
    ]


def test_state_and_shared_scalar_are_found(tmp_path: Path) -> None:
    """The rows of the state are on another axis, so it does not decide; the inputs are shown as callers send them."""
    models = (row_models.listening(tmp_path / f"{nudge}.onnx", nudge) for nudge in (0.0, 0.01))
    pair = probed(*models)
    assert [output.name for output in pair.findings.outputs if output.is_by_rows] == ["probabilities"]
    assert pair.lines[:3] == [
        "input FP32[-1, -1]",
        "state FP32[2, -1, 8]: rows on axis 1",
        "sr INT64[]: shared by the rows",
    ]


def test_leader_of_places_is_found(tmp_path: Path) -> None:
    """The sides are those that ran."""
    pair = probed(places(tmp_path / "b.onnx"), places(tmp_path / "c.onnx"))
    (output,) = pair.findings.outputs
    assert len(output.sides) == 2
    assert output.sides[-1] == 5
    assert output.lead == 1.0


def test_every_file_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    """Both at once."""
    (tmp_path / "b.onnx").write_bytes(b"no model")
    with pytest.raises(ConfigError) as refused:
        probed(tmp_path / "b.onnx", tmp_path / "nowhere.onnx")
    assert [line.split(":")[0] for line in refused.value.problems] == ["baseline", "compressed"]


def test_pair_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """As `check` would."""
    narrow = classifier(tmp_path / "c.onnx", np.eye(3, 2, dtype=np.float32))
    with pytest.raises(ConfigError) as refused:
        probed(classifier(tmp_path / "b.onnx", np.eye(4, 2, dtype=np.float32)), narrow)
    assert "input 'input' is FP32[-1, 3], but the baseline's is FP32[-1, 4]" in refused.value.problems[0]


def test_model_that_runs_on_no_made_up_row_is_refused(tmp_path: Path) -> None:
    """With onnxruntime's reason, and what to do."""
    path = save(
        tmp_path / "b.onnx",
        [helper.make_node("Reshape", ["x", "shape"], ["p"])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["rows", 3])],
        [numpy_helper.from_array(np.array([-1, 3]), "shape")],
    )
    with pytest.raises(ConfigError, match=r"no made-up row runs \(last: .*write the configuration by hand"):
        probed(path, path)
