"""Codes and bounds are rounded to the datatype of their column; what it cannot hold is a mistake, and told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from tests.support.onnx_models import identity
from tests.support.serving.model_pairs import ONNX_TYPES, copier
from tests.support.serving.service_harness import pair_of
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.subgroup_codes import hold_code, hold_range
from tightrope.service.protocol.tensors import dtype_of

TIERS: dict[str, Any] = {"low": [0.1], "mid": {"low": 0.2, "high": 0.3}, "top": [0.7]}


def cut_from(folder: Path, datatype: str, values: dict[str, Any], **keys: object) -> ModelPair:
    """A pair whose only input has this datatype, with an attribute ``tier`` that is cut from its first column."""
    if datatype in {"FP16", "FP32", "FP64"}:
        path = str(copier(folder / "m.onnx", "rows", 2, kind=ONNX_TYPES[datatype]))
        keys = {"decision": {"output": "output", "scale": "logits"}, **keys}
    else:
        path = str(identity(folder / "m.onnx", ONNX_TYPES[datatype]))
        keys = {"decision": {"output": "probabilities"}, **keys}
    return pair_of(folder, baseline=path, compressed=path, subgroups={"tier": {"column": 0, "values": values}}, **keys)


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
def test_fractional_codes_get_their_rows(tmp_path: Path, datatype: str) -> None:
    """A caller's 0.1 in FP32 is not the 0.1 of the configuration, but it is meant; ends of a range count, too."""
    pair = cut_from(tmp_path, datatype, TIERS)
    sent = np.array([[0.1, 0], [0.2, 0], [0.3, 0], [0.7, 0], [0.4, 0]], dtype_of(datatype))
    subgroups, name = pair.subgroups, pair.inputs[0].name
    member = subgroups.members({name: sent}, [{}], [5])
    alone = np.concatenate([subgroups.members({name: row[None]}, [{}], [1]) for row in sent])
    assert [subgroups.scopes[i] for i in member.argmax(axis=1)] == [
        f"tier={value}" for value in ("low", "mid", "mid", "top", "other")
    ]
    assert member.tolist() == alone.tolist()


def test_code_of_a_model_of_fp16_has_the_rows_of_callers_of_fp32_too(tmp_path: Path) -> None:
    """Both send what they take for the code."""
    pair = cut_from(tmp_path, "FP16", TIERS)
    sent = np.array([[0.1, 0], [0.7, 0], [0.4, 0]], np.float32)
    member = pair.subgroups.members({pair.inputs[0].name: sent}, [{}], [3])
    assert [pair.subgroups.scopes[i] for i in member.argmax(axis=1)] == ["tier=low", "tier=top", "tier=other"]


@pytest.mark.parametrize(
    ("datatype", "values", "problem"),
    [
        ("INT8", {"a": [0.5]}, "values.a: 0.5 is not a number that INT8 can hold; it would never get a row"),
        ("UINT8", {"a": [300]}, "values.a: 300.0 is not a number that UINT8 can hold"),
        ("UINT8", {"a": [-1]}, "values.a: -1.0 is not a number that UINT8 can hold"),
        ("BOOL", {"a": [2]}, "values.a: 2.0 is not a number that BOOL can hold"),
        ("INT64", {"a": [2**53 + 1]}, "values.a: 9007199254740992.0 is not a number that INT64 can hold"),
        ("FP32", {"a": [1e39]}, "values.a: 1e+39 is not a number that FP32 can hold"),
        ("FP32", {"a": [float("nan")]}, "values.a: nan is not a number that FP32 can hold"),
        ("INT8", {"a": {"low": 0.2, "high": 0.8}}, "values.a: no INT8 number is from 0.2 to 0.8; it would never get"),
        ("INT8", {"a": {"low": 200}}, "values.a: no INT8 number is from 200 to inf"),
        ("FP16", {"a": {"low": 70000}}, "values.a: no FP16 number is from 70000 to inf"),
        ("FP16", {"a": [2048], "b": [2049]}, "values.b: 2049.0 is the same FP16 number as 2048.0 of a"),
    ],
)
def test_codes_without_a_row_are_mistakes(tmp_path: Path, datatype: str, values: dict[str, Any], problem: str) -> None:
    """`check` names the key, the number and the datatype: the subgroup would be unwatched without notice."""
    with pytest.raises(ConfigError) as refused:
        cut_from(tmp_path, datatype, values)
    assert refused.value.problems[0].startswith(f"models.m.subgroups.tier.{problem}")
    assert len(refused.value.problems) == 1


def test_bounds_of_integers_are_the_integers_within() -> None:
    """A range of an integer column loses no row by its fractions."""
    assert hold_range(0.5, 9.5, "INT16") == (1.0, 9.0)
    assert hold_range(-np.inf, np.inf, "UINT8") == (0.0, 255.0)
    assert hold_range(-np.inf, 1e300, "FP32") == (-np.inf, np.inf)
    assert hold_range(-np.inf, -1e300, "FP32") == (np.inf, -np.inf)
    assert hold_code(float("inf"), "FP32") == np.inf


def test_a_code_may_belong_to_several_values(tmp_path: Path) -> None:
    """If it is written so; a row is in both subgroups then."""
    pair = cut_from(tmp_path, "FP32", {"one": [1], "any": [1, 2]})
    member = pair.subgroups.members({pair.inputs[0].name: np.array([[1, 0]], np.float32)}, [{}], [1])
    assert member.tolist() == [[True, True, False]]


def test_texts_of_a_column_are_normalised(tmp_path: Path) -> None:
    """As declared: by default blanks around it and its case do not count."""
    path = str(identity(tmp_path / "i.onnx", TensorProto.STRING))
    tier = {"column": 0, "values": {"a": ["North "], "b": ["south"]}}
    keys: dict[str, Any] = {"baseline": path, "compressed": path, "decision": {"output": "probabilities"}}
    rows = np.array([["NORTH", ""], ["North ", ""], ["other", ""]], object)
    for normalise, expected in ((None, [0, 0, 2]), ([], [2, 0, 2])):
        subgroup = tier if normalise is None else {**tier, "normalise": normalise}
        pair = pair_of(tmp_path, **keys, subgroups={"tier": subgroup})
        assert pair.subgroups.members({"value": rows}, [{}], [3]).argmax(axis=1).tolist() == expected
