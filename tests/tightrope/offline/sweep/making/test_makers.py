import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from tests.support.onnx_models import classifier
from tightrope.offline.sweep.making.makers import TOOLS, make_variant, weights_of
from tightrope.offline.sweep.making.recipes import Recipe, read_recipes

WEIGHTS = np.random.default_rng(3).normal(size=(64, 8)).astype(np.float32)
ROWS = {"input": np.random.default_rng(4).normal(size=(200, 64)).astype(np.float32)}


def made(folder: Path, recipe: Recipe) -> Path:
    """Make a variant of a classifier."""
    target = folder / f"{recipe.name}.onnx"
    make_variant(recipe, classifier(folder / "baseline.onnx", WEIGHTS), target, [ROWS])
    return target


def answers(path: Path) -> object:
    """Run a model on the rows."""
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, ROWS)[0]


@pytest.mark.parametrize("recipe", read_recipes("dynamic,static,fp16,prune:0.3"), ids=lambda recipe: recipe.name)
def test_a_variant_answers_nearly_as_its_baseline(
    recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From the same inputs, and with the same types; the libraries' advice is kept from the terminal."""
    with caplog.at_level(logging.WARNING):
        path = made(tmp_path, recipe)
    assert caplog.records == []
    close = np.abs(np.asarray(answers(path)) - np.asarray(answers(tmp_path / "baseline.onnx"))).mean()
    assert close < 0.05
    assert path.read_bytes() != (tmp_path / "baseline.onnx").read_bytes()


def test_pruning_zeroes_the_smallest_weights(tmp_path: Path) -> None:
    """Exactly the share that was asked for, and changes no other."""
    (recipe,) = read_recipes("prune:0.25")
    (weights,) = weights_of(onnx.load(made(tmp_path, recipe)))
    values = numpy_helper.to_array(weights)
    kept = values != 0
    assert kept.sum() == 0.75 * WEIGHTS.size
    assert (values[kept] == WEIGHTS[kept]).all()
    assert np.abs(WEIGHTS[~kept]).max() <= np.abs(WEIGHTS[kept]).min()


def test_a_variant_is_the_same_bytes_again(tmp_path: Path) -> None:
    """Its manifest would not hold otherwise."""
    for recipe in read_recipes("dynamic,static,fp16,prune:0.5"):
        first = made(tmp_path, recipe).read_bytes()
        assert made(tmp_path, recipe).read_bytes() == first


def test_tools_are_named_with_their_versions() -> None:
    """As a manifest lists them."""
    assert {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__} == TOOLS
