from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.support.onnx_models import classifier
from tightrope.offline.sweep.making.makers import weights_of
from tightrope.offline.sweep.making.tensor_changes import TensorChange, TensorTrial, tensor_trials, write_changed

WEIGHTS = np.random.default_rng(3).normal(size=(64, 8)).astype(np.float32)


def test_trials_are_ordered_by_what_a_tensor_loses(tmp_path: Path) -> None:
    """Half of the values lose more than a rounding; the figures are those of the definition."""
    trials = tensor_trials(classifier(tmp_path / "m.onnx", WEIGHTS))
    assert [(each.tensor, each.change) for each in trials] == [
        ("weights", TensorChange.PRUNED),
        ("weights", TensorChange.EIGHT_BITS),
    ]
    small = np.sort(np.abs(WEIGHTS), axis=None)[: WEIGHTS.size // 2]
    assert trials[0].decibels == pytest.approx(10 * np.log10(np.square(WEIGHTS).sum() / np.square(small).sum()))
    assert 35 < trials[1].decibels < 55


def test_a_change_without_a_difference_is_no_trial(tmp_path: Path) -> None:
    """Half of the values are zero already, and the others are kept by 8 bits."""
    assert tensor_trials(classifier(tmp_path / "m.onnx", np.eye(2, dtype=np.float32))) == []


@pytest.mark.parametrize("change", TensorChange)
def test_one_tensor_is_changed(tmp_path: Path, change: TensorChange) -> None:
    """And the file is a model as before."""
    baseline, target = classifier(tmp_path / "m.onnx", WEIGHTS), tmp_path / "changed.onnx"
    write_changed(baseline, TensorTrial("weights", change, 0.0), target)
    (tensor,) = weights_of(onnx.load(target))
    values = numpy_helper.to_array(tensor)
    assert (values != WEIGHTS).any()
    zeros = int((values == 0).sum())
    assert zeros == WEIGHTS.size // 2 if change is TensorChange.PRUNED else len(np.unique(values)) <= 255
    onnx.checker.check_model(onnx.load(target))
