"""Runs on made-up rows show where the rows of inputs are, and which inputs they share."""

from pathlib import Path

import pytest

from tests.support.onnx_models import classifier
from tests.support.serving import row_models
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.records import Role
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.row_axes.input_axes import MOST_SHARED, combinations, find_axes, find_layout
from tightrope.service.protocol.tensors import TensorSpec

DECIDES = {"output": "probabilities"}


def listening_pair(folder: Path, **section: object) -> ModelPair:
    """A pair with a state on axis 1 and a shared scalar."""
    files = {
        str(role): str(row_models.listening(folder / f"{role}.onnx", nudge))
        for role, nudge in ((Role.BASELINE, 0.0), (Role.COMPRESSED, 0.01))
    }
    return pair_of(folder, **files, decision=DECIDES, **section)


@pytest.mark.parametrize(("state_axis", "shape"), [(1, (2, -1, 8)), (2, (2, 8, -1))])
def test_axes_are_those_that_prove_the_outputs(tmp_path: Path, state_axis: int, shape: tuple[int, ...]) -> None:
    """The state's free axis is its rows', and the scalar is shared."""
    model = OnnxModel(row_models.listening(tmp_path / "m.onnx", state_axis=state_axis))
    assert model.inputs[1].shape == shape
    assert find_axes(Role.BASELINE, model, "probabilities") == {"input": 0, "state": state_axis, "sr": None}


def test_pair_is_batched_with_its_state(tmp_path: Path) -> None:
    """Its callers see the declared shapes; within, rows come first."""
    pair = listening_pair(tmp_path)
    assert (pair.batchability.describe(), pair.batchability.axes) == ("share runs", {"stateN": 1})
    assert [spec.shape for spec in pair.declared_inputs] == [(-1, -1), (2, -1, 8), ()]
    assert [spec.shape for spec in pair.inputs] == [(-1, -1), (-1, 2, 8), (-1,)]
    assert pair.has_free_rows


def test_column_of_a_subgroup_counts_without_the_axis_of_rows(tmp_path: Path) -> None:
    """An input with its rows on axis 0 has columns; a state (2, rows, 8) has two sides beside its rows, and none."""
    column = {"input": "input", "column": 5, "values": {"v": [1]}}
    assert listening_pair(tmp_path, subgroups={"s": column}).plan.scopes == ("model", "s=v", "s=other")
    with pytest.raises(ConfigError) as refused:
        listening_pair(tmp_path, subgroups={"s": {**column, "input": "state"}})
    assert refused.value.problems == ["models.m.subgroups.s.column: is 5; input 'state' is FP32[-1, 2, 8]"]


def test_plain_pair_is_as_it_was(tmp_path: Path) -> None:
    """No model stands between it and its callers."""
    path = classifier(tmp_path / "m.onnx", row_models.WEIGHTS)
    pair = pair_of(tmp_path, baseline=str(path), compressed=str(path))
    assert pair.layout is None
    assert {type(model) for model in pair.models.values()} == {OnnxModel}


def test_roles_with_other_axes_are_refused(tmp_path: Path) -> None:
    """Each input that differs is named, with both axes."""
    paths = {
        role: OnnxModel(row_models.listening(tmp_path / f"{role}.onnx", state_axis=axis))
        for role, axis in ((Role.BASELINE, 1), (Role.COMPRESSED, 2))
    }
    _, conflicts = find_layout(paths, "probabilities")
    assert conflicts == ["input 'state' has rows on axis 2, the baseline's on axis 1; write compressed_tensors.prepare"]


def test_free_side_is_never_shared() -> None:
    """Broadcasting would seem to prove that callers may share it; nor is a large tensor, or all rows on no axis 0."""
    mask, big = TensorSpec("mask", "FP32", (1, -1)), TensorSpec("big", "FP32", (MOST_SHARED + 1,))
    rows, scalar = TensorSpec("x", "FP32", (-1, -1)), TensorSpec("sr", "INT64", ())
    assert list(combinations([rows, mask])) == [{"x": 0, "mask": 1}]
    assert list(combinations([rows, big])) == []
    assert list(combinations([mask, scalar])) == []
    assert list(combinations([rows, scalar])) == [{"x": 0, "sr": None}]
