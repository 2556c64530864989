"""Two models become a pair only if they fit each other, and all settings fit them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnxruntime import get_available_providers as get_available

from tests.support.onnx_models import classifier, fragile, identity
from tests.support.serving.model_pairs import SCOPES, SUBGROUPS, copier, sure_and_unsure, two_inputs
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.compare import Decision, Refusal, Scale, Score
from tightrope.monitors.records import Role
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.row_axes.input_axes import SCALAR_ADVICE
from tightrope.service.protocol.tensors import TensorSpec

WIDE = np.zeros((3, 2), np.float32)


def mistakes(folder: Path, baseline: Path, compressed: Path | None = None, **model: object) -> list[str]:
    """The mistakes of a pair; one file stands for both models."""
    with pytest.raises(ConfigError) as caught:
        pair_of(folder, baseline=str(baseline), compressed=str(compressed or baseline), **model)
    return [problem.removeprefix("models.m.") for problem in caught.value.problems]


def sound(folder: Path, **model: object) -> ModelPair:
    """A pair of two features whose models differ only in confidence."""
    return pair_of(folder, **sure_and_unsure(folder), **model)


def test_pair_has_the_tensors_of_its_files(tmp_path: Path) -> None:
    """Inputs, outputs, the output that decides and both digests come from the files."""
    pair = sound(tmp_path)
    assert pair.inputs == (TensorSpec("input", "FP32", (-1, 2)),)
    assert pair.outputs == (TensorSpec("probabilities", "FP32", (-1, 2)),)
    assert (pair.name, pair.version, pair.output, pair.action) == ("m", "1", "probabilities", "flag")
    assert pair.plan.baseline_digest == pair.models[Role.BASELINE].digest
    assert pair.plan.compressed_digest == pair.models[Role.COMPRESSED].digest
    assert pair.plan.baseline_digest != pair.plan.compressed_digest


@pytest.mark.parametrize(
    ("other", "fact"),
    [
        (
            lambda path: classifier(path, WIDE),
            "compressed: input 'input' is FP32[-1, 3], but the baseline's is FP32[-1",
        ),
        (
            lambda path: classifier(path, np.zeros((2, 5), np.float32)),
            "compressed: output 'probabilities' is FP32[-1, 5], but the baseline's is FP32[-1, 2]",
        ),
        (
            lambda path: copier(path, "rows", 2, kind=TensorProto.INT64),
            "compressed: input 'input' is INT64[-1, 2], but the baseline's is FP32[-1, 2]",
        ),
        (
            lambda path: copier(path, "rows", 2, kind=TensorProto.INT64),
            "compressed: output 'probabilities', which decides, is missing; it gives 'output'; write compressed_ten",
        ),
        (
            two_inputs,
            "compressed: inputs a, b and the callers' input may belong together in several ways; write compresse",
        ),
    ],
)
def test_models_whose_tensors_do_not_fit_are_refused(tmp_path: Path, other: Callable[[Path], Path], fact: str) -> None:
    """Types that cannot be cast, sides that differ, and names that leave a choice."""
    files = sure_and_unsure(tmp_path)
    problems = mistakes(tmp_path, Path(files["baseline"]), other(tmp_path / "other.onnx"))
    assert any(problem.startswith(fact) for problem in problems), problems


def test_both_files_are_reported_when_neither_can_be_loaded(tmp_path: Path) -> None:
    """A missing file and an invalid one, each with its key."""
    (tmp_path / "text.onnx").write_text("no model")
    problems = mistakes(tmp_path, tmp_path / "nope.onnx", tmp_path / "text.onnx")
    assert problems[0] == f"baseline: {tmp_path / 'nope.onnx'}: cannot be read: No such file or directory"
    assert problems[1].startswith(f"compressed: {tmp_path / 'text.onnx'}: not a model that onnxruntime can load")


def test_scalar_input_is_refused(tmp_path: Path) -> None:
    """Requests are counted by rows, so an input must have them."""
    problems = mistakes(tmp_path, copier(tmp_path / "s.onnx"))
    assert "baseline: input 'input' is a scalar; " + SCALAR_ADVICE in problems


@pytest.mark.parametrize(
    ("output", "fact"),
    [
        ("nope", "decision.output: is 'nope'; it must name one of the outputs echo, probabilities"),
        (
            "echo",
            (
                "decision.output: 'echo' is INT64[-1, 2]; it must be FP16, FP32 or FP64 by rows (and classes); "
                "for others write decision.kind, such as labels or positions"
            ),
        ),
    ],
)
def test_decision_output_must_be_floats_by_rows(tmp_path: Path, output: str, fact: str) -> None:
    """The only one of floats by rows need not be named."""
    path = identity(tmp_path / "i.onnx", TensorProto.INT64)
    assert mistakes(tmp_path, path, decision={"output": output}) == [fact]
    assert pair_of(tmp_path, baseline=str(path), compressed=str(path)).output == "probabilities"


def test_one_of_two_outputs_of_floats_must_be_named(tmp_path: Path) -> None:
    """Either could decide."""
    path = identity(tmp_path / "i.onnx", TensorProto.FLOAT)
    fact = "decision.output: is None; it must name one of the outputs echo, probabilities"
    assert mistakes(tmp_path, path) == [fact]


def test_decision_output_has_at_most_two_dimensions(tmp_path: Path) -> None:
    """Rows and classes; classes of pixels cannot be compared."""
    (problems,) = mistakes(tmp_path, copier(tmp_path / "c.onnx", "rows", 2, 2))
    assert problems.startswith("decision.output: 'output' is FP32[-1, 2, 2]; it must be")


@pytest.mark.parametrize(
    ("subgroup", "fact"),
    [
        ({"column": 1, "values": {"v": [1]}}, "subgroups.s.input: is None; it must name one of the inputs a, b"),
        ({"input": "c", "column": 1, "values": {"v": [1]}}, "subgroups.s.input: is 'c'; it must name one of the inp"),
        ({"input": "b", "column": 1, "values": {"v": [1]}}, "subgroups.s.column: is 1; input 'b' is FP32[-1, 1]"),
        ({"input": "b", "column": 0, "values": {"v": ["x"]}}, "subgroups.s.values: must be numbers: input 'b' is FP32"),
    ],
)
def test_subgroup_must_fit_an_input(tmp_path: Path, subgroup: dict[str, Any], fact: str) -> None:
    """Input, column and the type of the codes are checked against the model."""
    (problems,) = mistakes(tmp_path, two_inputs(tmp_path / "two.onnx"), subgroups={"s": subgroup})
    assert problems.startswith(fact)


@pytest.mark.parametrize("given", [[1], {"low": 1}])
def test_column_of_strings_needs_codes_that_are_strings(tmp_path: Path, given: object) -> None:
    """Neither a number nor a range fits, even if another value of the attribute does."""
    path = identity(tmp_path / "i.onnx", TensorProto.STRING)
    subgroup = {"s": {"column": 0, "values": {"good": ["x"], "bad": given}}}
    (problems,) = mistakes(tmp_path, path, decision={"output": "probabilities"}, subgroups=subgroup)
    assert problems == "subgroups.s.values: must be strings: input 'value' is BYTES[-1, 2]"


def test_input_of_three_dimensions_has_no_columns(tmp_path: Path) -> None:
    """A column of an image is no attribute."""
    problems = mistakes(
        tmp_path, copier(tmp_path / "c.onnx", "rows", 2, 2), subgroups={"s": {"column": 0, "values": {"v": [1]}}}
    )
    assert "subgroups.s.column: is 0; input 'input' is FP32[-1, 2, 2]" in problems


def test_free_width_takes_any_column(tmp_path: Path) -> None:
    """The column is checked against each request instead."""
    pair = pair_of(
        tmp_path,
        baseline=str(two_inputs(tmp_path / "two.onnx")),
        compressed=str(tmp_path / "two.onnx"),
        subgroups={"s": {"input": "a", "column": 7, "values": {"v": [1]}}},
    )
    assert pair.subgroups.scopes == ("s=v", "s=other")


def test_subgroups_are_built_as_configured(tmp_path: Path) -> None:
    """Names are attribute=value; every row gets all of its subgroups."""
    pair = sound(tmp_path, subgroups=SUBGROUPS)
    rows = np.array([[9, 0], [10, 0], [11, 0]], np.float32)
    member = pair.subgroups.members({"input": rows}, [{"region": "south"}], [3])
    named = [{pair.subgroups.scopes[index] for index in np.flatnonzero(row)} for row in member]
    assert set(pair.plan.scopes) == set(SCOPES)
    assert named == [{"region=south", "band=low"}, {"region=south", "band=high"}, {"region=south", "band=other"}]


def test_floor_needs_a_subgroup(tmp_path: Path) -> None:
    """The whole model has the rate; other scopes must be declared."""
    files = sure_and_unsure(tmp_path)
    problems = mistakes(
        tmp_path,
        Path(files["baseline"]),
        subgroups={"region": SUBGROUPS["region"]},
        sampling={"floors": {"region=west": 0.5}},
    )
    there = "there are region=north, region=south, region=other"
    assert problems == [f"sampling.floors.region=west: there is no such subgroup; {there}"]


def test_regression_cannot_refuse(tmp_path: Path) -> None:
    """A number alone has no certainty."""
    path = classifier(tmp_path / "r.onnx", np.ones((2, 1), np.float32), scores=True)
    problems = mistakes(tmp_path, path, decision={"scale": "regression"}, refusal={"threshold": 0.5})
    assert problems == ["refusal: a regression has no certainty to refuse by"]


def test_all_mistakes_of_a_pair_are_reported_at_once(tmp_path: Path) -> None:
    """Signature, output, subgroup and floor together."""
    problems = mistakes(
        tmp_path,
        identity(tmp_path / "i.onnx", TensorProto.INT64),
        fragile(tmp_path / "f.onnx"),
        decision={"output": "x"},
        subgroups={"s": {"column": 5, "values": {"v": [1]}}},
        sampling={"floors": {"t=u": 1}},
    )
    assert [problem.split(":")[0] for problem in problems] == [
        "compressed",
        "decision.output",
        "subgroups.s.column",
        "sampling.floors.t=u",
    ]


@pytest.mark.parametrize(
    ("refusal", "thresholds", "action"),
    [
        ({"threshold": 0.6}, (0.6, 0.6), "flag"),
        ({"threshold": 0.6, "compressed_threshold": 0.0, "action": "abstain"}, (0.6, 0.0), "abstain"),
    ],
)
def test_each_role_has_its_threshold(
    tmp_path: Path, refusal: dict[str, Any], thresholds: tuple[float, float], action: str
) -> None:
    """The compressed model's own threshold counts even if it is zero."""
    pair = sound(tmp_path, refusal={"score": "margin", **refusal})
    by_role = dict(zip((Role.BASELINE, Role.COMPRESSED), thresholds, strict=True))
    assert pair.decision == Decision(Scale.PROBABILITIES, Refusal(Score.MARGIN, by_role), 0.0)
    assert pair.action == action


def test_each_role_has_its_runtime(tmp_path: Path) -> None:
    """Runtime options of the compressed model apply to it alone."""
    there = {"providers": ["AzureExecutionProvider", "CPUExecutionProvider"], "warm_up_rows": 8}
    pair = sound(tmp_path, runtime={"warm_up_rows": 2}, compressed_runtime=there)
    assert dict(pair.warm_up) == {Role.BASELINE: 2, Role.COMPRESSED: 8}
    by = {role: model.providers for role, model in pair.models.items() if isinstance(model, OnnxModel)}
    assert by == {Role.BASELINE: ("CPUExecutionProvider",), Role.COMPRESSED: tuple(there["providers"])}


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ({"runtime": {"providers": ["CUDAExecutionProvider"]}}, ["runtime"]),
        ({"compressed_runtime": {"providers": ["CUDAExecutionProvider"]}}, ["compressed_runtime"]),
    ],
)
def test_missing_provider_is_reported_once(tmp_path: Path, settings: dict[str, Any], keys: list[str]) -> None:
    """By the key that names it, even if it applies to both files."""
    files = sure_and_unsure(tmp_path)
    problems = mistakes(tmp_path, Path(files["baseline"]), Path(files["compressed"]), **settings)
    assert problems == [
        f"{key}: there is no 'CUDAExecutionProvider' here; this onnxruntime has only {', '.join(get_available())}"
        for key in keys
    ]
