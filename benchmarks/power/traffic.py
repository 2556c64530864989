"""The demo's real rows: what the committed models say of 12,000 people, and the cells that this gives to watch."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.power.method import Rows, Watch
from benchmarks.power.scenes import Cell
from tightrope import demo
from tightrope.monitors import compare
from tightrope.monitors.catalogue import CATALOGUE, SUBGROUP_SHARE, Kind
from tightrope.monitors.compare import Decision, Paired, Scale
from tightrope.monitors.records import MODEL_SCOPE, Bools, Floats, Tensors
from tightrope.service.adapters.onnxruntime import OnnxModel

HERE = Path(demo.__file__).parent
FILES = ("stable", "drift")
PARTS = (6_000, 8_000, 10_000)
"""Where the rows are cut to tell who is over a limit: the drift goes on, so its first rows say little of its last."""

TAG = "tag_"
BAD, GOOD = "bad_distilled_households_only", ("good_int8", "good_distilled")
HARMED = "residence=group_quarters"
WINDOW, SUBGROUP_WINDOW = 1000, 200


@dataclass(frozen=True, slots=True)
class People:
    """Rows as they are sent: ``codes`` (n, 16), and ``member`` (n, S) of the scopes, the model as a whole first."""

    scopes: tuple[str, ...]
    codes: Floats
    member: Bools


def people(*names: str) -> People:
    """The rows of these files, one after the other."""
    records: list[dict[str, str]] = []
    for name in names:
        with (HERE / "data" / f"{name}.csv").open(newline="") as file:
            records += csv.DictReader(file)
    columns = [name for name in records[0] if name != "label" and not name.startswith(TAG)]
    tags = {name: np.array([record[name] for record in records]) for name in records[0] if name.startswith(TAG)}
    pairs = [(name, value) for name, of in tags.items() for value in np.unique(of).tolist()]
    return People(
        scopes=(MODEL_SCOPE, *(f"{name.removeprefix(TAG)}={value}" for name, value in pairs)),
        codes=np.array([[float(record[name]) for name in columns] for record in records]),
        member=np.stack([np.ones(len(records), dtype=bool), *(tags[name] == value for name, value in pairs)], axis=1),
    )


def compared(rows: People, compressed: str) -> Paired:
    """What the compressed model decides otherwise than its baseline, row by row."""
    inputs: Tensors = {"input": rows.codes.astype(np.float32)}
    models = (OnnxModel(HERE / "models" / f"{name}.onnx") for name in ("baseline_fp32", compressed))
    answers = (model.run(inputs, [model.outputs[0].name]).values() for model in models)
    baseline, small = (compare.read(output, Scale.PROBABILITIES) for (output,) in answers)
    return compare.pair(baseline, small, Decision(Scale.PROBABILITIES))


@dataclass(frozen=True, slots=True)
class Trial:
    """One compressed model under one pair of limits, for the model as a whole and for a subgroup. ``harmed`` (S,) are
    the scopes whose rate is over the limit in any part; ``cells`` stand in the order of the scopes.
    """

    compressed: str
    rows: People
    paired: Paired
    limits: Floats
    harmed: Bools
    cells: tuple[Cell, ...]


def trial(compressed: str, limits: tuple[float, float]) -> Trial:
    """The reference is the model's own golden rows; the bad model never was healthy, so it gets a good one's."""
    rows, golden = people(*(f"traffic_{name}" for name in FILES)), people("golden")
    paired = compared(rows, compressed)
    disagree = paired.disagree
    healthy = compared(golden, compressed if compressed in GOOD else GOOD[1]).disagree.astype(np.float64)
    parts = zip(np.split(disagree, PARTS), np.split(rows.member, PARTS), strict=True)
    rates = np.max([member[part].sum(axis=0) / member.sum(axis=0) for part, member in parts], axis=0)
    subgroups = len(rows.scopes) - 1
    limit = np.array([limits[0], *[limits[1]] * subgroups])
    share = [CATALOGUE["disagreement"].share, *[SUBGROUP_SHARE / subgroups] * subgroups]
    window = [WINDOW, *[SUBGROUP_WINDOW] * subgroups]
    cells = []
    for s, member in enumerate(rows.member.T):
        watch = Watch(Kind.RATE, float(limit[s]), healthy[golden.member[:, s]], window[s], share[s])
        at = np.flatnonzero(member)
        cells.append(Cell(watch, Rows(disagree[at].astype(np.float64), at, len(disagree))))
    return Trial(compressed, rows, paired, limit, rates > limit, tuple(cells))
