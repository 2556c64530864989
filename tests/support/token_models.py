"""A pair of classifiers of tokens with two inputs, `ids` and `weight`, for rows of any length."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model

from tests.support.configs import write_config
from tightrope.service.config.loader import Settings, load


def token_classifier(path: Path, changed: float = 0.0) -> Path:
    """Write a classifier of two classes: the mean of the tokens' scores, times `weight`, (rows, 1)."""
    scores = np.stack([np.linspace(-2, 2, 10), np.linspace(2 + changed, -2, 10)], axis=1).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["scores", "ids"], ["each"]),
        helper.make_node("ReduceMean", ["each"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Mul", ["mean", "weight"], ["product"]),
        helper.make_node("Softmax", ["product"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tokens",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["rows", "tokens"]),
            helper.make_tensor_value_info("weight", TensorProto.FLOAT, ["rows", 1]),
        ],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", 2])],
        [numpy_helper.from_array(scores, "scores")],
    )
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def token_settings(folder: Path, changed: float = 0.0) -> Settings:
    """Write and load the configuration of a pair whose compressed model is changed, with subgroups by `language`."""
    model = {
        "baseline": str(token_classifier(folder / "baseline.onnx")),
        "compressed": str(token_classifier(folder / "compressed.onnx", changed)),
        "subgroups": {"language": {"parameter": "language", "values": ["en", "de"]}},
    }
    return load(write_config(folder, {"models": {"m": model}}), {})
