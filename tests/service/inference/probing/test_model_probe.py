"""The probe of a model learns the scale of its outputs, from rows that run and are finite."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.kinds.shaped_models import detector_pair
from tests.support.onnx_models import classifier
from tests.support.serving import row_models
from tests.support.serving.fake_clock import FakeClock
from tightrope.monitors.records import Tensors
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import RunFailedError, UnreachableError
from tightrope.service.inference.batchability import Proof
from tightrope.service.inference.probing.model_probe import MAX_SCALE_ROWS, probe_model
from tightrope.service.inference.row_probe import MAX_PROBE_SECONDS
from tightrope.service.inference.scales.learnt_scale import MIN_ROWS, LearntScale, OutputRange
from tightrope.service.protocol.tensors import TensorSpec


def scales(path: Path) -> dict[str, LearntScale | None]:
    """The learnt scale of each output of a file."""
    model = OnnxModel(path)
    return {name: found.scale for name, found in probe_model(model, [spec.name for spec in model.outputs]).items()}


@pytest.mark.parametrize(
    ("write", "range_"),
    [
        (lambda path: classifier(path, row_models.WEIGHTS), OutputRange.SUMS_TO_ONE),
        (lambda path: classifier(path, row_models.WEIGHTS, scores=True), OutputRange.UNBOUNDED),
        (lambda path: row_models.embedded(path, 2), OutputRange.SUMS_TO_ONE),
        (row_models.single, OutputRange.SUMS_TO_ONE),
    ],
)
def test_scale_of_real_models_is_learnt(tmp_path: Path, write: Callable[[Path], Path], range_: OutputRange) -> None:
    """Scores and probabilities are told apart; where indices are small, and where two rows cannot share a run."""
    found = scales(write(tmp_path / "m.onnx"))["probabilities"]
    assert found is not None
    assert (found.range, found.rows, found.columns) == (range_, MIN_ROWS, 2)


def test_outputs_that_are_no_row_of_numbers_have_no_scale(tmp_path: Path) -> None:
    """Labels and layers beside the probabilities."""
    found = scales(row_models.labelled(tmp_path / "l.onnx")) | scales(row_models.with_state(tmp_path / "s.onnx"))
    assert found["probabilities"] is not None
    assert (found["label"], found["state"]) == (None, None)


def test_output_that_has_not_one_entry_a_row_is_found(tmp_path: Path) -> None:
    """The boxes of one image are as many as there are; probabilities are by rows."""
    detector_pair(tmp_path)
    boxes = OnnxModel(tmp_path / "baseline.onnx")
    found = probe_model(boxes, [spec.name for spec in boxes.outputs])
    assert all(finding.entries and finding.entries > 1 for finding in found.values())
    rows = OnnxModel(classifier(tmp_path / "m.onnx", row_models.WEIGHTS))
    assert probe_model(rows, ["probabilities"])["probabilities"].entries is None


class Scripted:
    """A model whose answers a function gives."""

    digest = "0" * 64
    outputs = (TensorSpec("p", "FP32", (-1, 2)),)

    def __init__(self, answer: Callable[[Tensors], object], *inputs: TensorSpec) -> None:
        self.inputs = inputs or (TensorSpec("x", "FP32", (-1, 2)),)
        self.runs = 0
        self._answer = answer

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer."""
        self.runs += 1
        return dict.fromkeys(outputs, np.asarray(self._answer(inputs), dtype=np.float32))


def test_model_of_a_fixed_number_of_rows_is_run_row_by_row() -> None:
    """Its shapes show what it takes."""
    model = Scripted(lambda inputs: inputs["x"], TensorSpec("x", "FP32", (1, 2)), TensorSpec("s", "BYTES", (1, 1)))
    finding = probe_model(model, ["p"])["p"]
    assert finding.proof is Proof.DISPROVED
    assert finding.scale is not None
    assert finding.scale.range is OutputRange.UNBOUNDED


def test_rows_that_are_not_finite_or_fail_do_not_count() -> None:
    """Others take their place, up to a number of rows."""
    calls = iter(range(1000))

    def answer(inputs: Tensors) -> object:
        call = next(calls)
        if call % 3 == 1:
            raise RunFailedError("no")
        return inputs["x"] if call % 3 else inputs["x"] * np.nan

    fixed = TensorSpec("x", "FP32", (1, 2))
    found = probe_model(Scripted(answer, fixed), ["p"])["p"].scale
    assert found is not None
    assert found.rows == MIN_ROWS
    hopeless = Scripted(lambda inputs: inputs["x"] * np.nan, fixed)
    assert (probe_model(hopeless, ["p"])["p"].scale, hopeless.runs) == (None, MAX_SCALE_ROWS)


@pytest.mark.parametrize("error", [UnreachableError("gone"), KeyError("bug")])
def test_trouble_leaves_the_scale_unknown(error: Exception) -> None:
    """A model that is away is not asked again, and the probe never raises."""

    def answer(_: Tensors) -> object:
        raise error

    model = Scripted(answer, TensorSpec("x", "FP32", (1, 2)))
    assert (probe_model(model, ["p"])["p"].scale, model.runs) == (None, 1)


def test_slow_model_has_no_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds of the probe are those of all its runs."""
    clock = FakeClock()
    for module in ("row_probe", "probing.model_probe"):
        monkeypatch.setattr(f"tightrope.service.inference.{module}.time", clock)

    def answer(inputs: Tensors) -> object:
        clock.work(MAX_PROBE_SECONDS / 4)
        return inputs["x"]

    model = Scripted(answer)
    assert probe_model(model, ["p"])["p"].scale is None
    assert model.runs <= 6


def test_further_rows_are_like_the_first_that_ran() -> None:
    """Masks stay ones, indices small, strings are its own; images are whole bytes, and flags differ."""
    seen: list[Tensors] = []

    def answer(inputs: Tensors) -> object:
        seen.append(inputs)
        return inputs["x"]

    shapes = {"x": "FP32", "attention_mask": "INT64", "ids": "INT64", "image": "UINT8", "flag": "BOOL", "word": "BYTES"}
    model = Scripted(answer, *[TensorSpec(name, datatype, (1, 2)) for name, datatype in shapes.items()])
    assert probe_model(model, ["p"])["p"].scale is not None
    assert {(name, row[name].dtype) for row in seen for name in shapes} == {(n, seen[0][n].dtype) for n in shapes}
    values = {name: {value for row in seen for value in row[name].ravel().tolist()} for name in shapes}
    assert (values["attention_mask"], values["ids"], values["word"]) == ({1}, {0, 1}, {"a"})
    assert values["flag"] == {False, True}
    assert max(values["image"]) > 1
