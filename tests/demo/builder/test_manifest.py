"""The demo's committed files equal the description and the measurements of their manifest."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

DEMO = Path(__file__).parents[3] / "demo"
MANIFEST: dict[str, Any] = json.loads((DEMO / "manifest.json").read_text(encoding="utf-8"))
FILES: dict[str, dict[str, Any]] = MANIFEST["files"]
MODELS = [name for name in FILES if name.endswith(".onnx")]
TABLES = [name for name in FILES if name.endswith(".csv")]
BASELINE = "models/baseline_fp32.onnx"
HOUSEHOLDS_ONLY = "models/bad_distilled_households_only.onnx"

# Other processors round sums differently: decisions may change in a few of 4,000 rows, and in one of 200 in a subgroup.
ROWS = 0.002
SUBGROUP = 0.02


@cache
def table(name: str) -> tuple[dict[str, str], ...]:
    """Read a committed table: column -> text."""
    with (DEMO / name).open(newline="", encoding="utf-8") as file:
        return tuple(csv.DictReader(file))


def codes(name: str) -> npt.NDArray[np.float32]:
    """The models' input: float32[rows, 16]."""
    return np.array([[float(row[column]) for column in MANIFEST["columns"]] for row in table(name)], np.float32)


@cache
def session(name: str) -> onnxruntime.InferenceSession:
    """Load a committed model on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(DEMO / name, options, providers=["CPUExecutionProvider"])


@cache
def golden(name: str) -> npt.NDArray[np.float32]:
    """A model's probabilities on the golden rows: float32[4000, 2]."""
    return np.asarray(session(name).run(["probabilities"], {"input": codes("data/golden.csv")})[0])


def differs(name: str) -> npt.NDArray[np.bool_]:
    """Golden rows on which the model's decision differs from the baseline's: bool[4000]."""
    return np.asarray(golden(name).argmax(axis=1) != golden(BASELINE).argmax(axis=1))


def correct(name: str) -> npt.NDArray[np.bool_]:
    """Golden rows on which the model's decision is the label: bool[4000]."""
    labels = np.array([int(row["label"]) for row in table("data/golden.csv")])
    return np.asarray(golden(name).argmax(axis=1) == labels)


def members(attribute: str, value: str) -> npt.NDArray[np.bool_]:
    """Golden rows with this tag: bool[4000]."""
    return np.array([row[f"tag_{attribute}"] == value for row in table("data/golden.csv")])


def belongs(code: int, definition: Mapping[str, list[int]]) -> bool:
    """Whether the manifest's definition of a subgroup includes this code."""
    if "range" in definition:
        lowest, highest = definition["range"]
        return lowest <= code <= highest
    return code in definition["codes"]


SUBGROUPS = [(name, value) for name, attribute in MANIFEST["subgroups"].items() for value in attribute["values"]]


@pytest.mark.parametrize("name", FILES)
def test_file_has_its_size_and_digest(name: str) -> None:
    """A change by hand or by a checkout is detected."""
    content = (DEMO / name).read_bytes()
    assert len(content) == FILES[name]["bytes"]
    assert hashlib.sha256(content).hexdigest() == FILES[name]["sha256"]


def test_manifest_lists_every_built_file() -> None:
    """The folders hold no other files."""
    found = [path for folder in ("models", "data") for path in (DEMO / folder).iterdir()]
    assert {path.relative_to(DEMO).as_posix() for path in found} == set(FILES)


@pytest.mark.parametrize("name", MODELS)
def test_model_has_the_common_signature(name: str) -> None:
    """Models are interchangeable: equal names, types and shapes."""
    (taken,), (given,) = session(name).get_inputs(), session(name).get_outputs()
    for value, side in ((taken, "input"), (given, "output")):
        expected = MANIFEST["signature"][side]
        assert (value.name, value.type, value.shape) == (expected["name"], "tensor(float)", expected["shape"])


@pytest.mark.parametrize("name", MODELS)
def test_probabilities_sum_to_one_for_any_batch_size(name: str) -> None:
    """The first dimension is free, and each output row is a distribution."""
    for size in (1, 7):
        answer = np.asarray(session(name).run(None, {"input": codes("data/golden.csv")[:size]})[0])
        assert answer.shape == (size, 2)
        assert answer.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_overall_figures_are_reproduced(name: str) -> None:
    """Accuracy, disagreement, confidence shift and size ratio follow from the committed files."""
    figures = FILES[name]["golden"]
    shift = (golden(name).max(axis=1) - golden(BASELINE).max(axis=1)).mean()
    assert correct(name).mean() == pytest.approx(figures["accuracy"], abs=ROWS)
    assert differs(name).mean() == pytest.approx(figures["disagreement"], abs=ROWS)
    assert shift == pytest.approx(figures["mean_confidence_shift"], abs=ROWS)
    assert FILES[BASELINE]["bytes"] / FILES[name]["bytes"] == pytest.approx(figures["size_ratio"], abs=0.005)


@pytest.mark.parametrize("name", [name for name in MODELS if name != BASELINE])
def test_worst_subgroup_is_reproduced(name: str) -> None:
    """The named subgroup has the stated figures, and no subgroup is worse."""
    figures = FILES[name]["golden"]["worst_subgroup"]
    rates = {f"{attribute}={value}": differs(name)[members(attribute, value)].mean() for attribute, value in SUBGROUPS}
    worst = members(*figures["name"].split("="))
    gap = correct(name)[worst].mean() - correct(BASELINE)[worst].mean()
    assert worst.sum() == figures["rows"]
    assert rates[figures["name"]] == pytest.approx(figures["disagreement"], abs=SUBGROUP)
    assert max(rates.values()) == pytest.approx(rates[figures["name"]], abs=SUBGROUP)
    assert gap == pytest.approx(figures["accuracy_gap"], abs=SUBGROUP)


@pytest.mark.parametrize("name", [name for name in MODELS if "good" in name])
def test_good_models_pass_the_gate(name: str) -> None:
    """Their disagreement is at most 3 % overall and 10 % in each subgroup."""
    assert differs(name).mean() <= 0.03
    assert all(differs(name)[members(*subgroup)].mean() <= 0.10 for subgroup in SUBGROUPS)


def test_household_only_student_hides_its_harm_in_the_average() -> None:
    """Overall it stays below a limit of 7 %, while half of the decisions in group quarters change."""
    assert differs(HOUSEHOLDS_ONLY).mean() < 0.07
    assert 0.45 < differs(HOUSEHOLDS_ONLY)[members("residence", "group_quarters")].mean() < 0.62


def test_subgroups_are_twenty_two() -> None:
    """The demo's configuration budgets its alarms over this number of subgroups."""
    assert len(SUBGROUPS) == 22


@pytest.mark.parametrize("name", TABLES)
def test_table_has_its_rows_and_columns(name: str) -> None:
    """Codes come first, in the models' order, then the label and one tag per attribute."""
    tags = [f"tag_{attribute}" for attribute in MANIFEST["subgroups"]]
    assert list(table(name)[0]) == [*MANIFEST["columns"], "label", *tags]
    assert len(table(name)) == FILES[name]["rows"]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("attribute", MANIFEST["subgroups"])
def test_tags_follow_from_the_codes(name: str, attribute: str) -> None:
    """Exactly one value of each attribute includes a row's code, and it is the row's tag."""
    definition = MANIFEST["subgroups"][attribute]
    assert MANIFEST["columns"][definition["index"]] == definition["column"]
    for row in table(name):
        code = int(row[definition["column"]])
        covering = [value for value, members_ in definition["values"].items() if belongs(code, members_)]
        assert covering == [row[f"tag_{attribute}"]]


def test_drift_ramps_as_the_manifest_says() -> None:
    """The share of people outside households is the listed one, within chance of the linear ramp."""
    ramp = MANIFEST["drift"]
    outside = np.array([row["tag_residence"] != "household" for row in table("data/traffic_drift.csv")])
    shares = outside.reshape(-1, 1_000).mean(axis=1)
    planned = np.linspace(ramp["first"], ramp["last"], len(outside)).reshape(-1, 1_000).mean(axis=1)
    assert shares.tolist() == ramp["share_of_each_1000_rows"]
    assert np.abs(shares - planned).max() < 4 * np.sqrt(0.25 / 1_000)


def test_stable_traffic_has_the_surveys_own_mix() -> None:
    """About one request in twelve is from outside households, from the first to the last."""
    outside = np.array([row["tag_residence"] != "household" for row in table("data/traffic_stable.csv")])
    assert np.abs(outside.reshape(-1, 2_000).mean(axis=1) - 0.085).max() < 0.02
