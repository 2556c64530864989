"""The demo's real rows: the committed models' answers for 12,000 people, and the cells to monitor."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.power.method import CellSpec, Rows
from benchmarks.power.scenes import Cell
from tightrope import demo
from tightrope.monitors import compare
from tightrope.monitors.catalogue import CATALOGUE, SUBGROUP_SHARE
from tightrope.monitors.compare import Decision, PairedOutputs, Scale
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.records import MODEL_SCOPE, Bools, Floats, Tensors
from tightrope.service.adapters.onnxruntime import OnnxModel

DEMO_FOLDER = Path(demo.__file__).parent
FILES = ("stable", "drift")
CUTS = (6_000, 8_000, 10_000)
"""Rows at which the stream is cut to find scopes over a limit: the drift grows, so its parts differ."""

TAG = "tag_"
BAD, GOOD = "bad_distilled_households_only", ("good_int8", "good_distilled")
HARMED = "residence=group_quarters"
WINDOW, SUBGROUP_WINDOW = 1000, 200


@dataclass(frozen=True, slots=True)
class DemoRows:
    """Input rows: ``codes`` (n, 16), and ``member`` (n, S) of the scopes, the model as a whole first."""

    scopes: tuple[str, ...]
    codes: Floats
    member: Bools


def load_demo_rows(*names: str) -> DemoRows:
    """Load and concatenate the rows of CSV files of the demo."""
    records: list[dict[str, str]] = []
    for name in names:
        with (DEMO_FOLDER / "data" / f"{name}.csv").open(newline="") as file:
            records += csv.DictReader(file)
    columns = [name for name in records[0] if name != "label" and not name.startswith(TAG)]
    tags = {name: np.array([record[name] for record in records]) for name in records[0] if name.startswith(TAG)}
    pairs = [(name, value) for name, column in tags.items() for value in np.unique(column).tolist()]
    return DemoRows(
        scopes=(MODEL_SCOPE, *(f"{name.removeprefix(TAG)}={value}" for name, value in pairs)),
        codes=np.array([[float(record[name]) for name in columns] for record in records]),
        member=np.stack([np.ones(len(records), dtype=bool), *(tags[name] == value for name, value in pairs)], axis=1),
    )


def pair_outputs(rows: DemoRows, compressed: str) -> PairedOutputs:
    """Compare the compressed model's outputs with those of its baseline, row by row."""
    inputs: Tensors = {"input": rows.codes.astype(np.float32)}
    models = (OnnxModel(DEMO_FOLDER / "models" / f"{name}.onnx") for name in ("baseline_fp32", compressed))
    answers = (model.run(inputs, [model.outputs[0].name]).values() for model in models)
    baseline, small = (compare.read_output(output, Scale.PROBABILITIES) for (output,) in answers)
    return compare.pair_readings(baseline, small, Decision(Scale.PROBABILITIES))


@dataclass(frozen=True, slots=True)
class DemoCase:
    """A compressed model under a pair of limits, for the model as a whole and for each subgroup. ``harmed`` (S,) marks
    the scopes whose rate is over the limit in any part; ``cells`` are in the order of the scopes.
    """

    compressed: str
    rows: DemoRows
    paired: PairedOutputs
    limits: Floats
    harmed: Bools
    cells: tuple[Cell, ...]


def demo_case(compressed: str, limits: tuple[float, float]) -> DemoCase:
    """Build a case. The reference is the model's own golden rows; the bad model gets those of a good model."""
    rows, golden = load_demo_rows(*(f"traffic_{name}" for name in FILES)), load_demo_rows("golden")
    paired = pair_outputs(rows, compressed)
    disagree = paired.disagree
    healthy = pair_outputs(golden, compressed if compressed in GOOD else GOOD[1]).disagree.astype(np.float64)
    parts = zip(np.split(disagree, CUTS), np.split(rows.member, CUTS), strict=True)
    rates = np.max([member[part].sum(axis=0) / member.sum(axis=0) for part, member in parts], axis=0)
    subgroups = len(rows.scopes) - 1
    limit = np.array([limits[0], *[limits[1]] * subgroups])
    share = [CATALOGUE["disagreement"].share, *[SUBGROUP_SHARE / subgroups] * subgroups]
    window = [WINDOW, *[SUBGROUP_WINDOW] * subgroups]
    cells = []
    for s, member in enumerate(rows.member.T):
        spec = CellSpec(Hypothesis.RATE, float(limit[s]), healthy[golden.member[:, s]], window[s], share[s])
        indices = np.flatnonzero(member)
        cells.append(Cell(spec, Rows(disagree[indices].astype(np.float64), indices, len(disagree))))
    return DemoCase(compressed, rows, paired, limit, rates > limit, tuple(cells))
