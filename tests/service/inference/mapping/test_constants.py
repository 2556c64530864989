"""Inputs that callers do not send have the value that the configuration gives them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from tests.support.serving.mapped_pairs import columns, network
from tests.support.serving.service_harness import GatewayHarness, pair_of
from tightrope.monitors.records import Role
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.mapping.constants import ConstantInput, read_constants
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.tensors import Tensor, TensorSpec

AGES = np.array([[0.5], [-1.0], [2.0]], np.float32)
BODY = {"inputs": [{"name": "age", "shape": [3, 1], "datatype": "FP32", "data": AGES.ravel().tolist()}]}


def files_of(folder: Path, kind: int = TensorProto.FLOAT) -> dict[str, Any]:
    """The files of a pair whose compressed model also takes ``mask``."""
    return {
        "baseline": columns(folder / "b.onnx", "age", kind=kind),
        "compressed": columns(folder / "c.onnx", "age", "mask", kind=kind),
    }


def saved(path: Path, array: Tensor) -> str:
    """The path, with an array in it."""
    np.save(path, array)
    return str(path)


def constant(value: Any, *inputs: TensorSpec) -> tuple[list[ConstantInput], list[str]]:  # noqa: ANN401 - any value
    """The constant ``mask`` of a model, and the mistakes."""
    mistakes: list[str] = []
    found = read_constants({"mask": value}, inputs, lambda name, text: mistakes.append(f"{name}: {text}"))
    return found, mistakes


def answer(pair: ModelPair, mask: float) -> Tensor:
    """The loaded compressed model's own answer with this mask."""
    loaded = getattr(pair.models[Role.COMPRESSED], "loaded")  # noqa: B009 - a mapped model has one
    return np.asarray(loaded.run({"age": AGES, "mask": np.full((3, 1), mask, np.float32)}, ["p"])["p"])


@pytest.mark.parametrize("form", ["number", "row", "whole"])
def test_model_gets_the_written_value(tmp_path: Path, form: str) -> None:
    """A number fills the tensor, a row of a file is repeated, and a whole tensor is as in its file."""
    values: dict[str, Any] = {
        "number": 0.25,
        "row": saved(tmp_path / "row.npy", np.array([0.25])),
        "whole": saved(tmp_path / "whole.npy", np.full((3, 1), 0.25, np.float32)),
    }
    model = {**files_of(tmp_path), "compressed_tensors": {"constants": {"mask": values[form]}}}
    if form == "whole":  # made-up rows of another number cannot run with it
        model["batch_rows"] = 1
    served = GatewayHarness(tmp_path, {"m": model})
    assert [spec.name for spec in served.pairs["m"].inputs] == ["age"]
    response = served.infer("m", BODY)
    assert response.parameters["served_by"] == "compressed"
    assert np.array_equal(response.outputs["p"], answer(served.pairs["m"], 0.25))


def test_paths_are_relative_to_the_configuration(tmp_path: Path) -> None:
    """As those of all files; the folder itself has no part in the digest."""
    digests = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        np.save(folder / "mask.npy", np.array([1.0]))
        pair = pair_of(folder, **files_of(folder), compressed_tensors={"constants": {"mask": "mask.npy"}})
        digests.append((pair.plan.compressed_digest, pair.plan.digest))
    assert digests[0] == digests[1]


def test_digest_follows_the_values(tmp_path: Path) -> None:
    """A model with another constant is another model: its evidence begins anew."""
    files, seen = files_of(tmp_path), set()
    for number in (1.0, 2.0):
        np.save(tmp_path / "mask.npy", np.array([number]))
        for value in ("mask.npy", number):
            pair = pair_of(tmp_path, **files, compressed_tensors={"constants": {"mask": value}})
            seen.add(pair.plan.compressed_digest)
    assert len(seen) == 4


def test_baseline_may_have_constants(tmp_path: Path) -> None:
    """Callers then do not send that input; the compressed model has its own."""
    files = {"baseline": columns(tmp_path / "b.onnx", "age", "mask"), "compressed": columns(tmp_path / "c.onnx", "age")}
    pair = pair_of(tmp_path, **files, baseline_tensors={"constants": {"mask": 1}})
    assert [spec.name for spec in pair.inputs] == ["age"]
    assert pair.models[Role.BASELINE].run({"age": AGES}, ["p"])["p"].shape == (3, 3)


def test_model_of_one_row_gets_them_row_by_row(tmp_path: Path) -> None:
    """The constant has the shape of one row then."""
    one = network(tmp_path / "c.onnx", rows=1)
    files = {"baseline": network(tmp_path / "b.onnx"), "compressed": one}
    specs = [TensorSpec("x", "FP32", (1, 4)), TensorSpec("mask", "FP32", (1, 2))]
    (found,), mistakes = constant(1, *specs)
    assert (mistakes, found.tensor({}).tolist()) == ([], [[1.0, 1.0]])
    assert (
        pair_of(tmp_path, **files).models[Role.COMPRESSED].run({"x": np.ones((2, 4), "f4")}, ["p"])["p"].shape[0] == 2
    )


def test_free_sides_are_those_of_other_inputs() -> None:
    """A mask is as long as the tokens beside it, in every run."""
    ids = TensorSpec("ids", "INT64", (-1, -1))
    (found,), _ = constant(1, ids, TensorSpec("mask", "INT64", (-1, -1)))
    assert found.tensor({"ids": np.zeros((2, 7), np.int64)}).tolist() == np.ones((2, 7)).tolist()
    _, mistakes = constant(1, TensorSpec("x", "FP32", (-1, 4)), TensorSpec("mask", "FP32", (-1, 4, -1)))
    assert mistakes == ["mask: the length of axis 2 of [-1, 4, -1] is not known; write a .npy file"]


@pytest.mark.parametrize(
    ("value", "datatype", "fault"),
    [
        (1.5, "INT64", "is 1.5, but the input is INT64"),
        (300, "UINT8", "is 300, but the input is UINT8"),
        (True, "FP32", "is True, but the input is FP32"),
        (1, "BOOL", "is 1, but the input is BOOL"),
        (1, "BYTES", "is 1, but the input is BYTES"),
        (1e6, "FP16", "is 1000000.0, more than FP16 can hold"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(value: float, datatype: str, fault: str) -> None:
    """With the value, and the type that the input has."""
    assert constant(value, TensorSpec("mask", datatype, (1,)))[1] == [f"mask: {fault}"]


@pytest.mark.parametrize(
    ("array", "fault"),
    [
        (np.zeros((1, 2, 3), "f4"), "has shape [1, 2, 3]; it must have [-1, 4], or [4] for each row"),
        (np.zeros(4, "c8"), "the protocol has no datatype for arrays of complex64"),
        (np.zeros(4, "i8"), "is INT64, but the input is FP32"),
        (np.array(["a"] * 4), "is BYTES, but the input is FP32"),
        (np.array([1e300] * 4), "'mask': a value of FP64 is too large for the model's FP32"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, array: Tensor, fault: str) -> None:
    """Each names the file, or the type that the protocol lacks."""
    path = tmp_path / "mask.npy"
    np.save(path, array)
    specs = [TensorSpec("x", "FP32", (-1, 4)), TensorSpec("mask", "FP32", (-1, 4))]
    (mistake,) = constant(path, *specs)[1]
    assert mistake.removeprefix(f"mask: {path}: ").removeprefix("mask: ") == fault


def test_files_that_are_no_arrays_are_refused(tmp_path: Path) -> None:
    """Nothing in them is executed: objects are not read."""
    spec = TensorSpec("mask", "FP32", (1,))
    path = tmp_path / "mask.npy"
    assert "cannot be read: No such file" in constant(path, spec)[1][0]
    np.save(path, np.array([{}], object), allow_pickle=True)
    assert "not a .npy file of numbers or strings" in constant(path, spec)[1][0]
    np.savez(tmp_path / "a.npz", a=np.zeros(1))
    assert "an archive of several arrays" in constant(tmp_path / "a.npz", spec)[1][0]


def test_strings_are_read_from_files(tmp_path: Path) -> None:
    """An input of strings gets those of the array."""
    path = tmp_path / "kind.npy"
    np.save(path, np.array(["web"]))
    (found,), _ = constant(path, TensorSpec("age", "FP32", (-1, 1)), TensorSpec("mask", "BYTES", (-1, 1)))
    assert found.tensor({"age": AGES}).tolist() == [["web"]] * 3


def test_wrong_names_are_refused(tmp_path: Path) -> None:
    """Each with its key; so is a baseline whose callers would send nothing."""
    with pytest.raises(ConfigError) as caught:
        pair_of(tmp_path, **files_of(tmp_path), compressed_tensors={"constants": {"musk": 1, "mask": 1}})
    assert caught.value.problems == [
        "models.m.compressed_tensors.constants.musk: there is no such input; the model has age, mask"
    ]
    with pytest.raises(ConfigError) as caught:
        pair_of(tmp_path, **files_of(tmp_path), baseline_tensors={"constants": {"age": 1}})
    assert caught.value.problems[0] == (
        "models.m.baseline_tensors.constants: names all inputs of the model; callers must send one at least"
    )
