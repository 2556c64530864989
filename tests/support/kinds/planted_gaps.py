"""Pairs of one linear model for each kind of decision: equal but for noise, or apart where two features are large."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.support.csv_tables import read_settings, write_table
from tests.support.kinds.onnx_graphs import FLOAT, INT64, floats, node, save_graph, tensor
from tightrope.service.config.loader import Settings

FEATURES, ROWS = 6, 400
TOKENS = 5


@dataclass(frozen=True, slots=True)
class PlantedKind:
    """A kind of decision: its section, the outputs of a row before ``head``, and the shape of a row after it."""

    decision: Mapping[str, object]
    columns: int = 1
    head: str = "Identity"
    places: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Shift:
    """The difference: ``size`` for each unit by which the first two features together exceed ``above``."""

    size: float = 0.0
    above: float = 2.8
    noise: float = field(default=1e-4)


PLANTED: dict[str, PlantedKind] = {
    "plain classes": PlantedKind({}, 3, "Softmax"),
    "classes": PlantedKind({"kind": "classes"}, 3, "Softmax"),
    "binary": PlantedKind({"kind": "binary"}, 1, "Sigmoid"),
    "multilabel": PlantedKind({"kind": "multilabel"}, 4, "Sigmoid"),
    "plain regression": PlantedKind({"scale": "regression", "tolerance": 0.5}),
    "absolute": PlantedKind({"kind": "regression", "tolerance": 0.5}),
    "relative": PlantedKind({"kind": "regression", "loss": "relative", "tolerance": 0.1, "floor": 5.0}),
    "bands": PlantedKind({"kind": "regression", "loss": "bands", "edges": [-1, 1], "cap": 6}),
    "clipped": PlantedKind({"kind": "regression", "loss": "clipped", "cap": 6}),
    "angular": PlantedKind({"kind": "embedding"}, 4),
    "beyond": PlantedKind({"kind": "embedding", "loss": "beyond", "tolerance": 0.2}, 4),
    "positions": PlantedKind({"kind": "positions"}, 3 * TOKENS, places=(TOKENS, 3)),
    "any place": PlantedKind({"kind": "positions", "loss": "any"}, 3 * TOKENS, places=(TOKENS, 3)),
    "labels": PlantedKind({"kind": "labels"}, 3, "ArgMax"),
}
"""The kinds of decision by a name."""


def planted_pair(folder: Path, kind: PlantedKind, *, is_apart: bool) -> tuple[Settings, Path]:
    """The settings of a pair, and its rows, in which the two features are seldom large together."""
    _write(folder / "baseline.onnx", kind, _Shift())
    _write(folder / "compressed.onnx", kind, _Shift(6.0 if is_apart else 0.0))
    model = {"baseline": str(folder / "baseline.onnx"), "compressed": str(folder / "compressed.onnx")}
    section = {**model, "decision": dict(kind.decision)} if kind.decision else model
    settings = read_settings(folder, {"models": {"m": section}, "state": str(folder / "state")})
    rows = np.random.default_rng(3).normal(size=(ROWS, FEATURES))
    return settings, write_table(folder / "rows.csv", rows)


def _write(path: Path, kind: PlantedKind, shift: _Shift) -> None:
    random = np.random.default_rng(5)
    weights = random.normal(0, 0.7, (FEATURES, kind.columns))
    if shift.size:
        weights = weights + random.normal(0, shift.noise, weights.shape)
    pair = np.zeros((FEATURES, 1))
    pair[:2] = 1.0
    direction = np.where(np.arange(kind.columns) % 3 == 0, shift.size, -shift.size)[None]
    nodes = [
        node("MatMul", ["x", "weights"], "linear"),
        node("MatMul", ["x", "pair"], "sum"),
        node("Sub", ["sum", "above"], "excess"),
        node("Relu", ["excess"], "large"),
        node("MatMul", ["large", "direction"], "moved"),
        node("Add", ["linear", "moved"], "z"),
    ]
    last = "z"
    if kind.places:
        nodes.append(node("Reshape", ["z", "places"], "placed"))
        last = "placed"
    options = {"axis": 1, "keepdims": 0} if kind.head == "ArgMax" else {}
    nodes.append(node(kind.head, [last], "y", **options))
    shape = kind.places or ((kind.columns,) if kind.head != "ArgMax" else ())
    output = tensor("y", INT64 if kind.head == "ArgMax" else FLOAT, "n", *shape)
    constants = {"weights": floats(weights), "pair": floats(pair), "above": floats(np.array([shift.above]))}
    constants |= {"direction": floats(direction), "places": np.array([-1, *kind.places])}
    save_graph(path, nodes, [tensor("x", FLOAT, "n", FEATURES)], [output], constants)
