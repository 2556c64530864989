"""Baselines with a planted hotspot: one tensor whose compression harms one group, and no other."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper, save_model

from tests.support.configs import write_config
from tests.support.csv_tables import write_table
from tightrope.service.config.loader import Settings, load

ROWS = 600
OUTLIER = 400.0
"""A weight on a feature that is always zero: one scale of 8 bits for its tensor leaves nothing of small weights."""


def image_sweep(folder: Path) -> tuple[Settings, Path]:
    """Return the settings of an image classifier, and its rows.

    A bright side decides by large weights. Images of the camera `dim` are equal on both sides, and the small weight of
    the tensor `head` decides by their upper half.
    """
    kernel = np.zeros((4, 1, 8, 8), np.float32)
    kernel[0, 0, :, :4], kernel[1, 0, :, 4:] = 1 / 32, 1 / 32
    kernel[2, 0, :4], kernel[2, 0, 4:] = 1 / 32, -1 / 32
    head = np.array([[40, 0], [0, 40], [1, 0], [OUTLIER, 0]], np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["features"]),
        helper.make_node("Flatten", ["features"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
    ]
    _save(
        folder / "baseline.onnx",
        nodes,
        {"image": ["n", 1, 8, 8]},
        {"probabilities": ["n", 2]},
        kernel=kernel,
        head=head,
    )
    generator = np.random.default_rng(7)
    images = generator.uniform(0, 0.02, (ROWS, 1, 8, 8)).astype(np.float32)
    is_dim, first = np.arange(ROWS) % 2 == 0, generator.random(ROWS) < 0.5
    images[~is_dim & first, :, :, :4] += 1
    images[~is_dim & ~first, :, :, 4:] += 1
    # Both halves of a dim image are the same, so that the large weights cancel.
    images[is_dim, :, :, 4:] = images[is_dim, :, :, :4]
    images[is_dim & first, :, :4] += 1
    images[is_dim & ~first, :, 4:] += 1
    camera = np.where(is_dim, "dim", "bright")
    np.savez(folder / "rows.npz", image=images, **{"parameter:camera": camera})
    subgroups = {"camera": {"parameter": "camera", "values": ["bright", "dim"]}}
    return _settings(folder, {"subgroups": subgroups}), folder / "rows.npz"


def regression_sweep(folder: Path) -> tuple[Settings, Path]:
    """Return the settings of a regressor, and its rows.

    The weight of the third feature is small, and the feature is large on the right side alone: pruning the tensor
    `weights` removes it.
    """
    weights = np.array([[1.0], [0.8], [0.001], [0.0005]], np.float32)
    mixing = np.eye(4, dtype=np.float32)
    mixing[0, 1], mixing[1, 0] = 0.37, -0.21
    nodes = [
        helper.make_node("MatMul", ["input", "mixing"], ["mixed"]),
        helper.make_node("MatMul", ["mixed", "weights"], ["value"]),
    ]
    _save(folder / "baseline.onnx", nodes, {"input": ["n", 4]}, {"value": ["n", 1]}, mixing=mixing, weights=weights)
    generator = np.random.default_rng(9)
    inputs = generator.normal(size=(ROWS, 4))
    inputs[:, 3] = np.arange(ROWS) % 2
    inputs[:, 2] = inputs[:, 3] * generator.uniform(1000, 3000, ROWS)
    changes = {
        "decision": {"scale": "regression", "tolerance": 0.5},
        "subgroups": {"side": {"column": 3, "values": {"left": [0], "right": [1]}}},
    }
    return _settings(folder, changes), write_table(folder / "rows.csv", inputs)


def _save(
    path: Path,
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, Sequence[str | int]],
    outputs: Mapping[str, Sequence[str | int]],
    **tensors: NDArray[np.float32],
) -> None:
    kinds = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in each.items()]
        for each in (inputs, outputs)
    ]
    constants = [numpy_helper.from_array(values, name) for name, values in tensors.items()]
    graph = helper.make_graph(list(nodes), "planted", *kinds, constants)
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def _settings(folder: Path, changes: Mapping[str, object]) -> Settings:
    """The settings of a model `m`, judged by disagreement."""
    criteria = {"disagreement": {"model": 0.07, "subgroups": 0.1}}
    artefact = str(folder / "baseline.onnx")
    model = {"baseline": artefact, "compressed": artefact, "qualification": {"criteria": criteria}, **changes}
    return load(write_config(folder, {"models": {"m": model}, "state": str(folder / "state")}), {})
