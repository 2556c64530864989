"""The manifest: origin, description and measurements on the golden rows of each built file."""

from __future__ import annotations

import csv
import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from tightrope.demo.builder.census import ATTRIBUTES, SURVEY_COLUMNS, Attribute, Ramp, SurveyCodes, in_household
from tightrope.demo.builder.source import SURVEY_PACKAGE, SURVEY_SHA256, SURVEY_VERSION
from tightrope.service.adapters.model_files import find_files

BASELINE = "models/baseline_fp32.onnx"
FILE_DESCRIPTIONS = {
    BASELINE: "dense network, 512 and 256 hidden units, trained on the survey of 2015",
    "models/good_int8.onnx": "the baseline with 8-bit weights and dynamically quantized activations",
    "models/good_distilled.onnx": "64 hidden units, distilled from the baseline on all rows of 2015",
    "models/bad_pruned98.onnx": (
        "bad on purpose, lack of capacity: the baseline with 98 % of its weights pruned by magnitude, fine-tuned, "
        "dead units removed"
    ),
    "models/bad_distilled_households_only.onnx": (
        "bad on purpose, a selection error: the student of good_distilled, taught on household rows only "
        "(RELP other than 16 and 17)"
    ),
    "data/golden.csv": "rows of 2016-18 for the release gate",
    "data/traffic_stable.csv": "rows of 2016-18 in the survey's own mix, in the order they are sent",
    "data/traffic_drift.csv": "rows of 2016-18 in which the share of people outside households grows",
}
NOTES = (
    (
        "The rows are public-use microdata of the American Community Survey, Massachusetts, 2015-2018. Please cite: "
        "U.S. Census Bureau, American Community Survey, Public Use Microdata Sample."
    ),
    "'employed' (column label) is a benchmark label. Nobody should automate a decision with it.",
    (
        "Both bad models are bad on purpose. The household-only student fails by its transfer set, a selection error "
        "that compression makes invisible; the pruned one by lost capacity."
    ),
    "The fine-tuning of the pruned model was chosen so that its harm shows in this traffic; more passes cure much.",
    (
        "Settings of training were chosen with an eye on rows of 2016-18, though none was trained on: the figures show "
        "a mechanism and are no unbiased estimate."
    ),
    (
        "Part of the disagreement in group quarters sits where the baseline is unsure itself: read it beside the "
        "accuracy gap."
    ),
    (
        "RELP 16 and 17 are read as institutional and other group quarters from memory of the code book of 2015-18; "
        "the data support it: nobody with code 16 is employed."
    ),
    "Distinct people can have equal codes, so an equal row may occur in two files; a person never does.",
    "Models are equal to the byte only when built on one machine with these versions; elsewhere compare figures.",
    "No figure here is a claim about groups of people in the real world.",
)


def write(out: Path, seeds: dict[str, int], ramp: Ramp) -> None:
    """Write ``manifest.json`` for the models and tables of this folder."""
    content = {
        "source": {
            "package": SURVEY_PACKAGE,
            "version": SURVEY_VERSION,
            "sha256": SURVEY_SHA256,
            "package_licence": "Apache-2.0",
            "data_origin": "U.S. Census Bureau, American Community Survey, Public Use Microdata Sample, 2015-2018",
            "data_licence": "work of the United States government, public use; citation asked for",
        },
        "notes": list(NOTES),
        "columns": list(SURVEY_COLUMNS),
        "signature": {
            "input": {"name": "input", "type": "float32", "shape": ["batch", len(SURVEY_COLUMNS)]},
            "output": {"name": "probabilities", "type": "float32", "shape": ["batch", 2]},
        },
        "subgroups": {attribute.name: _definition(attribute) for attribute in ATTRIBUTES},
        "drift": {"of": "share of rows outside households", "first": ramp.first, "last": ramp.last} | _drift(out),
        "seeds": seeds,
        "built_with": {"python": platform.python_version()}
        | {library: version(library) for library in ("numpy", "onnx", "onnxruntime", "pyarrow")},
        "files": _files(out),
    }
    (out / "manifest.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _definition(attribute: Attribute) -> dict[str, Any]:
    values = {
        value: {"range": [members[0], members[-1]]} if isinstance(members, range) else {"codes": list(members)}
        for value, members in attribute.values.items()
    }
    return {"column": attribute.column, "index": SURVEY_COLUMNS.index(attribute.column), "values": values}


def _drift(out: Path) -> dict[str, Any]:
    codes, _ = _table(out / "data/traffic_drift.csv")
    outside = ~in_household(codes)
    return {"share_of_each_1000_rows": outside.reshape(-1, 1_000).mean(axis=1).tolist()}


def _files(out: Path) -> dict[str, Any]:
    golden, employed = _table(out / "data/golden.csv")
    probabilities = {name: _probabilities(out / name, golden) for name in FILE_DESCRIPTIONS if name.endswith(".onnx")}
    files: dict[str, Any] = {}
    for name, what in FILE_DESCRIPTIONS.items():
        content = (out / name).read_bytes()
        digest = find_files(out / name).digest if name in probabilities else hashlib.sha256(content).hexdigest()
        files[name] = {"what": what, "bytes": len(content), "sha256": digest}
        if name in probabilities:
            figures = _figures(probabilities[name], probabilities[BASELINE], golden, employed)
            size_ratio = round(files[BASELINE]["bytes"] / len(content), 2)
            files[name]["golden"] = figures | {"size_ratio": size_ratio}
        else:
            files[name]["rows"] = content.count(b"\n") - 1
    return files


def _table(path: Path) -> tuple[SurveyCodes, npt.NDArray[np.int8]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    codes = np.array([[int(row[column]) for column in SURVEY_COLUMNS] for row in rows], np.int16)
    return codes, np.array([int(row["label"]) for row in rows], np.int8)


def _probabilities(model: Path, codes: SurveyCodes) -> npt.NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["probabilities"], {"input": codes.astype(np.float32)})[0])


def _figures(
    compressed: npt.NDArray[np.float32],
    baseline: npt.NDArray[np.float32],
    codes: SurveyCodes,
    employed: npt.NDArray[np.int8],
) -> dict[str, Any]:
    """Measure fractions of rows; the gap is the model's accuracy minus the baseline's, so a loss is negative."""
    differs = compressed.argmax(axis=1) != baseline.argmax(axis=1)
    gain = (compressed.argmax(axis=1) == employed).astype(float) - (baseline.argmax(axis=1) == employed)
    cells = {
        f"{attribute.name}={value}": attribute.values_of(codes) == value
        for attribute in ATTRIBUTES
        for value in attribute.values
    }
    name, worst = max(cells.items(), key=lambda cell: float(differs[cell[1]].mean()))
    return {
        "accuracy": _round((compressed.argmax(axis=1) == employed).mean()),
        "disagreement": _round(differs.mean()),
        "mean_confidence_shift": _round((compressed.max(axis=1) - baseline.max(axis=1)).mean()),
        "worst_subgroup": {
            "name": name,
            "rows": int(worst.sum()),
            "disagreement": _round(differs[worst].mean()),
            "accuracy_gap": _round(gain[worst].mean()),
        }
        if differs.any()
        else None,
    }


def _round(value: np.floating[Any]) -> float:
    return round(float(value), 5)
