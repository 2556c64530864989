"""Pairs whose outputs are not rows first: layers before rows, and the boxes of one image."""

from pathlib import Path

import numpy as np
from onnx import helper

from tests.support.kinds.onnx_graphs import FLOAT, INT64, floats, node, save_graph, tensor


def layers_first_pair(folder: Path) -> None:
    """A classifier with a side output (layers, rows, 8)."""
    for name, noise in (("baseline", 0.0), ("compressed", 0.01)):
        weights = np.random.default_rng(1).normal(0, 0.5, (8, 4)) + np.random.default_rng(2).normal(0, noise, (8, 4))
        nodes = [
            node("MatMul", ["x", "w"], "z"),
            node("Softmax", ["z"], "probs"),
            node("Tanh", ["x"], "y"),
            node("SequenceConstruct", ["x", "y", "x"], "s"),
            node("ConcatFromSequence", ["s"], "state", axis=0, new_axis=1),
        ]
        outputs = [tensor("probs", FLOAT, "n", 4), tensor("state", FLOAT, "layers", "n", 8)]
        save_graph(folder / f"{name}.onnx", nodes, [tensor("x", FLOAT, "n", 8)], outputs, {"w": floats(weights)})


def detector_pair(folder: Path) -> None:
    """A detector with the suppression of overlaps inside: boxes, labels and scores of one image."""
    for name, noise in (("baseline", 0.0), ("compressed", 0.1)):
        random = np.random.default_rng(1)
        boxes = np.sort(floats(random.random((1, 200, 2, 2))), axis=2).reshape(1, 200, 4)
        weights = random.normal(0, 0.2, (48, 200)) + np.random.default_rng(2).normal(0, noise, (48, 200))
        nodes = [
            node("Reshape", ["images", "flat"], "f"),
            node("MatMul", ["f", "w"], "s"),
            node("Sigmoid", ["s"], "sg"),
            node("Unsqueeze", ["sg", "a1"], "sc"),
            helper.make_node("NonMaxSuppression", ["b", "sc", "most", "iou", "least"], ["sel"]),
            node("Gather", ["sel", "two"], "i", axis=1),
            node("Gather", ["b", "i"], "b0", axis=1),
            node("Squeeze", ["b0", "a0"], "boxes"),
            node("Gather", ["sg", "i"], "s0", axis=1),
            node("Squeeze", ["s0", "a0"], "scores"),
            node("Gather", ["sel", "first"], "labels", axis=1),
        ]
        constants = {"flat": np.array([1, 48]), "w": floats(weights), "a1": np.array([1]), "a0": np.array([0])}
        constants |= {"b": boxes, "most": np.array([20]), "iou": floats([0.3]), "least": floats([0.6])}
        constants |= {"two": np.array(2), "first": np.array(1)}
        outputs = [tensor("boxes", FLOAT, "k", 4), tensor("labels", INT64, "k"), tensor("scores", FLOAT, "k")]
        save_graph(folder / f"{name}.onnx", nodes, [tensor("images", FLOAT, 1, 3, 4, 4)], outputs, constants)
