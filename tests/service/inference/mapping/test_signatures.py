"""Models whose tensors differ in names, types or rows become a pair, or are refused with what to write."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from tests.support.serving.mapped_pairs import ROWS, columns, network
from tests.support.serving.service_harness import GatewayHarness, pair_of
from tightrope.monitors.records import Role
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.mapping.mapped_model import MappedModel
from tightrope.service.protocol.tensors import Tensor, TensorSpec


def body(rows: Tensor) -> dict[str, Any]:
    """A request with these rows as ``x``."""
    return {"inputs": [{"name": "x", "shape": [*rows.shape], "datatype": "FP32", "data": rows.ravel().tolist()}]}


def answers(folder: Path, rows: Tensor = ROWS, output: str = "p", **model: Any) -> list[Tensor]:  # noqa: ANN401 - any key
    """Return the answers of the compressed model, through the engine, and of the baseline."""
    served = GatewayHarness(folder, {"m": model})
    answer = served.infer("m", body(rows))
    assert answer.parameters["served_by"] == "compressed"
    baseline = served.pairs["m"].models[Role.BASELINE].run({"x": rows}, [output])
    return [answer.outputs[output], baseline[output]]


def refusal(folder: Path, **model: Any) -> list[str]:  # noqa: ANN401 - any key of a model
    """The mistakes of a pair."""
    with pytest.raises(ConfigError) as caught:
        pair_of(folder, **model)
    return [problem.removeprefix("models.m.") for problem in caught.value.problems]


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize(
    ("other", "side", "note"),
    [
        ({"x": "input_1"}, {"inputs": {"input_1": "x"}}, "compressed: input 'input_1' is taken for the callers' 'x'"),
        (
            {"p": "out_0"},
            {"outputs": {"out_0": "p"}},
            "compressed: output 'out_0' is taken for the callers' 'p'",
        ),
    ],
)
def test_other_names_are_mapped(
    tmp_path: Path, other: dict[str, str], side: dict[str, Any], note: str, *, written: bool
) -> None:
    """The only tensor that is left is taken, and told; one that is written needs no note."""
    files: dict[str, Any] = {
        "baseline": network(tmp_path / "b.onnx"),
        "compressed": network(tmp_path / "c.onnx", **other),
    }
    files |= {"compressed_tensors": side} if written else {}
    pair = pair_of(tmp_path, **files)
    assert list(pair.notes) == ([] if written else [note])
    assert (pair.inputs, pair.outputs) == ((TensorSpec("x", "FP32", (-1, 4)),), (TensorSpec("p", "FP32", (-1, 3)),))
    assert not isinstance(pair.models[Role.BASELINE], MappedModel)
    compressed, baseline = answers(tmp_path, **files)
    assert np.array_equal(compressed, baseline)


def test_equal_tensors_are_not_mapped(tmp_path: Path) -> None:
    """Such a pair runs as loaded, at no cost."""
    pair = pair_of(tmp_path, baseline=network(tmp_path / "b.onnx"), compressed=network(tmp_path / "c.onnx", 0.1))
    assert not any(isinstance(model, MappedModel) for model in pair.models.values())
    assert pair.notes == ()


def test_names_of_the_baseline_can_be_written(tmp_path: Path) -> None:
    """Callers then see the names that are written, and the digests tell of it."""
    files = {"baseline": network(tmp_path / "b.onnx", x="input_0"), "compressed": network(tmp_path / "c.onnx", 0.1)}
    pair = pair_of(tmp_path, **files, baseline_tensors={"inputs": {"input_0": "x"}})
    assert [spec.name for spec in pair.inputs] == ["x"]
    assert pair.plan.baseline_digest != pair_of(tmp_path, **files).plan.baseline_digest
    assert answers(tmp_path, **files, baseline_tensors={"inputs": {"input_0": "x"}})[0].shape == (5, 3)


@pytest.mark.parametrize(("one", "other"), [("f4", "f2"), ("f2", "f4"), ("f4", "f8"), ("f8", "f4"), ("f8", "f2")])
def test_floats_are_cast(tmp_path: Path, one: str, other: str) -> None:
    """Callers see the baseline's type, or FP32 in the place of FP16, from both models."""
    files = {"baseline": network(tmp_path / "b.onnx", kind=one), "compressed": network(tmp_path / "c.onnx", kind=other)}
    shown = "FP64" if one == "f8" else "FP32"
    pair = pair_of(tmp_path, **files)
    assert [spec.datatype for spec in (*pair.inputs, *pair.outputs)] == [shown, shown]
    rows = ROWS.astype("f8" if one == "f8" else "f4")
    served = GatewayHarness(tmp_path, {"m": files})
    document = {"inputs": [{"name": "x", "shape": [5, 4], "datatype": shown, "data": rows.tolist()}]}
    answer = served.infer("m", document)
    assert answer.parameters["served_by"] == "compressed"
    compressed = answer.outputs["p"]
    baseline = pair.models[Role.BASELINE].run({"x": rows}, ["p"])["p"]
    assert compressed.dtype == baseline.dtype == rows.dtype
    assert np.allclose(compressed, baseline, atol=5e-3)


def test_number_beyond_the_type_of_one_model_is_answered_by_the_other(tmp_path: Path) -> None:
    """FP16 ends at 65,504: the model would compute with infinity."""
    files = {"baseline": network(tmp_path / "b.onnx"), "compressed": network(tmp_path / "c.onnx", kind="f2")}
    answer = GatewayHarness(tmp_path, {"m": files}).infer("m", body(np.array([[1e6, 0, 0, 0]])))
    assert (answer.parameters["served_by"], answer.parameters["fallback"]) == ("baseline", "compressed")


def test_dynamic_classes_fit_fixed_ones(tmp_path: Path) -> None:
    """A free side fits any length."""
    declared = ["n", "classes"]
    files = {"baseline": network(tmp_path / "b.onnx"), "compressed": network(tmp_path / "c.onnx", declared=declared)}
    assert pair_of(tmp_path, **files).outputs == (TensorSpec("p", "FP32", (-1, 3)),)
    assert np.array_equal(*answers(tmp_path, **files))


@pytest.mark.parametrize("role", ["baseline", "compressed"])
def test_model_of_one_row_runs_row_by_row(tmp_path: Path, role: str) -> None:
    """Callers send any number of rows."""
    rows: dict[str, int | str] = {"baseline": "n", "compressed": "n", role: 1}
    files = {name: network(tmp_path / f"{name}.onnx", rows=given) for name, given in rows.items()}
    compressed, baseline = answers(tmp_path, **files)
    assert compressed.shape == baseline.shape == (5, 3)
    assert np.allclose(compressed, baseline, atol=1e-6)


def test_two_models_of_one_row_take_one_row(tmp_path: Path) -> None:
    """A request is one row, as the metadata says."""
    files = {"baseline": network(tmp_path / "b.onnx", rows=1), "compressed": network(tmp_path / "c.onnx", 0.1, rows=1)}
    assert pair_of(tmp_path, **files).inputs == (TensorSpec("x", "FP32", (1, 4)),)
    assert answers(tmp_path, ROWS[:1], **files)[0].shape == (1, 3)


def test_input_that_one_model_lacks_is_dropped(tmp_path: Path) -> None:
    """A subgroup on it still works."""
    whole, less = columns(tmp_path / "b.onnx", "age", "region"), columns(tmp_path / "c.onnx", "age")
    subgroups = {"region": {"input": "region", "column": 0, "values": {"north": [0], "south": [1]}}}
    served = GatewayHarness(tmp_path, {"m": {"baseline": whole, "compressed": less, "subgroups": subgroups}})
    assert list(served.pairs["m"].notes) == ["compressed: does not get 'region'"]
    document = {
        "inputs": [{"name": name, "shape": [2, 1], "datatype": "FP32", "data": [0, 1]} for name in ("age", "region")]
    }
    answer = served.infer("m", document)
    assert answer.parameters["served_by"] == "compressed"
    assert answer.outputs["p"].shape == (2, 3)
    assert "region=north" in served.pairs["m"].subgroups.scopes


def test_input_that_nobody_sends_is_refused(tmp_path: Path) -> None:
    """The compressed model cannot run without it."""
    files = {"baseline": columns(tmp_path / "b.onnx", "age"), "compressed": columns(tmp_path / "c.onnx", "age", "mask")}
    assert refusal(tmp_path, **files) == [
        "compressed: input 'mask' is sent by nobody; write compressed_tensors.constants or .prepare (callers: age)"
    ]


def test_names_that_leave_a_choice_are_refused(tmp_path: Path) -> None:
    """The refusal has what can be written; written, it is served."""
    files = {"baseline": columns(tmp_path / "b.onnx", "a", "b"), "compressed": columns(tmp_path / "c.onnx", "y", "z")}
    (problem,) = refusal(tmp_path, **files)
    assert problem.endswith("write compressed_tensors.inputs: {y: a} or {y: b} or {z: a} or {z: b}")
    pair = pair_of(tmp_path, **files, compressed_tensors={"inputs": {"y": "b", "z": "a"}})
    rows = {"a": np.array([[1.0]], np.float32), "b": np.array([[-2.0]], np.float32)}
    swapped = pair.models[Role.COMPRESSED].run(rows, ["p"])["p"]
    loaded = pair_of(tmp_path, baseline=files["compressed"], compressed=files["compressed"]).models[Role.BASELINE]
    assert np.array_equal(swapped, loaded.run({"y": rows["b"], "z": rows["a"]}, ["p"])["p"])


@pytest.mark.parametrize(
    ("written", "fact"),
    [
        ({"inputs": {"q": "x"}}, "compressed_tensors.inputs.q: there is no such tensor; the model has x"),
        ({"inputs": {"x": "q"}}, "compressed_tensors.inputs.x: is 'q'; it must be one of x"),
        ({"outputs": {"p": "q"}}, "compressed_tensors.outputs.p: is 'q'; it must be one of p"),
    ],
)
def test_written_names_must_exist(tmp_path: Path, written: dict[str, Any], fact: str) -> None:
    """Each with its key."""
    files = {"baseline": network(tmp_path / "b.onnx"), "compressed": network(tmp_path / "c.onnx", 0.1)}
    assert fact in refusal(tmp_path, **files, compressed_tensors=written)


def test_integers_are_cast_to_wider_ones_only(tmp_path: Path) -> None:
    """Narrower ones lose values; INT32 in the place of INT64 is checked, and the other model answers what it lacks."""
    kinds = {"INT64": TensorProto.INT64, "INT32": TensorProto.INT32, "INT8": TensorProto.INT8}
    files = {name: columns(tmp_path / f"{name}.onnx", "a", kind=kind) for name, kind in kinds.items()}
    assert pair_of(tmp_path, baseline=files["INT8"], compressed=files["INT64"]).inputs[0].datatype == "INT8"
    (problem,) = refusal(tmp_path, baseline=files["INT64"], compressed=files["INT8"])
    assert problem.startswith("compressed: input 'a' is INT8[-1, 1], but the baseline's is INT64[-1, 1]")
    served = GatewayHarness(tmp_path, {"m": {"baseline": files["INT64"], "compressed": files["INT32"]}})
    for value, role in ((7, "compressed"), (2**31, "baseline")):
        document = {"inputs": [{"name": "a", "shape": [1, 1], "datatype": "INT64", "data": [value]}]}
        assert served.infer("m", document).parameters["served_by"] == role
