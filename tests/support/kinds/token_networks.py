"""Pairs that stand for transformers: an embedding of tokens, a mix with the neighbours under a mask, a head."""

from functools import partial
from pathlib import Path

import numpy as np
import onnx

from tests.support.kinds.onnx_graphs import FLOAT, INT64, floats, node, save_graph, tensor

TOKENS = 100
"""The size of the vocabulary."""

INPUTS = [tensor(name, INT64, "batch", "sequence") for name in ("input_ids", "attention_mask")]


def network(path: Path, *, int8: bool, out: str, head: int, pooled: bool = False, unit: bool = False) -> Path:
    """Write the network. ``int8``: the head is quantized with a scale of the whole run; ``pooled``: one vector a row;
    ``unit``: of length one.
    """
    random = np.random.default_rng(4)
    table, weights = floats(random.normal(0, 1, (TOKENS, 32))), floats(random.normal(0, 0.5, (32, head)))
    scale = np.float32(np.abs(weights).max() / 127)
    quantized = np.clip(np.round(weights / scale), -127, 127).astype(np.int8)
    nodes = [
        node("Gather", ["E", "input_ids"], "e"),
        node("Cast", ["attention_mask"], "m", to=FLOAT),
        node("Unsqueeze", ["m", "a2"], "m3"),
        node("Mul", ["e", "m3"], "em"),
        node("ReduceSum", ["em", "a1"], "s", keepdims=1),
        node("ReduceSum", ["m3", "a1"], "k", keepdims=1),
        node("Max", ["k", "one"], "k1"),
        node("Div", ["s", "k1"], "mean"),
        node("Squeeze", ["mean", "a1"], "x") if pooled else node("Add", ["em", "mean"], "x"),
        *(_int8_head() if int8 else [node("MatMul", ["x", "H"], "y")]),
        node("LpNormalization", ["y"], out, axis=1, p=2) if unit else node("Identity", ["y"], out),
    ]
    constants = {"E": table, "H": weights, "Q": quantized, "S": scale, "a1": np.array([1]), "a2": np.array([2])}
    shape = ("batch", head) if pooled else ("batch", "sequence", head)
    return save_graph(path, nodes, INPUTS, [tensor(out, FLOAT, *shape)], {**constants, "one": np.float32(1)})


def _int8_head() -> list[onnx.NodeProto]:
    return [
        onnx.helper.make_node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"]),
        node("MatMulInteger", ["xq", "Q", "xz"], "yi"),
        node("Cast", ["yi"], "yf", to=FLOAT),
        node("Mul", ["xs", "S"], "ss"),
        node("Mul", ["yf", "ss"], "y"),
    ]


tagger = partial(network, out="token_logits", head=9)
classifier = partial(network, out="logits", head=5, pooled=True)
embedder = partial(network, out="sentence_embedding", head=24, pooled=True, unit=True)


def int8_pair(folder: Path, model: partial[Path]) -> None:
    """One of these networks, and it in int8."""
    for name, int8 in (("baseline", False), ("compressed", True)):
        model(folder / f"{name}.onnx", int8=int8)


def fp16_pair(folder: Path) -> None:
    """The classifier, and its conversion to FP16 with FP32 outside."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    baseline = classifier(folder / "baseline.onnx", int8=False)
    onnx.save(convert_float_to_float16(onnx.load(str(baseline)), keep_io_types=True), folder / "compressed.onnx")


def distilled_pair(folder: Path) -> None:
    """The classifier, and a smaller network that was not made of it."""
    classifier(folder / "baseline.onnx", int8=False)
    random = np.random.default_rng(8)
    nodes = [
        node("Gather", ["E", "input_ids"], "e"),
        node("Cast", ["attention_mask"], "m", to=FLOAT),
        node("Unsqueeze", ["m", "a2"], "m3"),
        node("Mul", ["e", "m3"], "em"),
        node("ReduceMean", ["em"], "x", axes=[1], keepdims=0),
        node("MatMul", ["x", "H"], "logits"),
    ]
    table, weights = random.normal(0, 1, (TOKENS, 8)), random.normal(0, 1, (8, 5))
    constants = {"E": floats(table), "H": floats(weights), "a2": np.array([2])}
    save_graph(folder / "compressed.onnx", nodes, INPUTS, [tensor("logits", FLOAT, "batch", 5)], constants)


def decoder_pair(folder: Path) -> None:
    """A decoder of tokens with a past, whose length is zero at first."""
    for name, noise in (("baseline", 0.0), ("compressed", 0.2)):
        table = np.random.default_rng(1).normal(0, 0.5, (64, 16)) + np.random.default_rng(2).normal(0, noise, (64, 16))
        head = np.random.default_rng(3).normal(0, 0.5, (16, 64))
        past, present = "past_key_values.0.key", "present.0.key"
        nodes = [
            node("Gather", ["w", "input_ids"], "e"),
            node("Unsqueeze", ["e", "ax"], "k"),
            node("Concat", [past, "k"], present, axis=2),
            node("ReduceMean", [present], "m", axes=[1, 2], keepdims=1),
            node("Squeeze", ["m", "ax"], "m1"),
            node("Add", ["e", "m1"], "y"),
            node("MatMul", ["y", "H"], "logits"),
        ]
        inputs = [tensor("input_ids", INT64, "batch", "seq"), tensor(past, FLOAT, "batch", 1, "past", 16)]
        outputs = [tensor("logits", FLOAT, "batch", "seq", 64), tensor(present, FLOAT, "batch", 1, "total", 16)]
        constants = {"w": floats(table), "H": floats(head), "ax": np.array([1])}
        save_graph(folder / f"{name}.onnx", nodes, inputs, outputs, constants)
