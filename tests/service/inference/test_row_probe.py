"""Runs on made-up rows show whether a model's outputs are by rows; what it declares shows nothing."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import classifier, identity
from tests.support.serving import row_models
from tests.support.serving.fake_clock import FakeClock
from tests.support.serving.model_pairs import ONNX_TYPES, two_inputs
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import RunFailedError, UnreachableError
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.batchability import Findings, Proof
from tightrope.service.inference.row_probe import MAX_PROBE_SECONDS, MAX_ROWS, SIDES, probe_pair, probe_rows
from tightrope.service.protocol.tensors import TensorSpec


def probed(path: Path) -> Findings:
    """The findings for all outputs of a file."""
    model = OnnxModel(path)
    return probe_rows(model, [spec.name for spec in model.outputs])


@pytest.mark.parametrize(
    ("write", "proven"),
    [
        (lambda path: classifier(path, row_models.WEIGHTS), {"probabilities"}),
        (two_inputs, {"output"}),
        (row_models.labelled, {"probabilities", "label"}),
        (lambda path: row_models.embedded(path, 100), {"probabilities"}),
        (lambda path: row_models.embedded(path, 2), {"probabilities"}),
        (row_models.with_state, {"probabilities", "state"}),
        (row_models.with_mean, {"probabilities"}),
        (row_models.quantized, set()),
        (row_models.averaged, set()),
        (row_models.turned, set()),
        (row_models.summed, set()),
        (row_models.single, set()),
    ],
)
def test_outputs_are_by_rows_where_runs_show_it(
    tmp_path: Path, write: Callable[[Path], Path], proven: set[str]
) -> None:
    """Every other output of these is disproved: each mixes, loses or moves rows."""
    found = probed(write(tmp_path / "m.onnx"))
    assert {name for name, finding in found.items() if finding.proof is Proof.PROVEN} == proven
    assert {finding.proof for name, finding in found.items() if name not in proven} <= {Proof.DISPROVED}


@pytest.mark.parametrize("layers_axis", [0, 1])
def test_axis_that_grows_with_the_rows_is_theirs(tmp_path: Path, layers_axis: int) -> None:
    """Runs of 1, 2 and 3 rows show it, where all other sides stay; the declared shape does not count."""
    found = probed(row_models.with_state(tmp_path / "m.onnx", layers_axis=layers_axis))
    assert {name: finding.axis for name, finding in found.items()} == {"probabilities": 0, "state": 1 - layers_axis}


def test_output_without_an_axis_of_rows_is_told(tmp_path: Path) -> None:
    """Its shape stays however many rows there are."""
    finding = probed(row_models.with_mean(tmp_path / "m.onnx"))["mean"]
    assert (finding.proof, finding.axis) == (Proof.DISPROVED, None)
    assert finding.reason == (
        "no axis of it is the rows: 1 gave the shape [2], 2 gave the shape [2], 3 gave the shape [2]"
    )


def test_roles_with_rows_on_different_axes_are_refused(tmp_path: Path) -> None:
    """Callers would not know which rows are theirs."""
    files = {
        role: str(row_models.with_state(tmp_path / f"{role}.onnx", layers_axis=axis))
        for role, axis in (("baseline", 1), ("compressed", 0))
    }
    with pytest.raises(ConfigError) as refused:
        pair_of(tmp_path, **files, decision={"output": "probabilities"})
    (problem,) = refused.value.problems
    assert problem == (
        "models.m.compressed: output 'state' has rows on axis 1, the baseline's on axis 0; "
        "write compressed_tensors.read"
    )


@pytest.mark.parametrize("datatype", sorted(ONNX_TYPES))
def test_rows_are_made_of_every_datatype(tmp_path: Path, datatype: str) -> None:
    """An output that returns them is by rows; one that is equal for all rows cannot be told."""
    found = probed(identity(tmp_path / "m.onnx", ONNX_TYPES[datatype]))
    assert {name: finding.proof for name, finding in found.items()} == {
        "echo": Proof.PROVEN,
        "probabilities": Proof.UNKNOWN,
    }
    assert found["probabilities"].reason == "made-up rows all get the same answer"


class Scripted:
    """A model of one input x, whose answers a function gives."""

    digest = "0" * 64
    outputs = (TensorSpec("p", "FP32", (-1, 2)),)

    def __init__(self, answer: Callable[[Tensors], object], width: int = 1) -> None:
        self.inputs = (TensorSpec("x", "FP32", (-1, width)),)
        self.runs = 0
        self._answer = answer

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer."""
        self.runs += 1
        return dict.fromkeys(outputs, np.asarray(self._answer(inputs)))


def raising(error: Exception) -> Callable[[Tensors], object]:
    """An answer that fails."""

    def answer(inputs: Tensors) -> object:
        del inputs
        raise error

    return answer


@pytest.mark.parametrize(
    ("error", "runs", "reason"),
    [
        (RunFailedError("a wrong code"), 8, "no made-up row runs (last: a wrong code)"),
        (UnreachableError("gone"), 1, "it cannot be reached: gone"),
        (KeyError("bug"), 1, "made-up rows cannot be tried: 'bug'"),
    ],
)
def test_model_that_does_not_run_proves_nothing(error: Exception, runs: int, reason: str) -> None:
    """The probe never raises, and asks a server that is away only once."""
    model = Scripted(raising(error))
    finding = probe_rows(model, ["p"])["p"]
    assert (finding.proof, finding.reason, model.runs) == (Proof.UNKNOWN, reason, runs)


def test_lengths_of_free_sides_are_tried_until_a_row_runs() -> None:
    """Here only rows of 64 run."""

    def answer(inputs: Tensors) -> object:
        if inputs["x"].shape[1] != 64:
            raise RunFailedError("no")
        return inputs["x"].sum(axis=1, keepdims=True)

    model = Scripted(answer, width=-1)
    assert probe_rows(model, ["p"])["p"].proof is Proof.PROVEN
    assert model.runs == SIDES.index(64) + 10


def test_rows_without_finite_answers_prove_nothing() -> None:
    """NaN equals nothing, and infinity hides everything."""
    for value in (np.nan, np.inf):
        finding = probe_rows(Scripted(lambda inputs, value=value: inputs["x"] * 0 + value), ["p"])["p"]  # type: ignore[misc]
        assert (finding.proof, finding.reason) == (Proof.UNKNOWN, "made-up rows get no finite numbers")


def test_rows_that_say_the_same_are_followed_by_others() -> None:
    """A tree may split beyond the first rows; after a number of rows the probe cannot tell."""
    model = Scripted(lambda inputs: (np.abs(inputs["x"]) > 50) * 1.0)
    assert probe_rows(model, ["p"])["p"].proof is Proof.PROVEN
    constant = Scripted(lambda inputs: inputs["x"] * 0)
    assert probe_rows(constant, ["p"])["p"].proof is Proof.UNKNOWN
    assert constant.runs == MAX_ROWS + 7


@pytest.mark.parametrize("seconds", [MAX_PROBE_SECONDS / 17, MAX_PROBE_SECONDS / 4])
def test_probe_of_a_slow_model_ends(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Before it begins in earnest where one run shows it."""
    clock = FakeClock()
    monkeypatch.setattr("tightrope.service.inference.row_probe.time", clock)

    def answer(inputs: Tensors) -> object:
        clock.work(seconds * len(inputs["x"]))
        return inputs["x"]

    model = Scripted(answer)
    finding = probe_rows(model, ["p"])["p"]
    assert (finding.proof, finding.reason, model.runs) == (Proof.UNKNOWN, "made-up rows take too long", 1)


def test_both_models_of_a_pair_must_be_by_rows(tmp_path: Path) -> None:
    """And the reason names the output and the model."""
    healthy, mixing = classifier(tmp_path / "h.onnx", row_models.WEIGHTS), row_models.quantized(tmp_path / "q.onnx")
    for role, files in ((Role.COMPRESSED, (healthy, mixing)), (Role.BASELINE, (mixing, healthy))):
        pair = pair_of(tmp_path, baseline=str(files[0]), compressed=str(files[1]))
        assert pair.batchability.is_closed
        assert pair.batchability.describe() == (
            f"run apart: 'probabilities' of the {role} model: a row's answer depends on the other rows of its run"
        )
    assert pair_of(tmp_path, baseline=str(healthy), compressed=str(healthy)).batchability.is_open


def test_pair_that_runs_apart_by_configuration_is_probed_too() -> None:
    """Its rows stay apart, and the reason is the configuration; the scale of its outputs is checked all the same."""
    model = Scripted(lambda inputs: inputs["x"])
    batchability = probe_pair(dict.fromkeys(Role, model), "p", 1)
    assert (batchability.is_closed, batchability.reason) == (True, "batch_rows is 1")
    assert set(batchability.findings) == set(Role)
