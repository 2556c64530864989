"""A model that takes one value of an input a run answers rows of several values, each with its own."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.serving import row_models
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.adapters.runs.detached import detach
from tightrope.service.adapters.runs.watched_runs import runs_of
from tightrope.service.inference.row_axes.rows_first_model import RowsFirstModel

OUTPUTS = ["probabilities", "stateN"]


def listening_model(folder: Path) -> tuple[OnnxModel, RowsFirstModel]:
    """A model with a state on axis 1 and a shared scalar, as it is and rows first."""
    path = row_models.listening(folder / "m.onnx")
    model = pair_of(folder, baseline=str(path), compressed=str(path), decision={"output": "probabilities"}).models[
        Role.BASELINE
    ]
    assert isinstance(model, RowsFirstModel)
    return OnnxModel(path), model


def rows_of(*rates: int) -> Tensors:
    """Random rows, rows first, at these rates."""
    random = np.random.default_rng(2)
    return {
        "input": random.normal(size=(len(rates), 6)).astype(np.float32),
        "state": random.normal(size=(len(rates), 2, 8)).astype(np.float32),
        "sr": np.array(rates),
    }


@pytest.mark.parametrize("rates", [(16000, 16000, 16000), (16000, 8000, 16000, 4000)])
def test_each_row_has_its_own_value_of_a_shared_input(tmp_path: Path, rates: tuple[int, ...]) -> None:
    """Its answer is that of a run of its own, and the rows stay in their order."""
    plain, model = listening_model(tmp_path)
    inputs = rows_of(*rates)
    found = model.run(inputs, OUTPUTS)
    assert found["stateN"].shape == (2, len(rates), 8)
    for row, rate in enumerate(rates):
        own = {"input": inputs["input"][[row]], "state": inputs["state"][row][:, None], "sr": np.array(rate)}
        alone = plain.run(own, OUTPUTS)
        np.testing.assert_allclose(found["probabilities"][[row]], alone["probabilities"], rtol=1e-5)
        np.testing.assert_allclose(found["stateN"][:, [row]], alone["stateN"], rtol=1e-5)


@pytest.mark.parametrize("axes", [{}, {"probabilities": 0, "stateN": 0}])
def test_outputs_without_their_axis_are_not_joined(tmp_path: Path, axes: dict[str, int]) -> None:
    """Rows of several values cannot be told apart in them; one value needs no axis."""
    _, model = listening_model(tmp_path)
    model.output_axes = axes
    with pytest.raises(RunFailedError, match=r"output '(probabilities|stateN)' has no axis of rows"):
        model.run(rows_of(16000, 8000), OUTPUTS)
    assert model.run(rows_of(8000, 8000), OUTPUTS)["stateN"].shape == (2, 2, 8)


def test_runs_in_another_thread_are_watched_apart(tmp_path: Path) -> None:
    """The worker's copy of a model has runs of its own, and answers alike."""
    _, model = listening_model(tmp_path)
    detached = detach(model)
    assert runs_of(detached) is not runs_of(model)
    found = detached.run(rows_of(16000), OUTPUTS)
    np.testing.assert_array_equal(found["stateN"], model.run(rows_of(16000), OUTPUTS)["stateN"])
